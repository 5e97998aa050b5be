"""From a configuration to its sources: each section makes its own, with its keys, and owns what it should."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.config.model import parse
from exporter.core.errors import SourceError
from exporter.core.meters import USAGE_TABLE
from exporter.core.meters.meter import MeterTableError
from exporter.sources.base import Source
from exporter.sources.files.source import FilesSource
from exporter.sources.focus.source import FocusSource
from exporter.sources.litellm.source import LiteLLMSource
from exporter.sources.llm.openai import OpenAISource
from exporter.wiring.sources import business_units, configured_sources, figure_settings

BILL = {"billing_export": {"files": ["exports/*.parquet"]}}
KEYS = {"ADMIN": "sk-admin-hidden", "MASTER": "sk-hidden"}


def made(base: Path, **document: Any) -> dict[str, Source]:
    config = parse(json.dumps(document), base)
    return {source.name: source for source in configured_sources(config, KEYS)}


def test_every_section_makes_its_source_and_nothing_else_does(tmp_path: Path) -> None:
    assert list(made(tmp_path, gcp=BILL)) == ["files"]
    everything = made(
        tmp_path,
        gcp={**BILL, "project_ids": ["project-1"]},
        llm={
            "openai": {"admin_key_env": "ADMIN"},
            "anthropic": {"admin_key_file": "anthropic.key"},
            "litellm": {"url": "http://127.0.0.1:4000", "key_env": "MASTER"},
            "usage_logs": ["llm/*.jsonl"],
        },
        focus={"files": ["focus/*.csv"]},
    )
    assert list(everything) == [
        "files",
        "cloud_monitoring",
        "openai",
        "anthropic",
        "usage_logs",
        "litellm",
        "recommender",
        "focus",
    ]
    assert "hidden" not in repr(everything)


def test_language_models_alone_are_a_configuration(tmp_path: Path) -> None:
    assert list(made(tmp_path, llm={"usage_logs": ["*.jsonl"]})) == ["usage_logs"]


def test_a_key_is_read_from_where_the_configuration_says(tmp_path: Path) -> None:
    (tmp_path / "openai.key").write_text("sk-admin-from-file\n")
    by_file = made(tmp_path, llm={"openai": {"admin_key_file": "openai.key"}})["openai"]
    by_variable = made(tmp_path, llm={"openai": {"admin_key_env": "ADMIN"}})["openai"]
    assert isinstance(by_file, OpenAISource)
    assert isinstance(by_variable, OpenAISource)
    assert by_file.key() == "sk-admin-from-file"
    assert by_variable.key() == "sk-admin-hidden"
    missing = made(tmp_path, llm={"openai": {"admin_key_env": "NOT_SET"}})["openai"]
    assert isinstance(missing, OpenAISource)
    with pytest.raises(SourceError, match=r"llm\.openai\.admin_key_env: .*NOT_SET"):
        missing.key()


def test_a_proxy_needs_no_key(tmp_path: Path) -> None:
    proxy = made(tmp_path, llm={"litellm": {"url": "http://127.0.0.1:4000/"}})["litellm"]
    assert isinstance(proxy, LiteLLMSource)
    assert proxy.key is None


def test_a_focus_file_leaves_out_what_other_sources_bill(tmp_path: Path) -> None:
    focus = {"files": ["*.csv"], "usd_per": {"EUR": 1.08}}
    alone = made(tmp_path, focus=focus)["focus"]
    beside = made(tmp_path, focus=focus, gcp=BILL, llm={"openai": {"admin_key_env": "ADMIN"}})["focus"]
    assert isinstance(alone, FocusSource)
    assert isinstance(beside, FocusSource)
    assert alone.owned_by_others == frozenset()
    assert beside.owned_by_others == {"gcp", "openai"}
    assert str(beside.usd_per["EUR"]).startswith("1.08")


def test_labels_that_rules_and_costs_need_are_kept_by_every_bill(tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "gcp": BILL,
        "focus": {"files": ["*.csv"]},
        "label_costs": ["branch"],
        "cost_attribution": {"research": {"labels": {"team": "research"}, "tags": {"env": "prod"}}},
    }
    sources = made(tmp_path, **document)
    files, focus = sources["files"], sources["focus"]
    assert isinstance(files, FilesSource)
    assert isinstance(focus, FocusSource)
    assert files.kept_tags == focus.kept_tags == ("label:branch", "label:team", "tag:env")


def test_what_is_not_configured_is_not_shown(tmp_path: Path) -> None:
    config = parse(json.dumps({"gcp": BILL}), tmp_path)
    settings = figure_settings(config)
    assert settings.attribution is None
    assert settings.label_costs == ()
    assert business_units(config) is None


def test_units_are_counted_by_the_days_of_googles_bill_where_there_is_one(tmp_path: Path) -> None:
    unit = {"match": {"providers": ["openai"]}, "promql": "orders", "prometheus": "http://127.0.0.1:9090"}
    with_bill = business_units(parse(json.dumps({"gcp": BILL, "unit_costs": {"order": unit}}), tmp_path))
    logs = {"usage_logs": ["*.jsonl"]}
    without = business_units(parse(json.dumps({"llm": logs, "unit_costs": {"order": unit}}), tmp_path))
    assert with_bill is not None
    assert without is not None
    assert (with_bill.timezone, without.timezone) == ("America/Los_Angeles", "UTC")


def test_a_usage_table_in_which_two_meters_claim_the_same_is_refused_at_the_start(tmp_path: Path) -> None:
    config = parse(json.dumps({"gcp": BILL}), tmp_path)
    with pytest.raises(MeterTableError, match=USAGE_TABLE[0].name):
        configured_sources(config, KEYS, meters=(*USAGE_TABLE, USAGE_TABLE[0]))
