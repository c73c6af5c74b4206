"""Each alert fires for its cause, and for nothing else: simulated series, judged by ``promtool test rules``."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from tests.live import scraped

if TYPE_CHECKING:
    from pathlib import Path

SERVER, SPRING = 'job="abtest",instance="a:8000"', 'experiment="spring"'
BUCKET = "abtest_request_duration_seconds_bucket"
MODEL = 'model="fruit",version="2",arm="challenger"'
WATCHED = 'job="node",instance="b:9100",model="fruit"'
# Series of two hours and a half, a value a minute, of a server and an experiment with which nothing is wrong.
WELL = {
    f"up{{{SERVER}}}": "1x150",
    f"abtest_ready{{{SERVER}}}": "1x150",
    f"abtest_registry_up{{{SERVER}}}": "1x150",
    f"abtest_store_up{{{SERVER}}}": "1x150",
    f"abtest_serving_as_registered{{{SERVER}}}": "1x150",
    f'abtest_requests_total{{{SERVER},route="/predict",status="200"}}': "0+6000x150",
    f'abtest_requests_total{{{SERVER},route="/predict",status="503"}}': "0+6x150",
    f'abtest_requests_total{{{SERVER},route="/predict",status="422"}}': "0+600x150",
    f'{BUCKET}{{{SERVER},route="/predict",le="0.1"}}': "0+6000x150",
    f'{BUCKET}{{{SERVER},route="/predict",le="2.5"}}': "0+6000x150",
    f'{BUCKET}{{{SERVER},route="/predict",le="+Inf"}}': "0+6000x150",
    f'abtest_predictions_total{{{SERVER},{MODEL},served="true"}}': "0+3000x150",
    f'abtest_prediction_failures_total{{{SERVER},{MODEL},kind="raised"}}': "0+3x150",
    f'abtest_prediction_failures_total{{{SERVER},{MODEL},kind="dropped"}}': "0+300x150",
    f"abtest_shadow_rows_offered_total{{{SERVER}}}": "0+3000x150",
    f'abtest_shadow_rows_dropped_total{{{SERVER},reason="full"}}': "0+3x150",
    f"abtest_log_rows_lost_total{{{SERVER}}}": "0x150",
    f"abtest_rollbacks_total{{{SERVER}}}": "0x150",
    f'abtest_label_lag_seconds_bucket{{{SERVER},le="60"}}': "0+60x150",
    f'abtest_label_lag_seconds_bucket{{{SERVER},le="86400"}}': "0+60x150",
    f'abtest_label_lag_seconds_bucket{{{SERVER},le="+Inf"}}': "0+60x150",
    f"abtest_labels_waiting{{{SERVER}}}": "0x150",
    f"abtest_experiment_harmed{{{SERVER},{SPRING}}}": "0x150",
    f'abtest_experiment_check_held{{{SERVER},{SPRING},check="sample ratio"}}': "1x150",
    f"abtest_experiment_stale{{{SERVER},{SPRING}}}": "0x150",
    f"abtest_experiment_horizon_seconds{{{SERVER},{SPRING}}}": "3600x150",
    f"abtest_experiment_judged_timestamp_seconds{{{SERVER},{SPRING}}}": "0+60x150",
    f'abtest_experiment_labelled_units{{{SERVER},{SPRING},arm="champion"}}': "0+9x150",
    f'abtest_experiment_mature_units{{{SERVER},{SPRING},arm="champion"}}': "0+10x150",
    f'abtest_monitor_status{{{WATCHED},status="DEGRADED"}}': "0x150",
    f'abtest_monitor_drifted{{{WATCHED},feature="wind",kind="number"}}': "0x150",
    f"abtest_monitor_last_check_timestamp_seconds{{{WATCHED}}}": "0+60x150",
    f"abtest_monitor_last_prediction_timestamp_seconds{{{WATCHED}}}": "0+60x150",
    f"abtest_monitor_label_coverage_ratio{{{WATCHED}}}": "0.9x150",
    f"abtest_monitor_predictions{{{WATCHED}}}": "5000x150",
}
# What is wrong, and the alert that is for it.
WRONG: dict[str, dict[str, str]] = {
    "AbtestDown": {f"up{{{SERVER}}}": "0x150"},
    "AbtestNotReady": {f"abtest_ready{{{SERVER}}}": "0x150"},
    "AbtestErrors": {f'abtest_requests_total{{{SERVER},route="/predict",status="503"}}': "0+100x150"},
    "AbtestModelFails": {f'abtest_prediction_failures_total{{{SERVER},{MODEL},kind="raised"}}': "0+60x150"},
    "AbtestSlow": {f'{BUCKET}{{{SERVER},route="/predict",le="0.1"}}': "0+5900x150"},
    "AbtestLogLosses": {f"abtest_log_rows_lost_total{{{SERVER}}}": "0x145 5x5"},
    "AbtestStoreUnreachable": {f"abtest_store_up{{{SERVER}}}": "0x150"},
    "AbtestRegistryUnreachable": {f"abtest_registry_up{{{SERVER}}}": "0x150"},
    "AbtestNotAsRegistered": {f"abtest_serving_as_registered{{{SERVER}}}": "0x150"},
    "AbtestShadowDrops": {f'abtest_shadow_rows_dropped_total{{{SERVER},reason="full"}}': "0+300x150"},
    "AbtestHarm": {f"abtest_experiment_harmed{{{SERVER},{SPRING}}}": "1x150"},
    "AbtestRolledBack": {f"abtest_rollbacks_total{{{SERVER}}}": "0x145 1x5"},
    "AbtestMismatch": {f'abtest_experiment_check_held{{{SERVER},{SPRING},check="sample ratio"}}': "0x150"},
    "AbtestStaleExperiment": {f"abtest_experiment_stale{{{SERVER},{SPRING}}}": "1x150"},
    "AbtestNotJudged": {f"abtest_experiment_judged_timestamp_seconds{{{SERVER},{SPRING}}}": "0+60x130 7800x20"},
    "AbtestLabelsMissing": {f'abtest_experiment_labelled_units{{{SERVER},{SPRING},arm="champion"}}': "0+4x150"},
    "AbtestLabelsLate": {f'abtest_label_lag_seconds_bucket{{{SERVER},le="60"}}': "0+30x150"},
    "AbtestLabelsUnknown": {f"abtest_labels_waiting{{{SERVER}}}": "3x150"},
    "AbtestModelDegraded": {
        f'abtest_monitor_status{{{WATCHED},status="DEGRADED"}}': "1x150",
        f'abtest_monitor_drifted{{{WATCHED},feature="wind",kind="number"}}': "1x150",  # why it fell, not one alert more
    },
    "AbtestModelDrifts": {f'abtest_monitor_drifted{{{WATCHED},feature="wind",kind="number"}}': "1x150"},
    "AbtestNotWatched": {f"abtest_monitor_last_check_timestamp_seconds{{{WATCHED}}}": "-172800x150"},
    "AbtestLabelsFew": {f"abtest_monitor_label_coverage_ratio{{{WATCHED}}}": "0.4x150"},
    "AbtestNoPredictions": {f"abtest_monitor_last_prediction_timestamp_seconds{{{WATCHED}}}": "-172800x150"},
}
# A challenger of which no row succeeds has no series of rows that do.
NONE_SUCCEEDS = {f'abtest_predictions_total{{{SERVER},{MODEL},served="true"}}': "_x150"}
RULES = [rule for group in yaml.safe_load(scraped.RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def case(wrong: dict[str, str], *firing: str) -> dict[str, Any]:
    """Hours in which something is wrong, and what fires at its end."""
    return {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in {**WELL, **wrong}.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "150m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing],
            }
        ],
    }


def test_an_alert_fires_for_its_cause_alone(tmp_path: Path) -> None:
    """Where all is well none fires; for each thing that is wrong, the one alert that is for it; and each has one."""
    assert [rule["alert"] for rule in RULES if rule["alert"] not in WRONG] == []
    raised = WRONG["AbtestModelFails"]
    cases = [case({}), *(case(wrong, name) for name, wrong in WRONG.items())]
    cases.append(case({**raised, **NONE_SUCCEEDS}, "AbtestModelFails"))
    tests = {"rule_files": [str(scraped.RULES)], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests, allow_unicode=True), encoding="utf-8")
    told = subprocess.run(  # noqa: S603 - Prometheus' own
        [scraped.promtool(), "test", "rules", str(tmp_path / "tests.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_rules_are_rules() -> None:
    """``promtool check`` takes the rules, and the configuration."""
    for command in (["rules", str(scraped.RULES)], ["config", "--syntax-only", str(scraped.CONFIG)]):
        told = subprocess.run(  # noqa: S603 - Prometheus' own
            [scraped.promtool(), "check", *command], capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stdout + told.stderr


def test_an_alert_says_what_to_do() -> None:
    """Each alert says how bad it is, what is wrong in a sentence, and what to do."""
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")
        assert len(rule["annotations"]["description"]) > len(rule["annotations"]["summary"]) / 2


def test_a_command_in_an_alert_is_one_of_ours() -> None:
    """What an alert says to type is a command that there is."""
    import re

    from typer.testing import CliRunner

    from abtest.cli import app

    typed = {name for rule in RULES for name in re.findall(r"'abtest ([a-z ]+)", rule["annotations"]["description"])}
    assert len(typed) >= 6
    for command in typed:
        told = CliRunner().invoke(app, [*command.split(), "--help"])
        assert told.exit_code == 0, command
