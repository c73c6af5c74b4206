"""Digests change with everything that predictions depend on, and with nothing else."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.cache import keys
from abtest.cache.keys import code_digest, content, files_digest, key_of

if TYPE_CHECKING:
    from pathlib import Path

VALUES: Any = st.one_of(
    *(
        st.lists(st.none() | each, min_size=2, max_size=8)
        for each in (st.floats(), st.integers(-(2**60), 2**60), st.text(), st.booleans(), st.dates())
    )
)


def batch(**columns: Any) -> pa.RecordBatch:
    """A batch of columns."""
    return pa.RecordBatch.from_pydict(columns)


@given(values=VALUES, cut=st.integers(1, 70))
def test_only_the_rows_count(values: list[Any], cut: int) -> None:
    """A batch has the digest of its rows, wherever they were cut from, and whatever other columns are beside them."""
    alone = batch(x=pa.array(values))
    within = batch(
        y=[1] * (len(values) + 2 * cut), x=pa.array([values[0]] * cut + values + [values[-1]] * cut, alone[0].type)
    )
    assert content(alone, ["x"]) == content(within.slice(cut, len(values)), ["x"])


@given(values=VALUES, at=st.integers(0, 7))
def test_every_value_counts(values: list[Any], at: int) -> None:
    """Another value in any row is another digest; so is a null, and so is one row less."""
    array = pa.array(values)
    at %= len(values)
    other = next((value for value in values if repr(value) != repr(values[at])), None)
    changed = [*values[:at], other, *values[at + 1 :]]
    if repr(changed) != repr(values):
        assert content(batch(x=array), ["x"]) != content(batch(x=pa.array(changed, array.type)), ["x"])
    assert content(batch(x=array), ["x"]) != content(batch(x=array[1:]), ["x"])


def test_names_order_and_types_count() -> None:
    """The same numbers under another name, in another order or in another type are fed differently."""
    rows = batch(a=[1, 2], b=[3, 4])
    found = {
        content(rows, ["a", "b"]),
        content(rows, ["b", "a"]),
        content(rows, ["a"]),
        content(rows.rename_columns(["a", "c"]), ["a", "c"]),
        content(batch(a=pa.array([1, 2], pa.int32()), b=[3, 4]), ["a", "b"]),
        content(batch(a=[1.0, 2.0], b=[3, 4]), ["a", "b"]),
        content(batch(a=["1", "2"], b=[3, 4]), ["a", "b"]),
        content(batch(a=[2, 1], b=[3, 4]), ["a", "b"]),
        content(batch(a=[1, 2, 3], b=[4, 5, 6]), ["a", "b"]),
    }
    assert len(found) == 9


def test_what_lies_behind_a_null_does_not_count() -> None:
    """Two arrays with the same nulls are the same rows, whatever memory held there."""
    one, other = (pa.array(np.array([1.0, hidden, 3.0]), mask=np.array([0, 1, 0], dtype=bool)) for hidden in (2.0, 9.0))
    assert one.equals(other)
    assert content(batch(x=one), ["x"]) == content(batch(x=other), ["x"])


def test_categories_count_by_what_they_mean() -> None:
    """Dictionary columns of the same codes and other categories differ."""
    one, other = (pa.DictionaryArray.from_arrays([0, 1], pa.array(names)) for names in (["a", "b"], ["a", "c"]))
    assert content(batch(x=one), ["x"]) != content(batch(x=other), ["x"])


def test_every_file_of_a_model_counts(tmp_path: Path) -> None:
    """A changed byte, another name, another place or one file more is another model; what loading leaves is not."""
    (tmp_path / "code").mkdir()
    (tmp_path / "MLmodel").write_text("flavors")
    (tmp_path / "code" / "own.py").write_text("x = 1")
    found = [files_digest(tmp_path)]
    (tmp_path / "code" / "__pycache__").mkdir()
    (tmp_path / "code" / "__pycache__" / "own.pyc").write_bytes(b"compiled")
    (tmp_path / "registered_model_meta").write_text("model_name: iris")
    assert files_digest(tmp_path) == found[0]
    (tmp_path / "code" / "own.py").write_text("x = 2")
    found.append(files_digest(tmp_path))
    (tmp_path / "code" / "own.py").rename(tmp_path / "own.py")
    found.append(files_digest(tmp_path))
    (tmp_path / "empty").touch()
    found.append(files_digest(tmp_path))
    assert len(set(found)) == 4


def test_another_package_is_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is installed, or is there in another version, changes every key."""
    found = []
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    for version in ("1.0", "1.1"):
        keys._environment.cache_clear()  # noqa: SLF001 - as in a new process
        found.append(key_of("model"))
        (tmp_path / f"learner-{version}.dist-info").mkdir()
    keys._environment.cache_clear()  # noqa: SLF001 - see above
    found.append(key_of("model"))
    keys._environment.cache_clear()  # noqa: SLF001 - see above
    assert len(set(found)) == 3


def test_a_folder_elsewhere_has_no_digest(tmp_path: Path) -> None:
    """What a linked file holds counts; a link to a folder, which may lead anywhere, leaves a model without a digest."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/w").write_text("1")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/w").symlink_to(tmp_path / "weights/w")
    before = files_digest(tmp_path / "model")
    (tmp_path / "weights/w").write_text("2")
    assert files_digest(tmp_path / "model") != before
    (tmp_path / "model/weights").symlink_to(tmp_path / "weights", target_is_directory=True)
    with pytest.raises(OSError, match="elsewhere"):
        files_digest(tmp_path / "model")


def test_loaded_code_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module's code that is loaded changes the digest; not that of a package, of a model's own, or not loaded."""
    found = []
    for where in ("project", "site-packages", "model"):
        (tmp_path / where).mkdir()
        file = tmp_path / where / f"of_{where.replace('-', '_')}.py"
        file.write_text("x = 1")
        monkeypatch.syspath_prepend(file.parent)
        unloaded = code_digest([tmp_path / "model"])
        file.write_text("x = 1  # not loaded")
        assert code_digest([tmp_path / "model"]) == unloaded
        importlib.import_module(file.stem)
        before = code_digest([tmp_path / "model"])
        file.write_text("x = 2")
        found.append(code_digest([tmp_path / "model"]) != before)
        monkeypatch.delitem(sys.modules, file.stem)
    assert found == [True, False, False]
