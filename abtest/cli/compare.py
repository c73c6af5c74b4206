"""``abtest compare``: score both models on the same rows, and say which one should serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from abtest.cli import common
from abtest.cli import options as o


def compare(
    model_name: o.ModelName = None,
    champion_stage: o.Stage = None,
    champion_version: o.ChampionVersion = None,
    champion_alias: o.Alias = None,
    champion_uri: o.Uri = None,
    challenger_stage: o.Stage = None,
    challenger_version: o.Version = None,
    challenger_alias: o.Alias = None,
    challenger_uri: o.Uri = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    test_data: o.TestData = None,
    target: o.Target = None,
    label_type: o.LabelTypeOption = None,
    drop_unlabelled: o.DropUnlabelled = None,
    batch_size: o.BatchSize = None,
    average: o.AverageOption = None,
    pos_label: o.PosLabel = None,
    confidence: o.Confidence = None,
    method: o.Method = None,
    resamples: o.Resamples = None,
    seed: o.Seed = None,
    policy: o.PolicyFile = None,
    output: o.Output = None,
    save_plot: o.SavePlot = None,
    form: o.Format = "table",
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Score both models on the same rows, and say with evidence which one should serve.

    Each side is named by stage, version, alias or URI. Without any: Production and Staging, else the aliases champion
    and challenger. Defaults come from abtest.toml, or [tool.abtest] in pyproject.toml.
    """
    given = {key: value for key, value in locals().items() if value is not None}
    references = {
        side: _reference(side, {kind: given.get(f"{side}_{kind}") for kind in ("stage", "version", "alias", "uri")})
        for side in ("champion", "challenger")
    }
    from abtest import workflow  # noqa: PLC0415 - --help and usage errors do not pay for it
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    settings = Settings.load(Path.cwd(), os.environ)
    chosen: dict[str, Any] = {**settings.compare, **given}
    if "test_data" not in chosen:
        raise typer.BadParameter(
            "name the labelled rows, here or as test_data in abtest.toml.", param_hint="--test-data"
        )
    for side, reference in references.items():
        references[side] = reference or _from_settings(side, settings.compare)
    with common.Bar(quiet=quiet) as progress:
        comparison = workflow.compare(
            references["champion"],
            references["challenger"],
            data=chosen["test_data"],
            policy=common.policy_from(chosen.get("policy"), settings, chosen.get("confidence"), chosen.get("method")),
            model_name=model_name or settings.registry.get("model_name"),
            tracking_uri=tracking_uri or settings.registry.get("tracking_uri"),
            registry_uri=registry_uri or settings.registry.get("registry_uri"),
            command=common.command_line(),
            progress=progress,
            **{key: chosen[key] for key in _PASSED if key in chosen},
        )
    common.tell(f"Registry: {comparison.registry or 'none'}", quiet=quiet)
    common.show(comparison, form, quiet=quiet)


_PASSED = (
    "target", "label_type", "average", "pos_label", "resamples", "seed", "batch_size", "drop_unlabelled",
)  # fmt: skip


def _reference(side: str, options: dict[str, str | None]) -> Any:  # noqa: ANN401 - a Reference, whose module is not imported for --help
    """Read a side's reference off its options; two of them contradict each other."""
    named = [kind for kind, value in options.items() if value is not None]
    if len(named) > 1:
        both = " and ".join(f"--{side}-{kind}" for kind in named)
        raise typer.BadParameter(f"{both} name the {side} twice; give one of them.", param_hint=f"--{side}-{named[1]}")
    if not named:
        return None
    from abtest.registry import Reference  # noqa: PLC0415 - --help does not need it

    return Reference(kind=named[0], value=options[named[0]] or "")  # type: ignore[arg-type] # one of the four kinds


def _from_settings(side: str, compare: Any) -> Any:  # noqa: ANN401 - see _reference
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - --help does not need it

    options = {kind: compare.get(f"{side}_{kind}") for kind in ("stage", "version", "alias", "uri")}
    try:
        return _reference(side, options)
    except typer.BadParameter:
        named = " and ".join(f"{side}_{kind}" for kind, value in options.items() if value is not None)
        raise InvalidInputError(f"The settings name the {side} twice, by {named}.", hint="keep one.") from None
