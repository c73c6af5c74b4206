"""What the README shows is what happens: its commands are typed and its output compared."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from abtest.cli import app
from abtest.policy import Policy
from abtest.settings import Settings
from tests.guides import typed

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_shown_command_prints_what_is_shown(tmp_path: Path) -> None:
    """Each `$ command` of a console block, typed in order, prints the lines under it (... stands for anything)."""
    assert typed(README, tmp_path) == 11


def test_the_settings_shown_are_settings(tmp_path: Path) -> None:
    """The TOML of the README loads, and its policy is the default."""
    (text,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "abtest.toml").write_text(text, encoding="utf-8")
    settings = Settings.load(tmp_path, {})
    assert settings.registry["model_name"] == "digits"
    assert Policy.from_mapping(settings.policy) == Policy()


def test_the_policies_shown_are_policies() -> None:
    """Every TOML block of the guide is a policy, alone and on its own terms."""
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "policy.md").read_text(encoding="utf-8"), re.DOTALL)
    policies = [Policy.from_mapping(tomllib.loads(block)["policy"]) for block in blocks]
    assert [policy.rule for policy in policies] == ["non-inferior", "share", "primary", "non-inferior"]
    assert [policy.task for policy in policies] == [*["classification"] * 3, "regression"]
    assert [len(policy.guardrails) for policy in policies] == [0, 6, 0, 1]


def test_every_command_is_in_the_readme() -> None:
    """An undocumented command is a failing test."""
    for command in app.registered_commands:
        assert f"`abtest {command.name}" in README


def test_every_link_leads_somewhere() -> None:
    """Each relative link and picture of the README and the guides is a file of the project."""
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), target
