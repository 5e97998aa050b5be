"""The client asks a real server: what it asks, when it asks again, and what its errors say."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import bcrypt
import pandas
import pyarrow
import pytest

from exporter.client import AccessError, BusyError, QuestionError, SpendClient, SpendError, UnreachableError
from exporter.metrics.summary import summary
from exporter.web.server import Server
from exporter.web.web_config import WebConfig, load_web_config
from tests.client.answering import Prepared, answering
from tests.support.certificates import Authority
from tests.support.question_world import NOW, VALUES, asked_ledger, many_charges
from tests.support.served import snapshot

BUSY = Prepared(429, b'{"error": "16 questions are asked already", "parameter": null}', {"Retry-After": "0"})
SPAN = {"from_": date(2026, 10, 28), "to": "2026-11-16"}


@contextmanager
def serving_ledger(folder: Path, web_config: WebConfig | None = None) -> Iterator[Server]:
    with (
        asked_ledger(folder, many_charges(7)) as questions,
        Server(("127.0.0.1", 0), snapshot, web_config, now=lambda: NOW, questions=questions) as server,
    ):
        yield server


def a_summary() -> bytes:
    return json.dumps(summary(snapshot(), NOW)).encode()


def quick(url: str, **more: object) -> SpendClient:
    return SpendClient(url, backoff_seconds=0.0, **more)  # type: ignore[arg-type]


@pytest.mark.slow
def test_costs_are_the_charges_of_the_ledger(tmp_path: Path) -> None:
    with serving_ledger(tmp_path) as server, SpendClient(server.url) as client:
        answer = client.costs(**SPAN, step="total", by=["project", "service"], top=1000)  # type: ignore[arg-type]
    charges = many_charges(7)
    expected: dict[tuple[str, str], Decimal] = {}
    for each in charges:
        key = (VALUES["project"](each), VALUES["service"](each))
        expected[key] = expected.get(key, Decimal(0)) + each.billed_cost_usd
    got = {(row.keys["project"], row.keys["service"]): row.value for row in answer.rows()}
    assert got == expected
    assert answer.total is not None
    assert Decimal(answer.total) == sum(expected.values())


@pytest.mark.slow
def test_rows_with_the_others_add_up_and_are_the_same_in_pandas_and_arrow(tmp_path: Path) -> None:
    with serving_ledger(tmp_path) as server, SpendClient(server.url) as client:
        answer = client.costs(**SPAN, by="sku", top=2)  # type: ignore[arg-type]
    rows = answer.rows()
    assert {row.keys["sku"] for row in rows} >= {"other"}
    assert sum(row.value for row in rows if row.value is not None) == Decimal(answer.total or "nan")
    table = answer.to_arrow()
    assert table.schema.field("value").type == pyarrow.decimal128(38, 18)
    assert table.column("value").to_pylist() == [row.value for row in rows]
    assert table.column_names == ["start", "end", "sku", "settled", "value"]
    frame = answer.to_pandas()
    assert list(frame["sku"]) == [row.keys["sku"] for row in rows]
    assert frame["start"].min() == pandas.Timestamp("2026-10-28")
    assert float(frame["value"].sum()) == pytest.approx(float(answer.total or "nan"))


@pytest.mark.slow
def test_conditions_and_times_can_be_python_values(tmp_path: Path) -> None:
    with serving_ledger(tmp_path) as server, SpendClient(server.url) as client:
        answer = client.costs(
            from_=datetime(2026, 11, 1, tzinfo=UTC),
            to=date(2026, 11, 8),
            step="hour",
            where={"project": ["shop-*", 'odd "name"'], 'label.te"am, x': "?*"},
        )
        why = client.explain(day="2026-11-03", where={"provider": "gcp"})
    assert answer.where == {"project": ["shop-*", 'odd "name"'], 'label.te"am, x': ["?*"]}
    assert why.sentence
    assert why.from_ == "2026-11-03"


def test_a_time_without_a_zone_is_refused_before_it_is_asked() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        SpendClient("http://127.0.0.1:9").costs(from_=datetime(2026, 11, 1))


@pytest.mark.slow
def test_a_wrong_question_names_its_parameter(tmp_path: Path) -> None:
    with serving_ledger(tmp_path) as server, SpendClient(server.url) as client:
        with pytest.raises(QuestionError, match="did you mean service") as refused:
            client.costs(by="servcie")
        assert refused.value.parameter == "by"


def test_a_busy_exporter_is_asked_again_when_it_says() -> None:
    with answering(BUSY, Prepared(503, headers={"Retry-After": "0"}), Prepared(200, a_summary())) as server:
        assert quick(server.url).summary().currency == "USD"
    assert len(server.asked) == 3


def test_a_lost_connection_is_made_again() -> None:
    with answering(Prepared(0, hangs_up=True), Prepared(200, a_summary())) as server:
        assert quick(server.url).summary().currency == "USD"
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 503])
def test_other_answers_are_final(status: int) -> None:
    with answering(Prepared(status, b"no")) as server, pytest.raises(SpendError, match=server.url):
        quick(server.url).summary()
    assert len(server.asked) == 1


def test_a_busy_exporter_is_not_asked_for_ever() -> None:
    with answering(BUSY) as server, pytest.raises(BusyError, match="16 questions are asked already"):
        quick(server.url).summary()
    assert 2 < len(server.asked) < 20


def test_without_retries_each_question_is_asked_once() -> None:
    with answering(BUSY) as server, pytest.raises(BusyError):
        quick(server.url, retries=0).summary()
    assert len(server.asked) == 1


def test_an_answer_of_another_version_is_named() -> None:
    with (
        answering(Prepared(200, b'{"time": 1}')) as server,
        pytest.raises(SpendError, match="use the same version"),
    ):
        quick(server.url).summary()


@pytest.mark.slow
def test_members_of_a_later_version_are_left_out(tmp_path: Path) -> None:
    with serving_ledger(tmp_path) as server, SpendClient(server.url) as client:
        known = client.costs(**SPAN, by="sku")  # type: ignore[arg-type]
    more = json.loads(known.model_dump_json(by_alias=True))
    more["groups"][0]["new"] = more["new"] = 1
    with answering(Prepared(200, json.dumps(more).encode())) as later:
        assert quick(later.url).costs() == known


def test_nobody_there_is_named_without_a_trace_of_the_password() -> None:
    client = quick("http://127.0.0.1:9", user="ann", password="hunter22")
    with pytest.raises(UnreachableError, match=r"no exporter answers at http://127\.0\.0\.1:9:") as failed:
        client.summary()
    assert "hunter22" not in repr(failed.value) + repr(client) + repr(client.access) + str(vars(client))


def test_a_password_comes_from_an_argument_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("fröm file\n", encoding="utf-8")
    monkeypatch.setenv("SPEND_EXPORTER_PASSWORD", "from environment")
    with answering(Prepared(200, a_summary())) as server:
        quick(server.url, user="ann", password="given", password_file=file).summary()
        quick(server.url, user="ann", password_file=file).summary()
        quick(server.url, user="ann").summary()
        quick(server.url).summary()
    sent = [headers.get("Authorization", "").removeprefix("Basic ") for _, headers in server.asked]
    assert [base64.b64decode(each).decode() for each in sent] == [
        "ann:given",
        "ann:fröm file",
        "ann:from environment",
        "",
    ]


@pytest.mark.parametrize("url", ["127.0.0.1:9877", "ftp://a", "http://ann:hunter22@a", "http://a/?b"])
def test_a_wrong_address_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(QuestionError, match=r"^url: ") as refused:
        SpendClient(url)
    assert "hunter22" not in str(refused.value)


def secured(folder: Path) -> tuple[WebConfig, Path]:
    authority = Authority(folder)
    pair = authority.sign("localhost", ["localhost"])
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    path = folder / "web.yml"
    tls = {"cert_file": str(pair.cert), "key_file": str(pair.key)}
    path.write_text(json.dumps({"tls_server_config": tls, "basic_auth_users": {"ann": hashed}}))
    return load_web_config(path), authority.certificate


@pytest.mark.slow
def test_users_and_tls_are_those_of_the_web_configuration(tmp_path: Path) -> None:
    web_config, ca_file = secured(tmp_path)
    with serving_ledger(tmp_path, web_config) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with quick(url, user="ann", password="secret", ca_file=ca_file) as client:
            assert client.summary().currency == "USD"
        with (
            quick(url, user="ann", password="wrong", ca_file=ca_file) as client,
            pytest.raises(AccessError, match="needs a user and a password"),
        ):
            client.summary()
        with pytest.raises(UnreachableError, match="is not trusted"):
            quick(url, user="ann", password="secret").summary()
        with pytest.raises(UnreachableError, match="there is no such file"):
            quick(url, ca_file=tmp_path / "none.pem").summary()
