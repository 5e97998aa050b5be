"""How problems of a configuration are reported: all at once, each with its place, and no secret in them."""

import json
import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.model import Config, load, parse
from exporter.config.problems import ConfigError, Problem, every_key, key_text
from tests.support.config_documents import (
    FROM_BIGQUERY,
    FROM_FILES,
    REQUIRED,
    TABLE,
    with_required,
    with_value,
)

BASE = Path("/etc/spend-exporter")
BIGQUERY = ("gcp", "billing_export", "bigquery")
KEYS = dict(every_key(Config))


def parsed(document: dict[str, Any]) -> Config:
    return parse(json.dumps(document), BASE)


def refused(document: dict[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parsed(document)
    return caught.value


def test_a_line_names_key_place_fault_value_and_a_good_value() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(
            f"gcp:\n  billing_export:\n    bigquery:\n      table: {TABLE}\n      max_bytes_billed: 10G\n",
            BASE,
        )
    assert str(caught.value).splitlines() == [
        "configuration: 1 problem",
        "  gcp.billing_export.bigquery.max_bytes_billed (line 5): expected bytes, or a size with KB, MB, GB, "
        "TB, KiB, MiB, GiB or TiB, of at least 10MiB, got '10G'; for example max_bytes_billed: 10GiB",
    ]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (("lisen",), "listen"),
        (("gcp", "billingAccountId"), "billing_account_id"),
        (("gcp", "project-ids"), "project_ids"),
        (("max_bytes_billed",), "gcp.billing_export.bigquery.max_bytes_billed"),
        (("gcp", "tabel"), "gcp.billing_export.bigquery.table"),
    ],
)
def test_a_mistyped_or_misplaced_key_names_the_one_that_was_meant(path: tuple[str, ...], meant: str) -> None:
    [problem] = refused(with_value(FROM_FILES, path, 1)).problems
    assert f"did you mean {meant}," in problem.text


def test_faults_of_the_text_are_reported_with_faults_of_the_values() -> None:
    text = "max_series: 1\nmax_series: 2\nledger: !here x\ngcp: {billing_export: {files: []}}\n"
    with pytest.raises(ConfigError) as caught:
        parse(text, BASE)
    assert [(problem.key, problem.line) for problem in caught.value.problems] == [
        ("max_series", 2),
        ("max_series", 2),
        ("ledger", 3),
        ("gcp.billing_export.files", 4),
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    not_text = tmp_path / "spend.yml"
    not_text.write_bytes(b"listen: \xff")
    cases = [(tmp_path / "none.yml", "No such file"), (tmp_path, "Is a directory"), (not_text, "UTF-8")]
    for path, reason in cases:
        with pytest.raises(ConfigError, match=reason) as caught:
            load(path)
        assert str(path) in str(caught.value)


def test_a_syntax_error_names_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "spend.yml"
    path.write_text("gcp:\n  enabled: [\n")
    with pytest.raises(ConfigError, match="is not YAML: line 3, column 1") as caught:
        load(path)
    assert str(path) in str(caught.value)


# Every mistake at once.

MISTAKES: list[tuple[tuple[str | int, ...], object, str]] = [
    (("listen",), "nowhere", "listen"),
    (("ledger_keep_days",), 3, "ledger_keep_days"),
    (("max_series",), "many", "max_series"),
    (("llm",), {"openai": {}}, "llm.openai"),
    (("gcp", "enabled"), "perhaps", "gcp.enabled"),
    (("gcp", "project_ids", 1), 7, "gcp.project_ids[1]"),
    (("gcp", "update_interval_minutes"), 0, "gcp.update_interval_minutes"),
    (("gcp", "credential_path"), "x", "gcp.credential_path"),
    (("gcp", "cost_attribution"), {"ml": "words"}, "gcp.cost_attribution.ml"),
    (("gcp", "budget_alerts", "daily_limit_usd"), -1, "gcp.budget_alerts.daily_limit_usd"),
    (("gcp", "billing_export", "files"), ["exports/*.csv"], "gcp.billing_export"),
    (("gcp", "billing_export", "kind"), "bigquery", "gcp.billing_export.kind"),
    ((*BIGQUERY, "table"), "nothing", "gcp.billing_export.bigquery.table"),
    ((*BIGQUERY, "max_bytes_billed"), "10G", "gcp.billing_export.bigquery.max_bytes_billed"),
]
WHOLE = with_value(
    with_value(FROM_BIGQUERY, ("gcp", "project_ids"), ["project-1", "project-2"]), ("max_series",), 100
)


@given(chosen=st.sets(st.sampled_from(range(len(MISTAKES)))))
def test_any_set_of_mistakes_is_reported_in_full(chosen: set[int]) -> None:
    document = WHOLE
    for index in chosen:
        path, value, _ = MISTAKES[index]
        document = with_value(document, path, value)
    expected = sorted(MISTAKES[index][2] for index in chosen)
    if not chosen:
        assert parsed(document).max_series == 100
        return
    error = refused(document)
    assert sorted(problem.key for problem in error.problems) == expected
    assert len(str(error).splitlines()) == 1 + len(expected)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=40)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | WORDS
    | st.lists(WORDS, max_size=2)
    | st.dictionaries(WORDS, WORDS)
)
SECTIONS = sorted(
    {path[:-1] for path in KEYS} | {(), ("gcp", "budget_alerts"), BIGQUERY},
    key=len,
)


