"""Where the defaults of a project come from: ``abtest.toml`` or ``[tool.abtest]`` in pyproject.toml, then ``ABTEST_*``.

The command line wins over variables, variables over the file. Relative paths in a file are relative to the file, so a
command means the same from every folder below it. An unknown key is an error: a misspelt guard guards nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from abtest.errors import InvalidInputError, NotFoundError, near

SETTINGS_FILE = "abtest.toml"
_PREFIX = "ABTEST_"
SECRETS = ("ABTEST_API_KEY", "ABTEST_WEBHOOK")  # no defaults: read where they are used, and never shown
_FILE_SCHEMES = ("sqlite:///", "duckdb:///")
_REGISTRY_KEYS: dict[str, type] = {"tracking_uri": str, "registry_uri": str, "model_name": str}
_REFERENCE_KEYS: dict[str, type] = {
    f"{side}_{kind}": str for side in ("champion", "challenger") for kind in ("stage", "version", "alias", "uri")
}
_COMPARE_KEYS: dict[str, type] = {
    **_REFERENCE_KEYS,
    "test_data": str,
    "sql_url": str,
    "train_data": str,
    "confirm_data": str,
    "target": str,
    "task": str,
    "segments": str,
    "unit": str,
    "label_type": str,
    "average": str,
    "pos_label": str,
    "confidence": float,
    "method": str,
    "resamples": int,
    "seed": int,
    "batch_size": int,
    "policy": str,
    "output": str,
    "save_plot": bool,
    "log": bool,
    "experiment": str,
    "auto_promote": bool,
    "promote_on": str,
    "require_approval": bool,
    "drop_unlabelled": bool,
    "engine": str,
    "spark_master": str,
    "cache": bool,
    "cache_dir": str,
    "cache_gib": float,
}
_LIVE_KEYS: dict[str, type] = {"store": str}
_TABLES = ("registry", "compare", "live", "policy")
_PATH_KEYS = ("test_data", "confirm_data", "policy", "output", "champion_uri", "challenger_uri", "cache_dir")
_KIND_NAMES = {str: "a string", float: "a number", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The defaults in force.

    Attributes:
        source: The file they were read from, if any.
        registry: ``tracking_uri``, ``registry_uri``, ``model_name``, those that are set.
        compare: Options of ``abtest compare`` by name, those that are set.
        live: ``store``, if it is set.
        policy: The ``[policy]`` table, as it stands.
    """

    source: Path | None = None
    registry: Mapping[str, str] = field(default_factory=dict)
    compare: Mapping[str, Any] = field(default_factory=dict)
    live: Mapping[str, str] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path, environ: Mapping[str, str]) -> Settings:
        """Read the nearest settings file at or above a folder, and the variables over it.

        Raises:
            InvalidInputError: Not TOML, an unknown key, or a value of the wrong type.
        """
        settings = cls._from_files(folder.resolve())
        registry, compare, live = _from_variables(environ)
        return cls(
            source=settings.source,
            registry={**settings.registry, **registry},
            compare={**settings.compare, **compare},
            live={**settings.live, **live},
            policy=settings.policy,
        )

    @classmethod
    def _from_files(cls, folder: Path) -> Settings:
        for parent in (folder, *folder.parents):
            own = parent / SETTINGS_FILE
            if own.is_file():
                return cls._from_table(read_toml(own), own, SETTINGS_FILE)
            project = parent / "pyproject.toml"
            if project.is_file():
                tool = read_toml(project).get("tool", {})
                table = tool.get("abtest") if isinstance(tool, dict) else None
                if table is not None:
                    return cls._from_table(table, project, "pyproject.toml [tool.abtest]")
        return cls()

    @classmethod
    def _from_table(cls, table: Mapping[str, Any], path: Path, name: str) -> Settings:
        if not isinstance(table, dict):
            raise InvalidInputError(f"{name} must be a table, got {table!r}.", hint="write [tool.abtest.compare].")
        for key, value in table.items():
            if key not in _TABLES:
                raise InvalidInputError(
                    f"{name}: unknown key '{key}'; known are the tables {', '.join(f'[{t}]' for t in _TABLES)}.",
                    hint=near(key, _TABLES) or _home_of(key),
                )
            if not isinstance(value, dict):
                raise InvalidInputError(f"{name}: {key} must be a table, got {value!r}.", hint=f"write [{key}].")
        registry = _checked(table.get("registry", {}), _REGISTRY_KEYS, f"{name} [registry]")
        for key, text in registry.items():
            if not text.strip():
                raise InvalidInputError(
                    f"{name} [registry] {key} must not be empty.", hint="leave it out for MLflow's own."
                )
        for key in ("confidence", "method"):
            if key in table.get("compare", {}) and key in table.get("policy", {}):
                raise InvalidInputError(f"{name} sets {key} twice, in [compare] and in [policy].", hint="keep one.")
        compare = _checked(table.get("compare", {}), _COMPARE_KEYS, f"{name} [compare]")
        live = _checked(table.get("live", {}), _LIVE_KEYS, f"{name} [live]")
        return cls(
            source=path,
            registry={
                key: _absolute_uri(value, path.parent) if key.endswith("_uri") else value
                for key, value in registry.items()
            },
            compare={
                key: _absolute(value, path.parent)
                if key in _PATH_KEYS or _is_train_file(key, value)
                else _absolute_uri(value, path.parent)
                if key == "sql_url"
                else value
                for key, value in compare.items()
            },
            live={key: _absolute_uri(value, path.parent) for key, value in live.items()},
            policy=table.get("policy", {}),
        )


