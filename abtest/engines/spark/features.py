"""What models are fed on Spark: their columns, cast where nothing is lost, after a look at every value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from abtest import wording
from abtest.engines.spark.session import told_as_ours
from abtest.engines.spark.tables import Column, Frame, column
from abtest.errors import InvalidInputError
from abtest.loaders.models import ROUNDED, Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


Fed: TypeAlias = "Sequence[tuple[Model, Sequence[str]]]"  # each model with its columns

_NUMBERS = ("boolean", "tinyint", "smallint", "int", "bigint", "float", "double")
_TIMES = ("date", "timestamp", "timestamp_ntz")
_KINDS = {
    pa.bool_(): "boolean", pa.int8(): "tinyint", pa.int16(): "smallint", pa.int32(): "int", pa.int64(): "bigint",
    pa.uint8(): "smallint", pa.uint16(): "int", pa.uint32(): "bigint",
    pa.float32(): "float", pa.float64(): "double", pa.string(): "string", pa.binary(): "binary",
    pa.timestamp("ns"): "timestamp",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cast:
    """A column that one model wants in a type of its own."""

    model: Model
    name: str
    given: str
    kind: pa.DataType

    @property
    def wanted(self) -> str:
        return _KINDS.get(self.kind, str(self.kind))

    @property
    def needs_values(self) -> bool:
        """To pandas, a whole number or a boolean that is missing is none."""
        return bool(pa.types.is_integer(self.kind) or pa.types.is_boolean(self.kind))

    @property
    def may_fail(self) -> bool:
        return self.wanted != self.given and self.wanted in _NUMBERS and not self.may_round

    @property
    def may_round(self) -> bool:
        return self.wanted == "float" and self.given == "double"

    @property
    def fits(self) -> bool:
        """Nothing has to be looked at."""
        return not (self.needs_values or self.may_fail or self.may_round)

    def changed(self) -> Column:
        """Whether the cast loses something of a row's value."""
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

        value = column(self.name)
        back = value.try_cast(self.wanted).try_cast(self.given)
        return value.isNotNull() & ~F.coalesce(back == value, F.lit(False))  # noqa: FBT003 - a literal

    def check(self) -> None:
        if self.wanted == self.given:
            return
        is_number = self.given in _NUMBERS or self.given.startswith("decimal")
        castable = is_number and self.wanted in _NUMBERS
        castable |= self.given in _TIMES and self.wanted in _TIMES
        castable |= self.wanted == "string" and self.given.endswith("int")
        if not castable:
            raise InvalidInputError(
                f"Column '{self.name}' must be {self.kind} for the {self.model.told}, got {self.given}, which "
                "--engine spark does not cast.",
                hint="store the column in that type.",
            )


def is_labelled(frame: Frame, target: str) -> Column:
    """Whether a row has a label: neither null nor NaN."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - see above

    there = column(target).isNotNull()
    kind = frame.select(column(target)).dtypes[0][1]
    return there & ~F.isnan(column(target)) if kind in {"float", "double"} else there


def examine(frame: Frame, fed: Fed) -> None:
    """Look at all values that are to be cast, or must not be missing, before any model is asked.

    Raises:
        InvalidInputError: A value does not fit a model's signature.
    """
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - see above

    never = F.lit(False)  # noqa: FBT003 - a literal
    casts, asked = list(_casts(frame, fed)), list[Column]()
    for cast in casts:
        cast.check()
        changed = cast.changed() if cast.may_fail or cast.may_round else never
        missing = column(cast.name).isNull() if cast.needs_values else never
        first = F.first(F.when(changed, column(cast.name)).cast("string"), ignorenulls=True)
        asked += [F.count(F.when(missing, 1)), F.count(F.when(changed, 1)), first]
    if all(cast.fits for cast in casts):
        return
    with told_as_ours("Spark could not read the rows"):
        found = list(frame.agg(*asked).first())
    for at, cast in enumerate(casts):
        _judge(cast, *found[3 * at : 3 * at + 3])


def features(frame: Frame, model: Model, columns: Sequence[str]) -> Column:
    """What a model is fed, as one column: a structure, which reaches it as a data frame."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - see above

    casts = {cast.name: cast for cast in _casts(frame, [(model, columns)])}
    return F.struct(
        *[(column(name).cast(casts[name].wanted) if name in casts else column(name)).alias(name) for name in columns]
    )


def _casts(frame: Frame, fed: Fed) -> Iterator[_Cast]:
    given = dict(frame.dtypes)
    for model, columns in fed:
        for name in columns:
            if (kind := model.type_of(name)) is not None:
                yield _Cast(model=model, name=name, given=given[name], kind=kind)


def _judge(cast: _Cast, missing: int, changed: int, first: str | None) -> None:
    if changed and not cast.may_round:
        raise InvalidInputError(
            f"Column '{cast.name}' must be {cast.kind}, got {first} ({wording.plural(changed, 'row')} in all).",
            hint="mend the value, or log the model with the type the column has.",
        )
    if missing:
        raise InvalidInputError(
            f"Column '{cast.name}' must be {cast.kind} for the {cast.model.told} and is empty in "
            f"{wording.plural(missing, 'row')}.",
            hint="fill it, or log the model with the column as double, which can be missing.",
        )
    if changed:
        cast.model.note({cast.name: f"{cast.given} → {cast.kind}{ROUNDED}"})
