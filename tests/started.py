"""Programs that have started already: ``abtest`` and ``python FILE`` in a process of their own, without the imports.

A guide types twenty commands, and each would spend seconds on importing MLflow before it does anything. Here one
process imports it once; for each command it forks a child, which takes over the command's folder, environment, standard
streams and arguments, and runs the program as it is. What never ends (``abtest serve``) starts as it does for a user.
"""

from __future__ import annotations

import array
import contextlib
import importlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parent.parent
# What commands and the guides' scripts import; MLflow with its database is most of it.
_IMPORTED = (
    "mlflow.sklearn", "mlflow.store.model_registry.sqlalchemy_store", "mlflow.store.tracking.sqlalchemy_store",
    "matplotlib.figure", "skops.io", "sklearn.ensemble", "sklearn.pipeline",
    "abtest.cli", "abtest.live.analysis", "abtest.monitoring.tracking", "abtest.reporter.figures", "abtest.retraining",
    "abtest.workflow",
)  # fmt: skip
_CODE = struct.Struct("!i")
# The program a shell finds: hands everything over, passes a signal on, and ends as the child ends.
_CLIENT = """#!{python} -IS
import array, json, os, signal, socket, struct, sys
name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
if arguments[:1] == ["serve"] or name == "python" and not (arguments and arguments[0].endswith(".py")):
    os.execv({python!r}, [{python!r}, *(["-m", "abtest"] if name == "abtest" else []), *arguments])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    request = json.dumps([name, arguments, os.getcwd(), dict(os.environ)]).encode()
    streams = socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2])
    server.sendmsg([struct.pack("!i", len(request))], [streams])
    server.sendall(request)
    child = struct.unpack("!i", server.recv(4, socket.MSG_WAITALL))[0]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(child, number))
    sys.exit(struct.unpack("!i", server.recv(4, socket.MSG_WAITALL))[0])
"""


@contextlib.contextmanager
def programs(folder: Path) -> Iterator[str]:
    """Start the process that imports, and give a PATH on which its ``abtest`` and ``python`` come first.

    Args:
        folder: An empty one, whose path is short enough for a socket's.
    """
    address = str(folder / "s")
    for name in ("abtest", "python"):
        (folder / name).write_text(_CLIENT.format(python=sys.executable, address=address), encoding="utf-8")
        (folder / name).chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        environ = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        process = subprocess.Popen(  # noqa: S603 - this file
            [sys.executable, "-m", "tests.started", str(listening.fileno())],
            pass_fds=[listening.fileno()], cwd=_ROOT, env=environ,
        )  # fmt: skip
    try:
        yield os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    finally:
        process.terminate()
        process.wait()


def _listen(descriptor: int) -> None:
    _import()
    with socket.socket(fileno=descriptor) as listening:
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                with connection:
                    _answer(connection)
                os._exit(0)
            connection.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _import() -> None:
    for name in _IMPORTED:
        importlib.import_module(name)


def _answer(connection: socket.socket) -> None:
    """Run one command in a child, and tell its number and its exit code."""
    head, rights, *_ = connection.recvmsg(4, socket.CMSG_SPACE(3 * 4))
    streams = array.array("i", rights[0][2])
    name, arguments, folder, environ = json.loads(connection.recv(_CODE.unpack(head)[0], socket.MSG_WAITALL))
    child = os.fork()
    if child == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)
        _run(name, arguments)
    connection.sendall(_CODE.pack(child))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection.sendall(_CODE.pack(status if status >= 0 else 128 - status))


def _run(name: str, arguments: list[str]) -> None:
    """Be that program, to its end."""
    import runpy

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.argv = [name, *arguments] if name == "abtest" else arguments
    if name == "abtest":
        from abtest.cli import main

        main()
    else:
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    _listen(int(sys.argv[1]))