@pytest.mark.slow
@given(section=st.sampled_from(SECTIONS), key=WORDS, value=VALUES)
def test_an_unknown_key_anywhere_is_refused_with_its_path(
    section: tuple[str, ...], key: str, value: object
) -> None:
    path = (*section, key)
    if path in KEYS:
        return
    base = with_value(FROM_BIGQUERY, ("gcp", "budget_alerts", "daily_limit_usd"), 1)
    for required, values in REQUIRED.items():
        base = with_value(base, required, values)
    error = refused(with_value(base, path, value))
    [problem] = error.problems
    assert problem.key == key_text(path)
    assert problem.key.startswith(".".join(section))
    assert len(str(error).splitlines()) == 2


ANY_VALUES = st.recursive(
    VALUES | st.floats() | st.sampled_from(["10GiB", "~nobody/x", "[::1]:2", TABLE]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            WORDS | st.sampled_from(["table", "files", "bigquery", "enabled"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(path=st.sampled_from(list(KEYS)), value=ANY_VALUES)
def test_any_value_of_any_key_is_accepted_or_reported_at_that_key(
    path: tuple[str, ...], value: object
) -> None:
    base = {} if path[-1] == "files" else FROM_BIGQUERY
    base = with_required(base, path)
    reported: tuple[Problem, ...] = ()
    try:
        config = parsed(with_value(base, path, value))
    except ConfigError as error:
        reported = error.problems
    else:
        assert config.host
        assert config.port >= 0
    for problem in reported:
        section = path[:-1] if value is None else path
        assert problem.key.startswith(key_text(section)) or key_text(path).startswith(problem.key)


@pytest.mark.slow
@pytest.mark.parametrize("value", [None, "", "x", 0, -1, 1.5, True, [], [None], [[]], {}, {"": ""}], ids=repr)
def test_a_plain_value_of_each_key_is_accepted_or_reported(value: object) -> None:
    reported = []
    for path in KEYS:
        base = with_required({} if path[-1] == "files" else FROM_BIGQUERY, path)
        try:
            parsed(with_value(base, path, value))
        except ConfigError as error:
            reported.append(error)
    assert reported
    assert all(error.problems for error in reported)


SNIPPETS = st.sampled_from(
    [
        "gcp:", "\n", "\n  ", " ", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "!x ", "!!int ", "<<: ", "? ",
        "'", '"', "#", "|", ">", "---", "billing_export", "files", "0x_", "~", "\t", "%YAML 1.1", "1:30",
        "2024-13-45", ".nan", "enabled", "listen", ",", "\ud800", "\\ud800", "\x85", "\ufeff",
    ]
)  # fmt: skip


@given(text=st.lists(SNIPPETS | st.text(max_size=5), max_size=30).map("".join))
def test_any_text_is_a_configuration_or_a_reported_error(text: str) -> None:
    try:
        problems: tuple[Problem, ...] = ()
        message = ""
        parse(text, BASE)
    except ConfigError as error:
        problems, message = error.problems, str(error)
    assert bool(problems) == bool(message)
    assert len(message.splitlines()) == (1 + len(problems) if problems else 0)


# Secrets.


@pytest.mark.parametrize(
    "path",
    [
        ("api_key",), ("PASSWORD",), ("gcp", "adminToken"), ("gcp", "client_secret"), ("gcp", "tokens"),
        ("gcp", "cost_attribution", "key"), ("gcp", "budget_alerts", "x_password"), (*BIGQUERY, "secret"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["hunter2", ["hunter2", ""], {"hunter2": "hunter2"}])
def test_no_secret_is_repeated(path: tuple[str, ...], value: object) -> None:
    error = refused(with_value(FROM_BIGQUERY, path, value))
    assert error.problems[0].key.startswith(key_text(path))
    assert "hunter2" not in "".join(traceback.format_exception(error)) + repr(error)


def test_a_key_pasted_in_place_of_its_path_is_not_repeated() -> None:
    contents = json.dumps({"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\nhunter2"})
    error = refused(with_value(FROM_FILES, ("gcp", "credentials_path"), contents))
    assert "hunter2" not in "".join(traceback.format_exception(error))
    assert "got what looks like its contents" in str(error)


def test_no_key_holds_a_secret_itself() -> None:
    secret = re.compile(r"(key|token|password|secret)s?$")
    assert [key_text(path) for path in KEYS if secret.search(str(path[-1]))] == []
