"""The configuration: what is accepted, how every mistake is reported, and that the docs agree."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from exporter.config.model import Config, load, parse
from exporter.config.problems import ConfigError, every_key, key_text
from tests.support import places
from tests.support.config_documents import BY_NAME, FROM_BIGQUERY, FROM_FILES, TABLE, document_for, with_value

DOCS = places.DOCS
BASE = Path("/etc/spend-exporter")

# The block that users were promised, to the letter.
CONTRACT_BLOCK = """\
    {"gcp": {"enabled": true, "billing_account_id": "XXXXXX-XXXXXX-XXXXXX", "project_ids": ["project-1", "project-2"],
             "credentials_path": "~/.config/gcp/credentials.json", "update_interval_minutes": 15,
             "cost_attribution": {"development": ["compute", "storage"], "ai_ml": ["aiplatform", "ml"], "networking": ["networking", "cdn"]},
             "budget_alerts": {"daily_limit_usd": 100.0, "hourly_spike_threshold": 10.0}}}
"""  # noqa: E501

KEYS = dict(every_key(Config))


def parsed(document: dict[str, Any]) -> Config:
    return parse(json.dumps(document), BASE)


def refused(document: dict[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parsed(document)
    return caught.value


def value_at(config: Config, path: tuple[str | int, ...]) -> Any:
    value: Any = config
    for part in path:
        # A section that may be a list of sections is one.
        value = getattr(value[0] if isinstance(value, tuple) else value, str(part))
    return value


# What is accepted.


def test_the_block_of_the_contract_is_valid_as_it_stands() -> None:
    gcp = parse(CONTRACT_BLOCK, BASE).gcp
    assert gcp is not None
    assert gcp.billing_account_id == "XXXXXX-XXXXXX-XXXXXX"
    assert gcp.project_ids == ("project-1", "project-2")
    assert gcp.credentials_path == Path.home() / ".config/gcp/credentials.json"
    assert gcp.cost_attribution is not None
    assert gcp.cost_attribution["ai_ml"][0].words == ("aiplatform", "ml")
    assert gcp.budget_alerts is not None
    assert gcp.budget_alerts.daily_limit_usd == 100.0


def test_one_section_or_glob_stands_for_a_list_of_one() -> None:
    table = {"table": TABLE}
    for one, several in (({"bigquery": table}, {"bigquery": [table]}), ({"files": "x"}, {"files": ["x"]})):
        written = [parse(json.dumps({"gcp": {"billing_export": each}}), BASE) for each in (one, several)]
        assert written[0] == written[1]


def test_tables_of_one_billing_account_are_refused_since_every_dollar_would_count_twice() -> None:
    names = ("pay-1.b.gcp_billing_export_v1_0A_1B", "pay-1.b.gcp_billing_export_resource_v1_0A_1B")
    document = {"gcp": {"billing_export": {"bigquery": [{"table": name} for name in names]}}}
    with pytest.raises(ConfigError, match=r"bigquery\[1\].table.*same billing account as pay-1.b.gcp_bill"):
        parse(json.dumps(document), BASE)

    other = {
        "table": "old-1.d.gcp_billing_export_v1_FF_FF",
        "job_project": "pays",
        "replaces": ["pay-1.b.all"],
    }
    document["gcp"]["billing_export"]["bigquery"][1] = other  # type: ignore[assignment]
    gcp = parse(json.dumps(document), BASE).gcp
    assert gcp is not None
    assert gcp.billing_export is not None
    assert gcp.billing_export.bigquery is not None
    assert [each.job_project for each in gcp.billing_export.bigquery] == [None, "pays"]


def test_the_example_file_is_valid() -> None:
    config = load(DOCS / "spend-exporter.example.yml")
    assert config.gcp is not None
    assert config.gcp.billing_export is not None
    assert config.gcp.billing_export.bigquery is not None
    assert config.gcp.live_usage.enabled
    assert config.keys_without_effect == ()


def test_the_other_source_in_the_example_file_is_valid_too() -> None:
    text = (DOCS / "spend-exporter.example.yml").read_text(encoding="utf-8")
    text = re.sub(r"    bigquery:\n(      .*\n)+", "", text)
    config = parse(re.sub(r"^    # (files:|  - )", r"    \1", text, flags=re.MULTILINE), BASE)
    assert config.gcp is not None
    assert config.gcp.billing_export is not None
    assert config.gcp.billing_export.files == ("/etc/spend-exporter/exports/*.parquet",)


@pytest.mark.parametrize("path", KEYS, ids=key_text)
def test_the_good_value_that_messages_give_is_good(path: tuple[str, ...]) -> None:
    for example in KEYS[path].examples or []:
        parsed(with_value(document_for(path), path, example))
    assert KEYS[path].examples


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:9877", "127.0.0.1", 9877),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("localhost:65535", "localhost", 65535),
        ("spend.internal:80", "spend.internal", 80),
        ("[::1]:9877", "::1", 9877),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
    ],
)
def test_listen_has_a_host_and_a_port(listen: str, host: str, port: int) -> None:
    config = parsed(with_value(FROM_FILES, ("listen",), listen))
    assert (config.host, config.port) == (host, port)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("10MiB", 10 * 2**20),
        ("11MB", 11 * 10**6),
        ("1.5 GiB", 3 * 2**29),
        ("20000KB", 20 * 10**6),
        ("20480KiB", 20 * 2**20),
        ("3GB", 3 * 10**9),
        ("2TB", 2 * 10**12),
        ("2TiB", 2 * 2**40),
        (10_485_760, 10_485_760),
    ],
)
def test_a_byte_cap_is_a_number_or_has_a_unit(given: object, size: int) -> None:
    path = ("gcp", "billing_export", "bigquery", "max_bytes_billed")
    assert value_at(parsed(with_value(FROM_BIGQUERY, path, given)), path) == size


def test_paths_to_read_start_at_the_file_and_the_ledger_at_the_working_folder(tmp_path: Path) -> None:
    folder = tmp_path / "odd [folder]"
    folder.mkdir()
    (folder / "rows.csv").touch()
    file = folder / "spend.yml"
    file.write_text(
        "web_config_file: web.yml\nledger: data/spend.duckdb\n"
        "gcp: {credentials_path: keys/gcp.json, billing_export: {files: ['*.csv', /abs/*.csv, ~/*.csv]}}\n"
    )
    config = load(file)
    assert config.gcp is not None
    assert config.gcp.billing_export is not None
    assert config.web_config_file == folder / "web.yml"
    assert config.gcp.credentials_path == folder / "keys/gcp.json"
    assert config.ledger == Path("data/spend.duckdb")
    relative, *absolute = config.gcp.billing_export.files or ()
    assert list(Path("/").glob(relative.removeprefix("/"))) == [folder / "rows.csv"]
    assert absolute == ["/abs/*.csv", f"{Path.home()}/*.csv"]


def test_every_key_of_the_contract_has_an_effect() -> None:
    assert parse(CONTRACT_BLOCK, BASE).keys_without_effect == ()
    assert parsed(BY_NAME).keys_without_effect == ()
    with_projects = with_value(FROM_FILES, ("gcp", "project_ids"), ["project-1"])
    assert parsed(with_projects).keys_without_effect == ()


def test_a_unit_of_a_category_that_does_not_exist_is_refused() -> None:
    unit = {"match": {"category": "shop"}, "promql": "orders", "prometheus": "http://127.0.0.1:9090"}
    document = with_value(FROM_FILES, ("unit_costs",), {"order": unit})
    [problem] = refused(document).problems
    assert problem.key == "unit_costs.order.match.category"
    assert "'shop'" in problem.text
    parsed(with_value(document, ("cost_attribution",), {"shop": ["run"]}))


def test_cloud_run_without_projects_to_read_is_named_unless_it_is_switched_off() -> None:
    without = with_value(FROM_FILES, ("gcp", "live_usage"), {"by_revision": False})
    assert parsed(without).keys_without_effect == ("gcp.live_usage (without gcp.project_ids)",)
    assert parsed(with_value(without, ("gcp", "project_ids"), ["project-1"])).keys_without_effect == ()
    assert parsed(with_value(without, ("gcp", "live_usage"), {"enabled": False})).keys_without_effect == ()


def test_a_configuration_cannot_be_changed() -> None:
    config = parsed(FROM_FILES)
    with pytest.raises(ValidationError, match="frozen"):
        config.max_series = 7  # type: ignore[misc]


# What is refused.

BIGQUERY = ("gcp", "billing_export", "bigquery")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((("listen",), value) for value in (
            9877, ":9877", "localhost", "localhost:", "localhost:65536", "::1:9877", "[::1]", "[::g]:1",
            "256.1.1.1:80", "http://x:1", "a b:1", "127.0.0.1:9877\n", "-x:1", "localhost:٣", None,
        )),
        *((("ledger",), value) for value in ("", " ", "a\nb", "a\0b", "\ud800", 7, None, True, ["x"])),
        *((("ledger_keep_days",), value) for value in (61, 3661, 400.5, "400", True, None, 10**40)),
        *((("max_series",), value) for value in (99, 10_000_001, 1e5, "50000", False)),
        *((("web_config_file",), value) for value in ("", {"tls": 1}, 3)),
        *((("gcp",), value) for value in ("yes", 3, [], True)),
        *((("gcp", "enabled"), value) for value in ("true", 1, None, "on")),
        *((("gcp", "billing_account_id"), value) for value in (
            "01ab23-4C5D67-89EF01", "01AB23_4C5D67_89EF01", "01AB23-4C5D67-89EF0", "01AB23-4C5D67-89EF01\n",
            7, "billingAccounts/01AB23-4C5D67-89EF01", "01AB23-4C5D67-89EF01-",
        )),
        *((("gcp", "project_ids"), value) for value in ("project-1", {"project-1": 1}, 7)),
        *((("gcp", "credentials_path"), value) for value in ("", '{"private_key": "x"}', 7)),
        *((("gcp", "impersonate_service_account"), value) for value in ("me@example.com", "x", 7)),
        *((("gcp", "update_interval_minutes"), value) for value in (
            0, -1, 1440.5, "15", True, float("nan"), float("inf"), None,
        )),
        *((("gcp", "cost_attribution"), value) for value in (["a"], "a", 7)),
        *((("gcp", "budget_alerts", "daily_limit_usd"), value) for value in (
            0, -1.0, float("inf"), "100", True,
        )),
        *((("gcp", "budget_alerts", "hourly_spike_threshold"), value) for value in (0, float("nan"))),
        *((("gcp", "live_usage"), value) for value in ("on", 1, [], None)),
        *((("gcp", "live_usage", "enabled"), value) for value in ("true", 1, None)),
        *((("gcp", "live_usage", "by_revision"), value) for value in ("no", 0)),
        *((("gcp", "live_usage", "update_interval_minutes"), value) for value in (
            0, 0.5, 61, "2", True, float("nan"), None,
        )),
        *((("gcp", "live_usage", "rate_card", "request_usd"), value) for value in (
            -1e-9, float("inf"), float("nan"), "0.1", True, None,
        )),
        *((("gcp", "billing_export"), value) for value in ({}, {"files": None}, "x", [])),
        *(((*BIGQUERY, "table"), value) for value in (
            "table", "dataset.table", "project-1.data-set.table", "`project-1.d.t`",
            "project-1.d.t`; SELECT 1", "project-1:d.t", "project-1.d.t\n", 7,
        )),
        *(((*BIGQUERY, "max_bytes_billed"), value) for value in (
            "10G", "10", "GiB", "-1GiB", "10 MB", 10_485_759, 1.5e9, True, "1e3GB", "99999999TiB", 2**63, "",
        )),
        *(((*BIGQUERY, "lookback_days"), value) for value in (0, 367, 1.5, "10")),
        *((("gcp", "billing_export", "files"), value) for value in ([], 7)),
        *((("llm", "openai"), value) for value in (
            {}, {"admin_key_file": "a", "admin_key_env": "A"}, "x",
        )),
        *((("llm", "openai", "admin_key_env"), value) for value in ("A B", "$KEY", "", 7)),
        *((("llm", "anthropic", "history_days"), value) for value in (0, 401, "90")),
        *((("llm", "litellm", "url"), value) for value in (
            "litellm:4000", "ftp://x", "http://", "http://user:hunter2@x", "http://x?a=b", "http://x:y", 7,
        )),
        *((("llm", "usage_logs"), value) for value in ([], "llm/*.jsonl", 7)),
        *((("llm", "gcp_service_ids"), value) for value in ("C7E2-9256-1C43", 7)),
        *((("focus", "files"), value) for value in ([], "focus/*.csv")),
        *((("focus", "cost"), value) for value in ("list", 7)),
        *((("focus", "usd_per"), value) for value in (["EUR"], 1.08)),
    ],
)  # fmt: skip
def test_an_impossible_value_is_refused_under_its_key(path: tuple[str, ...], value: object) -> None:
    [problem] = refused(with_value(document_for(path), path, value)).problems
    assert problem.key == key_text(path)
    assert "for example" in problem.text or "its contents" in problem.text


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("gcp", "project_ids"), ["project-1", "Project 2"], "gcp.project_ids[1]"),
        (("gcp", "project_ids"), [7], "gcp.project_ids[0]"),
        (("gcp", "cost_attribution"), {"ml": ["a", ""]}, "gcp.cost_attribution.ml[1]"),
        (("gcp", "cost_attribution"), {"a b": 3}, "gcp.cost_attribution['a b']"),
        (("gcp", "billing_export", "files"), ["a", "ftp://b/*.csv"], "gcp.billing_export.files[1]"),
    ],
)
def test_a_bad_item_is_named_by_its_place(path: tuple[str, ...], value: object, key: str) -> None:
    [problem] = refused(with_value(document_for(path), path, value)).problems
    assert problem.key == key
    assert "for example" in problem.text


@pytest.mark.parametrize(
    ("document", "keys"),
    [
        ({"gcp": {}}, ["gcp.billing_account_id", "gcp.project_ids"]),
        ({"gcp": {"billing_account_id": "01AB23-4C5D67-89EF01"}}, ["gcp.project_ids"]),
        ({"gcp": {"billing_account_id": "01AB23-4C5D67-89EF01", "project_ids": []}}, ["gcp.project_ids"]),
        ({"gcp": {"project_ids": ["project-1"]}}, ["gcp.billing_account_id"]),
        ({"gcp": {"billing_export": {"bigquery": {"table": TABLE}, "files": ["x"]}}}, ["gcp.billing_export"]),
        ({"gcp": {"billing_export": {"bigquery": {}}}}, ["gcp.billing_export.bigquery.table"]),
    ],
)
def test_an_impossible_combination_is_refused(document: dict[str, Any], keys: list[str]) -> None:
    assert [problem.key for problem in refused(document).problems] == keys


KEY = {"admin_key_file": "a.key"}
OTHER_TABLE = "pay-1.b.gcp_billing_export_v1_0C_0D"


@pytest.mark.parametrize(
    ("path", "entries", "key", "text"),
    [
        ((*BIGQUERY,), [], "gcp.billing_export.bigquery", "an empty list"),
        (
            (*BIGQUERY,),
            [{"name": "a", "table": TABLE}, {"name": "a", "table": OTHER_TABLE}],
            "gcp.billing_export.bigquery[1].name",
            r"'a' is the name of gcp\.billing_export\.bigquery\[0\] as well",
        ),
        (
            (*BIGQUERY,),
            [{"name": "pay\nroll", "table": TABLE}],
            "gcp.billing_export.bigquery[0].name",
            "letters, digits, dots",
        ),
        (("llm", "openai"), [], "llm.openai", "an empty list"),
        (
            ("llm", "openai"),
            [KEY | {"name": "a"}, {"admin_key_env": "B"}],
            "llm.openai[1].name",
            "is missing",
        ),
        (
            ("llm", "anthropic"),
            [KEY | {"name": "a"}, KEY | {"name": "b"}],
            "llm.anthropic[1].admin_key_file",
            r"that of llm\.anthropic\[0\] as well",
        ),
        (
            ("llm", "litellm"),
            [{"name": "a", "url": "http://one:1"}, {"name": "b", "url": "http://one:1/"}],
            "llm.litellm[1].url",
            r"that of llm\.litellm\[0\] as well",
        ),
        (
            ("gcp", "organizations"),
            [{"name": "a", "project_ids": ["p-1"]}, {"name": "b", "project_ids": ["p-1"]}],
            "gcp.organizations[1].project_ids[0]",
            r"p-1 is in gcp\.organizations\[0\]\.project_ids as well",
        ),
    ],
)
def test_entries_that_would_count_twice_or_have_no_name_of_their_own_are_refused(
    path: tuple[str, ...], entries: list[object], key: str, text: str
) -> None:
    problems = {each.key: each.text for each in refused(with_value(FROM_BIGQUERY, path, entries)).problems}
    assert list(problems) == [key]
    assert re.search(text, problems[key])


@pytest.mark.parametrize(
    "path",
    [
        ("history", "blocks"),
        ("gcp", "live_usage", "jobs"), ("gcp", "recommender"), (*BIGQUERY, "location"),
    ],
)  # fmt: skip
def test_a_key_of_another_version_is_refused(path: tuple[str, ...]) -> None:
    [problem] = refused(with_value(FROM_BIGQUERY, path, {"enabled": True})).problems
    assert problem.key == key_text(path)
    assert "there is no such key in this version" in problem.text


@pytest.mark.parametrize(
    ("focus", "key", "text"),
    [
        ({}, "focus", "needs one of files and bigquery"),
        ({"bigquery": {"providers": ["aws"]}}, "focus.bigquery", "needs exactly one of table and sql"),
        ({"bigquery": {"sql": "SELECT 1"}}, "focus.bigquery.name", "a query has no name of its own"),
        (
            {"bigquery": {"table": "p-1.b.t"}, "files": ["a.csv"]},
            "focus.bigquery.providers",
            "focus.files may have the same bills",
        ),
        (
            {"bigquery": [{"table": "p-1.b.t", "providers": ["aws"]}, {"table": "p-1.b.u"}]},
            "focus.bigquery[1].providers",
            "the other tables may have the same bills",
        ),
        (
            {"bigquery": [{"table": f"p-1.b.{name}", "providers": ["aws"]} for name in "tu"]},
            "focus.bigquery[1].providers",
            "focus.bigquery[0] bills aws as well",
        ),
        (
            {"bigquery": [{"table": f"p-1.{name}.t", "providers": [name]} for name in ("aws", "oci")]},
            "focus.bigquery[1].name",
            "'t' is the name of focus.bigquery[0] as well",
        ),
        (
            {"bigquery": {"table": "p-1.b.t", "providers": ["Amazon Web Services, Inc."]}},
            "focus.bigquery.providers[0]",
            "is written aws",
        ),
    ],
)
def test_no_dollar_of_a_focus_table_can_count_twice(focus: Any, key: str, text: str) -> None:
    (problem,) = refused({"focus": focus}).problems
    assert problem.key == key
    assert text in problem.text


# The docs.


def documented() -> dict[str, tuple[str, str]]:
    """Value and default of each key, by key, as the docs have them."""
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \| (.+?) \| (.+?) \| (.+) \|$", text, re.MULTILINE)
    assert len({row[0] for row in rows}) == len(rows)
    return {key: (value, default) for key, value, default, _ in rows}


def test_every_key_is_in_the_docs_and_no_other() -> None:
    assert sorted(documented()) == sorted(key_text(path) for path in KEYS)


@pytest.mark.parametrize("path", KEYS, ids=key_text)
def test_the_docs_say_what_a_key_takes_and_its_default(path: tuple[str, ...]) -> None:
    value, default = documented()[key_text(path)]
    field = KEYS[path]
    assert value == field.description
    if default == "required":
        assert field.is_required()
    elif default == "none":
        assert field.default is None
    else:
        written = with_value(document_for(path), path, yaml.safe_load(default.strip("`")))
        if path == ("gcp", "project_ids"):
            written = with_value(written, ("gcp", "billing_export"), {"files": ["x"]})
        assert value_at(parsed(written), path) == field.default


def test_the_snippets_of_the_docs_are_valid() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    snippets = re.findall(r"(?:^    (?!#).*\n)+", text, re.MULTILINE)
    assert len(snippets) == 2
    for snippet in snippets:
        assert parse(snippet, BASE).gcp is not None
