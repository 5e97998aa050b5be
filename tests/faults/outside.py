"""Faults of what the exporter sends to and asks beside its sources: remote write, mail, Prometheus."""

from __future__ import annotations

import json

from tests.fakes.web_api import Reply, WebApi
from tests.faults.fault import Fault, logged
from tests.faults.world import World
from tests.support.ports import free_port


def _no_receiver(world: World) -> None:
    url = f"http://127.0.0.1:{free_port()}/api/v1/write"
    world.change_config(history={"remote_write": {"url": url}})


def _no_mail_server(world: World) -> None:
    memory = {"period": "2020-01-01", "at": "2020-01-02T00:00:00+00:00", "outcome": "sent"}
    (world.ledger.parent / f"{world.ledger.name}.reports.json").write_text(json.dumps({"daily/mail": memory}))
    mail = {"host": "127.0.0.1", "port": free_port(), "encryption": "none"}
    mail |= {"sender": "spend@example.com", "to": "ann@example.com"}
    world.change_config(reports=[{"name": "daily", "period": "day", "at": "00:00", "mail": mail}])


def _receiver_that_refuses(world: World) -> None:
    api = world.starting.enter_context(WebApi(lambda _asked: Reply(400, b"out of bounds")))
    world.change_config(history={"remote_write": {"url": f"{api.address}/api/v1/write"}})


def _no_prometheus(world: World) -> None:
    unit = {"match": {"providers": ["gcp"]}, "promql": "sum(increase(orders_total[1d]))"}
    unit |= {"prometheus": f"http://127.0.0.1:{free_port()}"}
    world.change_config(unit_costs={"order": unit})


ROWS: tuple[Fault, ...] = (
    Fault(
        "the receiver of remote write is down",
        _no_receiver,
        lambda world: (world.value("spend_remote_write_pending_samples") or 0) > 0,
        "`spend_remote_write_pending_samples`; the log names the address",
        "all bills; what is to be sent is kept",
        "by itself, when it is back",
        World.restore_config,
        alert="SpendHistoryIncomplete",
    ),
    Fault(
        "the receiver of remote write refuses everything (400)",
        _receiver_that_refuses,
        lambda world: (world.value("spend_remote_write_refused_samples") or 0) > 0,
        "`spend_remote_write_refused_samples`; the log has the receiver's reason",
        "all bills; what was refused is kept and tried again",
        "by itself, or with a receiver that takes it",
        World.restore_config,
        alert="SpendHistoryIncomplete",
    ),
    Fault(
        "the mail server of a report is down",
        _no_mail_server,
        lambda world: world.value("spend_report_success", report="daily") == 0,
        "`spend_report_success` 0; the log names report and server",
        "all bills; the report is tried again",
        "by itself, when it is back",
        World.restore_config,
        alert="SpendReportNotSent",
    ),
    Fault(
        "the Prometheus that has the numbers of units is down",
        _no_prometheus,
        logged("order", "127.0.0.1"),
        "the log names unit and server; the unit has no cost",
        "all bills",
        "by itself, within a quarter of an hour",
        World.restore_config,
    ),
)
