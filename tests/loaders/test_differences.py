"""What differs between two versions is read from their folders, and told in plain words."""

from __future__ import annotations

import shutil
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from abtest.errors import InvalidInputError
from abtest.loaders.differences import Description, Differences, describe, differences, requirements
from tests import zoo

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from abtest.registry import RegistryClient

COLUMNS = st.none() | st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["long", "double", "string"]))
PACKAGES = st.none() | st.dictionaries(
    st.sampled_from(["numpy", "scipy", "mlflow"]), st.sampled_from(["", "1.0", ">=2"])
)
DESCRIPTIONS = st.builds(
    Description, inputs=COLUMNS, outputs=COLUMNS, packages=PACKAGES, python=st.sampled_from([None, "3.11", "3.12"])
)


def saved(folder: str, inputs: ModelSignature | None, *required: str) -> str:
    """Save a real model into a folder, with these lines for its requirements."""
    path = zoo.save(zoo.linear, Path(folder).absolute(), inputs=inputs)
    if required:
        (Path(path) / "requirements.txt").write_text("\n".join(required))
    return path


def told(champion: str, challenger: str) -> Differences:
    """Tell two folders apart."""
    return differences(describe("champion", champion), describe("challenger", challenger))


def test_columns_and_packages_of_real_models() -> None:
    """Columns added, removed and retyped, and packages in other versions, are told from two saved models."""
    champion = saved("one", zoo.signature(width="double", age="long", city="string"), "numpy==1.26.4", "scipy==1.13")
    challenger = saved("two", zoo.signature(width="double", age="double", height="?float"), "numpy==2.4.0", "xgboost")
    assert told(champion, challenger) == Differences(
        added=("height: float, may be missing",),
        removed=("city: string",),
        retyped=("age: long → double",),
        packages=("numpy 1.26.4 → 2.4.0", "scipy 1.13: champion only", "xgboost: challenger only"),
    )


def test_nothing_differs() -> None:
    """A model does not differ from itself, in anything."""
    one = saved("one", zoo.signature(width="double"))
    assert told(one, one) == Differences()
    assert describe("champion", one).packages == {"mlflow": ""}


def test_without_a_signature() -> None:
    """A model without a signature is said to have none; its requirements are still compared."""
    champion, challenger = saved("one", None, "numpy==1"), saved("two", zoo.signature(width="double"), "numpy==2")
    assert describe("champion", champion).inputs is None
    assert told(champion, challenger) == Differences(
        packages=("numpy 1 → 2",), notices=("The champion has no signature, so columns are not compared.",)
    )
    assert len(told(champion, champion).notices) == 2


def test_tensors() -> None:
    """Tensor signatures differ by type and shape."""
    champion, challenger = saved("one", zoo.tensors("float64", -1, 4)), saved("two", zoo.tensors("float32", -1, 5))
    found = told(champion, challenger)
    assert found.retyped == ("column 1: float64 tensor of shape (-1, 4) → float32 tensor of shape (-1, 5)",)


def test_outputs() -> None:
    """Models that return other types say so, whether their outputs have names or not."""
    from mlflow.models import infer_signature

    frame = pd.DataFrame({"x": [1.0], "words": [["a"]]})
    named = infer_signature(frame, pd.DataFrame({"kind": ["apple"]}))
    bare = infer_signature(frame, np.array([1, 2]))
    assert describe("champion", saved("one", named)).inputs == {"x": "double", "words": "Array(string)"}
    assert told("one", saved("two", bare)).outputs == ("kind: string → output 1: int64 tensor of shape (-1,)",)


def test_an_old_model_has_a_conda_file_only() -> None:
    """Without requirements.txt the packages are read from conda.yaml; with neither there is nothing to compare."""
    one, two = saved("one", zoo.signature(width="double")), saved("two", zoo.signature(width="double"))
    (Path(one) / "requirements.txt").unlink()
    (Path(one) / "conda.yaml").write_text(
        "channels:\n- conda-forge\ndependencies:\n- python=3.9.1\n- libgomp=12\n- pip<=23\n- pip:\n"
        "  - mlflow==1.2\n  - 'scikit_learn==0.24'\nname: mlflow-env\n"
    )
    assert describe("champion", one).packages == {"libgomp": "12", "mlflow": "1.2", "scikit-learn": "0.24"}
    for name in ("requirements.txt", "conda.yaml"):
        (Path(two) / name).unlink()
    assert told(one, two).notices == ("The challenger lists no requirements, so packages are not compared.",)
    assert told(one, two).packages == ()


