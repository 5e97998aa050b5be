"""An address may give access by its path; neither objects nor errors show more of it than its host."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.core.backoff import Backoff
from exporter.history.remote_write import NotDelivered, Receiver, Sample
from exporter.history.store import Store
from exporter.reports.delivery.destination import DeliveryError
from exporter.reports.delivery.web import WebHook
from exporter.sources.base import RefreshTally
from exporter.sources.http.json_api import ApiError, JsonApi
from exporter.sources.prometheus_units import UnitCounts, UnitQuery
from tests.fakes.web_api import Reply, WebApi
from tests.support.question_world import many_charges
from tests.support.report_world import made

SECRET = "T0S3CR3T"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
REFUSAL = {"error": {"message": f"\x1b[31mno: http://user:{SECRET}@host/?token={SECRET}"}}


@pytest.mark.slow
@pytest.mark.parametrize("status", [302, 401, 500])
def test_neither_objects_nor_errors_show_a_path_that_gives_access(status: int, tmp_path: Path) -> None:
    moved = {"Location": f"http://user:{SECRET}@elsewhere/{SECRET}"}
    with WebApi(lambda _: Reply(status, REFUSAL, moved)) as server:
        address = f"{server.address}/services/{SECRET}"
        api = JsonApi(
            address,
            dict,
            name="Example",
            config_key="llm.example.key_file",
            tally=RefreshTally(),
            backoff=Backoff(call_seconds=0),
        )
        receiver = Receiver(address)
        store, hook = Store(address, receiver), WebHook(address)
        units = UnitCounts([UnitQuery("order", "orders", address)])
        told = [repr(each) for each in (api, receiver, store, hook, units)]
        told += [repr(units.read(NOW))]
        with api, pytest.raises(ApiError) as unread:
            api.get("/v1/things")
        with receiver.session() as session, pytest.raises(NotDelivered) as unsent:
            receiver.write(session, [Sample((("__name__", "cost"),), 1, 1.0)])
        with pytest.raises(NotDelivered) as unasked:
            store._ask(query="cost")
        with pytest.raises(DeliveryError) as undelivered:
            hook.send("monthly", made(tmp_path, many_charges(1), month="2026-10"))
    for raised in (unread, unsent, unasked, undelivered):
        told += traceback.format_exception(raised.value)
    text = "".join(told)
    assert SECRET not in text
    assert "\x1b" not in text
    assert server.address.removeprefix("http://") in text
