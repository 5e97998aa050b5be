"""What a thousand tokens cost, asked of promtool's Prometheus: only tokens with a price count."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.grafana.board_files import boards, panels

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")

TOKENS = {"priced": 100, "half-priced": 100, "unknown": 900, "no-estimate": 900}
"""A minute, by model."""
UNPRICED = {"half-priced": 50, "unknown": 900}
USD = {"priced": 1.0, "half-priced": 0.5}


def series(name: str, per_minute: dict[str, float]) -> list[dict[str, str]]:
    return [
        {
            "series": f'spend_llm_{name}_total{{provider="openai",model="{model}"}}',
            "values": f"5000+{value}x90",
        }
        for model, value in per_minute.items()
    ]


def expressions(title: str) -> list[str]:
    [panel] = [each for each in panels(boards()["spend-llm"]) if each["title"] == title]
    filled = {"$job": ".*", "$provider": ".*", "$model": ".*", "$__range": "1h"}
    found = []
    for target in panel["targets"]:
        expr = target["expr"]
        for name, value in filled.items():
            expr = expr.replace(name, value)
        found.append(expr)
    return found


def ask(folder: Path, expr: str, expected: dict[str, float]) -> None:
    """Let promtool compare the answer of an expression, by model where it has one."""
    samples = [
        {"labels": f'{{provider="openai",model="{model}"}}' if model else "{}", "value": value}
        for model, value in expected.items()
    ]
    test = {
        "interval": "1m",
        "input_series": [
            *series("tokens", {model: float(number) for model, number in TOKENS.items()}),
            *series("unpriced_tokens", {model: float(number) for model, number in UNPRICED.items()}),
            *series("estimated_usd", USD),
        ],
        "promql_expr_test": [{"expr": f"round({expr}, 1e-6)", "eval_time": "90m", "exp_samples": samples}],
    }
    path = folder / "tests.yml"
    path.write_text(yaml.safe_dump({"tests": [test]}), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_thousand_tokens_cost_what_priced_tokens_cost(tmp_path: Path) -> None:
    [expr] = expressions("Token cost")
    ask(tmp_path, expr, {"": 10.0})


def test_the_table_has_the_unit_cost_of_models_with_a_price_alone(tmp_path: Path) -> None:
    expr = expressions("Unit cost by model")[1]
    ask(tmp_path, expr, {"half-priced": 10.0, "priced": 10.0})
