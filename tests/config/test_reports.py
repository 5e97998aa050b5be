"""The section `reports`: which combinations are refused, and that no secret can be put into the file."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config.model import Config, parse
from exporter.config.problems import ConfigError
from tests.support.config_documents import BY_NAME

BASE = Path("/etc/spend-exporter")
MAIL = {"host": "smtp.example.com", "sender": "spend@example.com", "to": ["ann@example.com"]}
USER = {"username": "spend", "password_file": "mail.password"}
WEBHOOK = {"webhook": {"url": "https://hooks.example.com/spend"}}


def parsed(reports: Any) -> Config:
    return parse(yaml.safe_dump({**BY_NAME, "reports": reports}), BASE)


def refused(reports: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(reports)
    return str(caught.value)


def test_a_report_has_sensible_values_where_none_are_given() -> None:
    [report] = parsed({"name": "monthly", "mail": MAIL | USER | {"to": "ann@example.com"}}).reports
    assert (report.period, report.wait_days, report.at, report.timezone) == ("month", None, time(8), "UTC")
    assert report.mail is not None
    assert report.mail.to == ("ann@example.com",)
    assert (report.mail.encryption, report.mail.port) == ("starttls", None)
    assert report.mail.password_file == BASE / "mail.password"


@pytest.mark.parametrize("text", ["at: 08:30", "at: '08:30'", 'at: "08:30"'])
def test_a_time_of_day_may_be_written_with_or_without_quotes(text: str) -> None:
    reports = f"reports: [{{name: a, webhook: {{url: 'https://x.example'}}, {text}}}]"
    document = f"gcp: {{billing_export: {{files: [x.csv]}}}}\n{reports}\n"
    assert parse(document, BASE).reports[0].at == time(8, 30)


@pytest.mark.parametrize(
    ("report", "text"),
    [
        ({}, "is sent nowhere; add mail, slack or webhook"),
        ({"mail": MAIL | {"username": "spend"}}, "has a username but no password; set password_file"),
        ({"mail": MAIL | {"password_env": "PASSWORD"}}, "has password_env but no username"),
        ({"mail": MAIL | USER | {"password_env": "X"}}, "has both password_file and password_env; keep one"),
        ({"mail": MAIL | USER | {"encryption": "none"}}, "would send the password unencrypted"),
        ({"mail": MAIL | {"to": "ann"}}, "expected one or more mail addresses"),
        ({"mail": MAIL | {"sender": "a@x.example\nBcc: b@x.example"}}, "expected a mail address"),
        ({"slack": {}}, "needs either url_file or url_env"),
        ({"slack": {"url_file": "a", "url_env": "B"}}, "needs either url_file or url_env"),
        (WEBHOOK | {"at": "25:00"}, "expected a time of day, HH:MM"),
        (WEBHOOK | {"timezone": "Mars/Olympus"}, "expected a time zone by its IANA name"),
        (WEBHOOK | {"wait_days": 0}, "expected a whole number of days, 1 to 27"),
        (WEBHOOK | {"name": "a b"}, "expected a name of 1 to 64 letters"),
    ],
)
def test_what_cannot_be_sent_is_refused(report: dict[str, Any], text: str) -> None:
    assert text in refused([{"name": "monthly"} | report])


def test_two_reports_cannot_have_one_name() -> None:
    assert "each with its own name" in refused([{"name": "a"} | WEBHOOK, {"name": "a"} | WEBHOOK])
    assert len(parsed([{"name": "a"} | WEBHOOK, {"name": "b"} | WEBHOOK]).reports) == 2


@pytest.mark.parametrize(
    "report",
    [
        {"mail": MAIL | {"username": "spend", "password": "s3cr3t"}},
        {"slack": {"url": "https://hooks.slack.com/services/s3cr3t"}},
        {"webhook": {"url": "https://ann:s3cr3t@hooks.example.com"}},
        {"webhook": {"url": "https://x.example", "bearer_token": "s3cr3t"}},
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(report: dict[str, Any]) -> None:
    assert "s3cr3t" not in refused([{"name": "monthly"} | report])