def listed(values: Iterable[str] | str | None) -> tuple[str, ...]:
    """Read an option of several values: repeated, or separated by commas.

    Example:
        >>> listed(["region, device", "tier"]), listed(None)
        (('region', 'device', 'tier'), ())
    """
    given = [values] if isinstance(values, str) else values or ()
    return tuple(name.strip() for value in given for name in value.split(",") if name.strip())


def _is_train_file(key: str, value: object) -> bool:
    return key == "train_data" and value != "run"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        NotFoundError: There is no such file.
        InvalidInputError: It is not TOML; the message has line and column.
    """
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} is not TOML: {error}.") from error
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}.") from error


def _checked(table: Mapping[str, Any], known: Mapping[str, type], where: str) -> dict[str, Any]:
    for key in table:
        if key not in known:
            raise InvalidInputError(
                f"{where}: unknown key '{key}'.",
                hint=near(key, known) or _home_of(key) or f"known are {', '.join(known)}.",
            )
    return {key: _typed(value, known[key], f"{where} {key}") for key, value in table.items()}


def _home_of(key: str) -> str | None:
    """Say in which table a key belongs that was put elsewhere."""
    for table, keys in (("registry", _REGISTRY_KEYS), ("compare", _COMPARE_KEYS), ("live", _LIVE_KEYS)):
        if key in keys:
            return f"{key} belongs in [{table}]."
    return None


def _typed(value: Any, kind: type, where: str) -> Any:  # noqa: ANN401 - a TOML value is any of several types
    if where.endswith(" segments") and isinstance(value, list) and all(isinstance(name, str) for name in value):
        return ",".join(value)
    if kind is str and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # champion_version = 3
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidInputError(f"{where} must be {_KIND_NAMES[kind]}, got {value!r}.")
    return value


def _from_variables(environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Any], dict[str, str]]:
    registry: dict[str, str] = {}
    live: dict[str, str] = {}
    compare: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(_PREFIX):
            continue
        key = variable.removeprefix(_PREFIX).lower()
        if key in _REGISTRY_KEYS:
            registry[key] = text
        elif key in _COMPARE_KEYS:
            compare[key] = _parsed(text, _COMPARE_KEYS[key], variable)
        elif key in _LIVE_KEYS:
            live[key] = text
        elif variable not in SECRETS:
            known = (*_REGISTRY_KEYS, *_COMPARE_KEYS, *_LIVE_KEYS)
            hint = near(variable, [_PREFIX + name.upper() for name in known]) if near(key, known) else None
            raise InvalidInputError(f"{variable} is no setting.", hint=hint or "unset it.")
    return registry, compare, live


def _parsed(text: str, kind: type, variable: str) -> Any:  # noqa: ANN401 - one of the setting types
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.strip().lower()]
        return kind(text)
    except (ValueError, KeyError):
        raise InvalidInputError(f"{variable} must be {_KIND_NAMES[kind]}, got {text!r}.") from None


def _absolute(path: str, folder: Path) -> str:
    """Resolve a relative path; ``table:rows`` is the name of a table, and ``delta:rows`` a folder."""
    if path.startswith("delta:"):
        return "delta:" + _absolute(path.removeprefix("delta:"), folder)
    if path.startswith("table:"):
        return path
    return path if "://" in path or path.split("/", 1)[0].endswith(":") else str(folder / Path(path).expanduser())


def _absolute_uri(uri: str, folder: Path) -> str:
    """Resolve a relative database file or folder; ``sqlite:///x.db`` is relative, ``sqlite:////x.db`` is not."""
    for scheme in _FILE_SCHEMES:
        if uri.startswith(scheme):
            return scheme + str(folder / uri.removeprefix(scheme))
    return uri if ":" in uri or uri == "databricks" else str(folder / uri)
