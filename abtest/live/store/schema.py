"""The tables of the log, and how they are made: once, however many processes find none.

Every key says what may happen once only: a prediction by its server, sequence and arm, a label's revision by its
prediction and number, a unit's exposure by its experiment, an epoch by its experiment and number; of monitoring a file
by its digest, a tracked row by its id, a tally by its hour, version and file, an act by its moment.

Tables of monitoring came later than the others: a log that lacks them gains them when it is opened to be written.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from abtest.live.store.connecting import Database

VERSION = "1"
_VERSION, _UNIT_KEY = "schema version", "unit key"
_UNIT_KEY_BYTES = 32

# By PostgreSQL's collation "C" text is ordered by its bytes, as it is by SQLite.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_metadata = sa.MetaData()


def _table(name: str, *parts: sa.schema.SchemaItem) -> sa.Table:
    # SQLite keeps a table without a row id in the order of its key: what is looked up by it takes one search, not two.
    return sa.Table(f"abtest_{name}", _metadata, *parts, sqlite_with_rowid=False)


def _key(name: str, kind: sa.types.TypeEngine[Any] = _TEXT) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _of_experiment() -> sa.Column[str]:
    return sa.Column("experiment", _TEXT, sa.ForeignKey("abtest_experiments.name"), primary_key=True)


def _seconds(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=nullable)


def _labels(name: str) -> sa.Table:
    return _table(
        name,
        _key("server"),
        _key("sequence", sa.BigInteger()),
        _key("revision", sa.Integer()),  # from 1
        _text("label"),  # as JSON
        sa.Column("observed_at", sa.Double),
        _seconds("received_at"),
        sa.Index(f"abtest_{name}_by_time", "received_at"),
    )


def _by_time(name: str) -> tuple[sa.Column[Any], ...]:
    """A key by model, time in seconds since 1970, version (0 of none), and the batch that told it."""
    whole = sa.BigInteger()
    return _key("model_name"), _key(name, whole), _key("version", sa.Integer()), _key("batch")


meta = _table("meta", _key("name"), _text("value"))
experiments = _table("experiments", _key("name"), _text("model_name"), _seconds("created_at"), _text("plan"))
epochs = _table(
    "epochs",
    _of_experiment(),
    _key("number", sa.Integer()),
    _text("state"),
    sa.Column("inclusion", sa.Double, nullable=False),
    _seconds("began_at"),
    _text("by"),
    _text("why"),
    _text("evidence"),
)
exposures = _table(
    "exposures",
    _key("experiment"),
    _key("server"),
    _key("sequence", sa.BigInteger()),
    _text("unit"),
    _text("arm"),
    _seconds("at"),
    # The other way about the key, an analysis would search for each prediction somewhere else: it takes three times.
    sa.UniqueConstraint("experiment", "unit"),
)
predictions = _table(
    "predictions",
    _key("server"),
    _key("sequence", sa.BigInteger()),
    _key("arm"),
    _seconds("at"),
    sa.Column("served", sa.Boolean, nullable=False),
    sa.Column("model_version", sa.Integer),
    _text("prediction", nullable=True),  # as JSON
    _seconds("seconds"),
    _text("error", nullable=True),
    _text("experiment", nullable=True),
    sa.Column("epoch", sa.Integer),
    _text("unit", nullable=True),
    _text("features", nullable=True),
    sa.Index("abtest_predictions_by_time", "at", "served"),  # which logs have that were made since monitoring
)
outcomes, waiting = _labels("outcomes"), _labels("waiting")
snapshots = _table(
    "snapshots",
    _of_experiment(),
    sa.Column("at", sa.Double, primary_key=True),
    _number("n"),
    *(sa.Column(name, sa.Double) for name in ("log_better", "log_worse", "effect", "ci_lower", "ci_upper")),
    _text("verdict"),
)
servers = _table(
    "servers",
    _key("server"),
    _seconds("began_at"),
    _seconds("seen_at"),
    sa.Column("closed", sa.Boolean, nullable=False),
    _number("assigned"),
    _number("lost"),
)
servings = _table("servings", _key("server"), _text("model_name", nullable=True))

batches = _table(
    "batches",
    _key("model_name"),
    _key("batch"),
    _text("kind"),
    _text("source"),
    _number("n"),
    _seconds("received_at"),
    sa.Column("whole", sa.Boolean, nullable=False),
    _text("owner"),  # who has it open: another one takes it over by its own name
)
rows = _table(
    "rows",
    _key("model_name"),
    _key("id"),
    _text("batch"),
    _seconds("at"),
    sa.Column("version", sa.Integer),
    _text("prediction"),  # as JSON, and so are the next two
    _text("segments"),
    _text("label", nullable=True),
    sa.Index("abtest_rows_of_batch", "model_name", "batch"),
)
tallies = _table("tallies", *_by_time("hour"), _number("n"), sa.Column("tallied", sa.LargeBinary, nullable=False))
sketches = _table("sketches", *_by_time("day"), sa.Column("features", sa.LargeBinary, nullable=False))
marks = _table("marks", _key("model_name"), _seconds("mark"), _text("task"))
acts = _table(
    "acts",
    _key("model_name"),
    _key("what"),
    sa.Column("at", sa.Double, primary_key=True),
    *(_text(name) for name in ("status", "outcome", "text")),
)
_MONITORING = frozenset(table.name for table in (servings, batches, rows, tallies, sketches, marks, acts))


def prepare(database: Database, *, create: bool) -> None:
    """Make the tables where they are missing, and see that they are ours.

    Raises:
        InvalidInputError: They are of another version, or not there and not to be made.
    """
    with database.reading() as connection:
        is_ready = _is_ready(connection, str(database))
        if is_ready and (not create or tracks(connection)):
            return
    if not create:
        raise InvalidInputError(
            f"The database {database} holds no log of live traffic.", hint="'abtest serve' makes one where it logs."
        )
    database.log_ahead()
    with database.writing("tables") as connection:
        is_new = not _is_ready(connection, str(database))  # else another process was first, or tables were added since
        _metadata.create_all(connection)
        if is_new:
            made = {_VERSION: VERSION, _UNIT_KEY: secrets.token_hex(_UNIT_KEY_BYTES)}
            connection.execute(meta.insert(), [{"name": name, "value": value} for name, value in made.items()])


def tracks(connection: sa.Connection) -> bool:
    """Whether the tables of monitoring are there."""
    return set(sa.inspect(connection).get_table_names()) >= _MONITORING


def unit_key(connection: sa.Connection) -> bytes:
    """Read the key that unit ids are hashed with."""
    found = connection.scalar(sa.select(meta.c.value).where(meta.c.name == _UNIT_KEY))
    return bytes.fromhex(str(found))


def _is_ready(connection: sa.Connection, shown: str) -> bool:
    present = sorted(_metadata.tables.keys() & set(sa.inspect(connection).get_table_names()))
    if not present:
        return False
    if meta.name not in present:
        raise InvalidInputError(
            f"The database {shown} has a table {present[0]}, but holds no log of live traffic.",
            hint="name another database.",
        )
    found = connection.scalar(sa.select(meta.c.value).where(meta.c.name == _VERSION))
    if found != VERSION:
        raise InvalidInputError(
            f"The log in {shown} has schema version {found}; this abtest reads version {VERSION}.",
            hint="install the abtest that made it, or begin a new log.",
        )
    return True