def test_python_differs() -> None:
    """Models trained under other Pythons say so."""
    one = saved("one", None)
    shutil.copytree(one, "two")
    text = Path("two/MLmodel").read_text()
    version = describe("champion", one).python
    Path("two/MLmodel").write_text(text.replace(f"python_version: {version}", "python_version: 3.8.1"))
    assert told(one, "two").packages == (f"Python {version} → 3.8.1",)


def test_registered_and_logged_models(stocked: RegistryClient) -> None:
    """Versions in a registry and models of runs are read where they are, without loading: one of these cannot load."""
    versions = [describe("champion", f"models:/fruit/{n}", stocked) for n in (1, zoo.UNLOADABLE)]
    assert versions[0] == versions[1]
    assert versions[0].inputs == {"width": "double", "height": "double"}
    assert versions[0].packages == {"mlflow": ""}
    with stocked.active(), mlflow.start_run() as run:
        zoo.log(zoo.linear, inputs=zoo.signature(width="double"))
    logged = describe("challenger", f"runs:/{run.info.run_id}/model", stocked)
    assert differences(versions[0], logged).removed == ("height: double",)
    assert logged.packages == {"mlflow": ""}


def test_nothing_there() -> None:
    """A folder without a model is named, with the side."""
    Path("empty").mkdir()
    with pytest.raises(InvalidInputError, match=r"^The challenger at empty cannot be read: "):
        describe("challenger", "empty")


@given(DESCRIPTIONS, DESCRIPTIONS)
def test_sides_may_change_places(champion: Description, challenger: Description) -> None:
    """Swapping the sides turns added into removed and keeps the count of everything else; a side equals itself."""
    ours, theirs = differences(champion, challenger), differences(challenger, champion)
    assert ours.added == theirs.removed
    for field in fields(ours):
        if field.name not in ("added", "removed"):
            assert len(getattr(ours, field.name)) == len(getattr(theirs, field.name))
    same = differences(champion, champion)
    assert same == Differences(notices=same.notices)


@pytest.mark.parametrize(
    "line",
    [
        "scikit-learn==1.5.0",
        "Scikit_Learn ==1.5.0",
        "numpy>=1.26,<3",
        "mlflow",
        "ruamel.yaml==0.18.6",
        "pandas[parquet, aws]>=2 ; python_version > '3.9'",
        "torch===2.1.0+cpu",
        "numpy!=2.0.1",
        "numpy~=2.0",
        "numpy>=1,==2.*",
        "numpy==2.*,!=2.1",
    ],
)
def test_reads_requirements_as_packaging_does(line: str) -> None:
    """Names and versions are those that `packaging` reads."""
    ((name, version),) = requirements([line]).items()
    theirs = Requirement(line)
    assert name == canonicalize_name(theirs.name)
    pinned = version[:1].isdecimal()
    ours = {f"=={version}"} if pinned else set(filter(None, version.split(",")))
    assert ours == {str(specifier).replace("===", "==") for specifier in theirs.specifier}


def test_requirements_that_name_no_package() -> None:
    """Options and comments are left out, and with them credentials; an address stands for itself, without them."""
    lines = [
        "# made by hand", "", "--index-url https://me:hunter2@example.org/simple", "-r other.txt",
        "git+https://me:hunter2@example.org/tool.git", "tool @ https://me:hunter2@example.org/tool.whl",
        "numpy==2 # yes",
    ]  # fmt: skip
    found = requirements(lines)
    assert found == {
        "git+https://***@example.org/tool.git": "",
        "tool": "@https://***@example.org/tool.whl",
        "numpy": "2",
    }
    assert "hunter2" not in str(found)
