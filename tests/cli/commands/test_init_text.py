"""The configuration that `init` writes is valid, and says exactly what was answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.commands.init_text import Answers, configuration_text
from exporter.config.model import parse

names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=30
).filter(lambda text: text.strip() == text and "://" not in text and not text.startswith(("{", "~")))
files = names.map(Path)


@pytest.mark.slow
@given(
    st.builds(
        Answers,
        export_files=st.lists(names, min_size=1, max_size=3),
        focus_files=st.lists(names, max_size=2),
        usage_logs=st.lists(names, max_size=2),
        openai_key_file=st.none() | files,
        credentials=st.none() | files,
        monthly_budget_usd=st.none() | st.floats(0.01, 1e9),
    )
)
def test_any_names_are_read_back_as_they_were_given(answers: Answers) -> None:
    config = parse(configuration_text(answers), Path("/"))

    assert config.gcp is not None
    assert config.gcp.billing_export is not None
    assert config.gcp.billing_export.files == tuple(str(Path("/") / each) for each in answers.export_files)
    focus = config.focus.files if config.focus else ()
    assert focus == tuple(str(Path("/") / each) for each in answers.focus_files)
    key = config.llm.openai[0].admin_key_file if config.llm and config.llm.openai else None
    assert key == (Path("/") / answers.openai_key_file if answers.openai_key_file else None)
    budget = config.budgets[0].limit_usd if config.budgets else None
    assert budget == (None if answers.monthly_budget_usd is None else round(answers.monthly_budget_usd, 2))


def test_tables_of_several_accounts_are_a_list_and_every_key_has_its_reason() -> None:
    tables = [
        "pay.billing.gcp_billing_export_resource_v1_0A0A0A_0B0B0B_0C0C0C",
        "other.billing.gcp_billing_export_v1_1A1A1A_1B1B1B_1C1C1C",
    ]
    text = configuration_text(Answers(tables=tables, project_ids=["shop-prod"]))

    config = parse(text, Path("/"))

    assert config.gcp is not None
    assert config.gcp.billing_export is not None
    assert config.gcp.billing_export.bigquery is not None
    assert [each.table for each in config.gcp.billing_export.bigquery] == tables
    assert config.gcp.project_ids == ("shop-prod",)
    assert "roles/monitoring.viewer" in text


def test_without_an_answer_there_is_no_source() -> None:
    assert not Answers(project_ids=["shop-prod"], monthly_budget_usd=5.0).has_source
    assert Answers(usage_logs=["a.jsonl"]).has_source
