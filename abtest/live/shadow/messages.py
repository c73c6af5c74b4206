"""Messages on a socket: four bytes that say how long one is, then as many."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_LENGTH = struct.Struct("!I")
HEAD = _LENGTH.size


def framed(message: bytes) -> bytes:
    """Put its length before a message."""
    return _LENGTH.pack(len(message)) + message


def length(head: bytes) -> int:
    """Read how long the message is that follows."""
    return int(_LENGTH.unpack(head)[0])


def receive(channel: socket.socket) -> bytes | None:
    """Wait for a message; None where the other end has closed."""
    head = _exactly(channel, HEAD)
    return None if head is None else _exactly(channel, length(head))


def _exactly(channel: socket.socket, count: int) -> bytes | None:
    taken = bytearray()
    while len(taken) < count:
        part = channel.recv(min(count - len(taken), 1 << 20))
        if not part:
            return None
        taken += part
    return bytes(taken)
