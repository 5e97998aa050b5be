"""Google's Recommender over a real socket: pages, currencies, and every way in which it may refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.core.errors import SourceError
from exporter.simulator.google.recommender_api import RecommenderApi
from exporter.simulator.json_server import serving_json
from exporter.sources.base import RefreshContext, RefreshTally, Unreadable
from exporter.sources.google.recommender.recommendations import RECOMMENDERS
from exporter.sources.google.recommender.source import RecommenderSource
from exporter.sources.recommendations import NOTHING_RECOMMENDED, Recommendation
from tests.fakes.bigquery_export import FakeExport
from tests.fakes.bigquery_rest import FakeBigQuery
from tests.fakes.web_api import Asked, Fault, Reply, WebApi

NOW = datetime(2026, 11, 20, 14, 25, tzinfo=UTC)
PROD, DEV, EU = "northwind-prod", "northwind-dev", "northwind-eu-prod"
IDLE_VM = "google.compute.instance.IdleResourceRecommender"
MONTH = "2592000s"
DISABLED = {
    "error": {
        "code": 403,
        "message": "Recommender API has not been used in project 1 before or it is disabled.",
        "status": "PERMISSION_DENIED",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}],
    }
}
DENIED = {"error": {"code": 403, "message": "Permission denied.", "status": "PERMISSION_DENIED"}}


def entry(name: str = "legacy-1", units: str = "-30", **changes: Any) -> dict[str, Any]:
    """One recommendation as the API tells it."""
    projection = {"cost": {"currencyCode": "USD", "units": units}, "duration": MONTH}
    resource = f"//compute.googleapis.com/projects/{PROD}/zones/us-east1-b/instances/{name}"
    made: dict[str, Any] = {
        "name": f"projects/1/locations/us-east1-b/recommenders/{IDLE_VM}/recommendations/{name}",
        "description": f"Save cost by stopping Idle VM '{name}'.",
        "primaryImpact": {"category": "COST", "costProjection": {**projection, **changes.pop("cost", {})}},
        "content": {"operationGroups": [{"operations": [{"action": "test", "resource": resource}]}]},
        "stateInfo": {"state": "ACTIVE"},
    }
    return {**made, **changes}


def telling(*entries: Any, zones: tuple[str, ...] = ("us-east1-b",)) -> Callable[[Asked], Reply]:
    """A project whose idle machines are these."""

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/locations"):
            return Reply(body={"locations": [{"locationId": zone} for zone in zones]})
        if f"/{zones[0]}/recommenders/{IDLE_VM}/" in asked.path:
            size, begin = int(asked.one("pageSize")), int(asked.one("pageToken", "0"))
            body: dict[str, Any] = {"recommendations": entries[begin : begin + size]}
            if begin + size < len(entries):
                body["nextPageToken"] = str(begin + size)
            return Reply(body=body)
        return Reply()

    return answer


def demo(asked: Asked) -> Reply:
    status, body = RecommenderApi().answer(asked.path, asked.query)
    return Reply(status, body)


class Rig:
    """A source, the server that it asks, and what its refreshes told."""

    def __init__(self, server: WebApi, spool: Path, *projects: str, **settings: Any) -> None:
        self.server = server
        self.slept: list[float] = []
        self.meter = RefreshTally()
        self._spool = spool
        self.source = RecommenderSource(
            projects or (PROD,),
            endpoint=server.address,
            **{"plaintext": True, "attempt_seconds": 2.0, **settings},
            sleep=self.slept.append,
            jitter=lambda: 0.5,
            monotonic=lambda: sum(self.slept),
        )

    def context(self, now: datetime = NOW) -> RefreshContext:
        return RefreshContext({}, now, now, now - timedelta(days=30), self._spool, self.meter)

    def refresh(self, now: datetime = NOW) -> list[Unreadable]:
        return list(self.source.refresh(self.context(now)))

    def refused(self) -> SourceError:
        with pytest.raises(SourceError) as raised:
            self.refresh()
        return raised.value

    @property
    def active(self) -> tuple[Recommendation, ...]:
        return self.source.findings.active


@pytest.fixture
def server() -> Iterator[WebApi]:
    with WebApi(demo) as running:
        yield running


def told(unread: list[Unreadable]) -> list[tuple[str, str]]:
    return [(each.partition, each.rejected.reason) for each in unread]


def test_all_that_the_demo_company_wastes_is_read(server: WebApi, tmp_path: Path) -> None:
    rig = Rig(server, tmp_path, PROD, DEV, EU)
    assert rig.refresh() == []
    found = {(each.project_id, each.resource): each for each in rig.active}
    assert set(found) == {
        (PROD, "legacy-search-1"),
        (DEV, "workstations"),
        (DEV, "forgotten-scratch"),
    }
    machine = found[PROD, "legacy-search-1"]
    assert (machine.location, machine.region_id, machine.collection) == (
        "us-east1-b",
        "us-east1",
        "instances",
    )
    # $24.30 and $12.20 a day.
    assert machine.usd_per_month == pytest.approx(Decimal("36.5") * Decimal("30.4375"))
    assert machine.remove
    assert not found[DEV, "workstations"].remove
    assert rig.source.findings.read_at == {PROD: NOW, DEV: NOW, EU: NOW}
    assert rig.meter.requests == len(server.requests) > 10


@pytest.mark.slow
def test_the_demo_serves_it_on_a_socket_of_its_own(tmp_path: Path) -> None:
    with serving_json(RecommenderApi()) as address:
        source = RecommenderSource([PROD], endpoint=address, plaintext=True)
        context = RefreshContext({}, NOW, NOW, NOW, tmp_path, RefreshTally())
        assert list(source.refresh(context)) == []
        assert [each.resource for each in source.findings.active] == ["legacy-search-1"]
        assert [each.ok for each in source.check(context)] == [True]


def test_only_the_recommenders_of_a_location_are_asked_for_it(tmp_path: Path) -> None:
    places = ("us-east1-b", "us-east1", "global", "us", "europe-west10-a")
    with WebApi(telling(zones=places)) as server:
        Rig(server, tmp_path).refresh()
        asked = {tuple(each.path.split("/")[5:8:2]) for each in server.asked("/recommenders/")}
    zonal = {each.id for each in RECOMMENDERS if each.scope == "zone"}
    regional = {each.id for each in RECOMMENDERS if each.scope == "region"}
    address = "google.compute.address.IdleResourceRecommender"
    expected = {(zone, name) for zone in ("us-east1-b", "europe-west10-a") for name in zonal}
    assert asked == expected | {("us-east1", name) for name in regional} | {("global", address)}


def test_pages_follow_each_other_to_the_end(tmp_path: Path) -> None:
    many = [entry(f"vm-{number}") for number in range(450)]
    with WebApi(telling(*many)) as server:
        rig = Rig(server, tmp_path)
        rig.refresh()
        assert [each.one("pageToken") for each in server.asked(IDLE_VM)] == ["", "200", "400"]
    assert len({each.resource for each in rig.active}) == 450


@pytest.mark.slow
def test_pages_that_do_not_end_are_left(tmp_path: Path) -> None:
    def endless(asked: Asked) -> Reply:
        return Reply(body={"locations": [], "nextPageToken": "again"})

    with WebApi(endless) as server:
        assert Rig(server, tmp_path).refused().reason == "bad_response"


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        ({"units": "-30"}, Decimal(30) * Decimal("30.4375") / 30),
        ({"cost": {"cost": {"currencyCode": "USD", "units": "-1", "nanos": -500_000_000}}}, None),
        # All of it in billionths; a projection of a day; without a currency, which is then the dollar.
        (
            {"cost": {"cost": {"nanos": -250_000_000}, "duration": "86400s"}},
            Decimal("0.25") * Decimal("30.4375"),
        ),
        ({"cost": {"duration": "86400.0s"}}, Decimal(30) * Decimal("30.4375")),
    ],
)
def test_costs_become_dollars_of_a_mean_month(
    tmp_path: Path, changes: dict[str, Any], usd: Decimal | None
) -> None:
    with WebApi(telling(entry(**changes))) as server:
        rig = Rig(server, tmp_path)
        assert rig.refresh() == []
    expected = usd if usd is not None else Decimal("1.5") * Decimal("30.4375") / 30
    assert [each.usd_per_month for each in rig.active] == [expected]


@pytest.mark.parametrize(
    "ignored",
    [
        entry(stateInfo={"state": "DISMISSED"}),
        entry(stateInfo={"state": "SUCCEEDED"}),
        entry(stateInfo={}),
        entry(primaryImpact={"category": "SECURITY"}),
        # It would cost more: an instance that is too small.
        entry(units="12"),
        entry(units="0"),
    ],
)
def test_what_is_not_active_or_saves_nothing_is_left_out(tmp_path: Path, ignored: dict[str, Any]) -> None:
    with WebApi(telling(entry("kept"), ignored)) as server:
        rig = Rig(server, tmp_path)
        assert rig.refresh() == []
    assert [each.resource for each in rig.active] == ["kept"]


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (entry(cost={"cost": {"currencyCode": "EUR", "units": "-30"}}), "other_currency"),
        (entry(cost={"duration": "a month"}), "bad_recommendation"),
        (entry(cost={"duration": "0s"}), "bad_recommendation"),
        (entry(units="many"), "bad_recommendation"),
        (entry(units="NaN"), "bad_recommendation"),
        (entry(cost={"cost": None}), "bad_recommendation"),
        ("a string", "bad_recommendation"),
    ],
)
def test_what_cannot_be_told_in_dollars_is_counted(tmp_path: Path, odd: Any, reason: str) -> None:
    with WebApi(telling(odd, entry("kept"), odd)) as server:
        rig = Rig(server, tmp_path)
        (unread,) = rig.refresh()
    assert (unread.rejected.reason, unread.rejected.count) == (reason, 2)
    assert unread.rejected.place == f"{PROD}/{IDLE_VM}"
    assert [each.resource for each in rig.active] == ["kept"]


def test_a_disk_is_named_although_it_is_copied_first(tmp_path: Path) -> None:
    names = ("global/snapshots/$snapshot", "zones/us-east1-b/disks/data-1")
    operations = [{"resource": f"//compute.googleapis.com/projects/p/{name}"} for name in names]
    with WebApi(telling(entry(content={"operationGroups": [{"operations": operations}]}))) as server:
        rig = Rig(server, tmp_path)
        rig.refresh()
    assert [(each.collection, each.resource) for each in rig.active] == [("disks", "data-1")]


def test_a_project_that_denies_is_reported_with_the_role_and_the_others_are_read(
    server: WebApi, tmp_path: Path
) -> None:
    server.faults.append(Fault(f"/projects/{DEV}/", Reply(403, DENIED), times=99))
    rig = Rig(server, tmp_path, PROD, DEV, EU)
    (unread,) = rig.refresh()
    assert (unread.partition, unread.rejected.reason) == (DEV, "permission_denied")
    assert "grant it roles/recommender.viewer" in unread.rejected.detail
    assert "gcp.recommendations.enabled" in unread.rejected.detail
    assert set(rig.source.findings.read_at or {}) == {PROD, EU}


def test_an_api_that_is_off_is_reported_with_how_to_turn_it_on(server: WebApi, tmp_path: Path) -> None:
    server.faults.append(Fault(f"/projects/{DEV}/", Reply(403, DISABLED), times=99))
    (unread,) = Rig(server, tmp_path, PROD, DEV).refresh()
    assert unread.rejected.reason == "api_disabled"
    wanted = f"gcloud services enable recommender.googleapis.com --project {DEV}"
    assert wanted in unread.rejected.detail


def test_when_every_project_denies_the_source_has_failed(server: WebApi, tmp_path: Path) -> None:
    server.faults.append(Fault("/projects/", Reply(403, DENIED), times=99))
    rig = Rig(server, tmp_path, PROD, DEV)
    assert rig.refused().reason == "permission_denied"
    assert rig.source.findings == NOTHING_RECOMMENDED


@pytest.mark.slow
def test_a_project_that_is_not_there_is_named(server: WebApi, tmp_path: Path) -> None:
    assert told(Rig(server, tmp_path, PROD, "typo").refresh()) == [("typo", "not_found")]


@pytest.mark.parametrize("status", [400, 404])
def test_a_recommender_that_does_not_know_a_location_is_asked_again_a_day_later(
    server: WebApi, tmp_path: Path, status: int
) -> None:
    name = "google.compute.disk.IdleResourceRecommender"
    server.faults.append(Fault(f"/us-east1-b/recommenders/{name}/", Reply(status), times=1))
    rig = Rig(server, tmp_path)
    assert told(rig.refresh()) == [(f"{PROD}/us-east1-b/{name}", "not_offered")]
    assert [each.resource for each in rig.active] == ["legacy-search-1"]
    asked = len(server.asked(f"/us-east1-b/recommenders/{name}/"))
    assert rig.refresh(NOW + timedelta(hours=1)) == []
    assert len(server.asked(f"/us-east1-b/recommenders/{name}/")) == asked
    assert rig.refresh(NOW + timedelta(days=1, hours=1)) == []
    assert len(server.asked(f"/us-east1-b/recommenders/{name}/")) == asked + 1


@pytest.mark.parametrize(
    "reply",
    [Reply(429, headers={"Retry-After": "7"}), Reply(500), Reply(503), Reply(body={}, breaks_off=True)],
)
def test_what_passes_is_tried_again(server: WebApi, tmp_path: Path, reply: Reply) -> None:
    server.faults.append(Fault(f"/us-east1-b/recommenders/{IDLE_VM}/", reply, times=2))
    rig = Rig(server, tmp_path)
    assert rig.refresh() == []
    assert [each.resource for each in rig.active] == ["legacy-search-1"]
    assert len(rig.slept) == 2
    if reply.status == 429:
        assert min(rig.slept) >= 7


@pytest.mark.parametrize(("status", "reason"), [(429, "rate_limited"), (500, "unavailable")])
def test_what_does_not_pass_keeps_the_last_good_recommendations_with_their_time(
    server: WebApi, tmp_path: Path, status: int, reason: str
) -> None:
    rig = Rig(server, tmp_path, PROD, DEV)
    rig.refresh()
    before = rig.source.findings
    server.faults.append(Fault(f"/projects/{PROD}/", Reply(status), times=999))
    later = NOW + timedelta(hours=1)
    assert told(rig.refresh(later)) == [(PROD, reason)]
    kept = [each for each in rig.active if each.project_id == PROD]
    assert kept == [each for each in before.active if each.project_id == PROD] != []
    assert rig.source.findings.read_at == {PROD: NOW, DEV: later}


@pytest.mark.slow
def test_a_failure_half_way_changes_nothing_of_the_project(server: WebApi, tmp_path: Path) -> None:
    rig = Rig(server, tmp_path, DEV, PROD)
    rig.refresh()
    before = rig.active
    server.faults.append(Fault(f"/projects/{DEV}/locations/us-west1-b/", Reply(500), times=99, after=2))
    rig.refresh(NOW + timedelta(hours=1))
    assert sorted(map(repr, rig.active)) == sorted(map(repr, before))


def test_recommendations_that_are_gone_are_gone(tmp_path: Path) -> None:
    with WebApi(telling(entry("one"), entry("two"))) as server:
        rig = Rig(server, tmp_path)
        rig.refresh()
        assert {each.resource for each in rig.active} == {"one", "two"}
        server.answer = telling()
        rig.refresh()
    assert not rig.active


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b"[]", b"", b"[" * 100_000], ids=["page", "list", "empty", "deep"]
)
def test_an_answer_that_is_no_json_object_is_refused(server: WebApi, tmp_path: Path, body: bytes) -> None:
    server.faults.append(Fault("/locations", Reply(body=body), times=9))
    assert Rig(server, tmp_path).refused().reason == "bad_response"


def test_redirects_are_not_followed(server: WebApi, tmp_path: Path) -> None:
    server.faults.append(Fault("/locations", Reply(302, headers={"Location": server.address}), times=9))
    assert Rig(server, tmp_path).refused().reason == "bad_response"
    assert len(server.requests) == 1


def test_a_server_that_is_gone_is_reported(tmp_path: Path) -> None:
    with WebApi(demo) as server:
        rig = Rig(server, tmp_path)
    error = rig.refused()
    assert error.reason == "unavailable"
    assert "check the network" in str(error)


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def key_file(folder: Path, private_key: str, token_server: FakeBigQuery) -> Path:
    path = folder / "key.json"
    content = {
        "type": "service_account",
        "project_id": "robots",
        "private_key_id": "0123",
        "private_key": private_key,
        "client_email": "exporter@robots.iam.gserviceaccount.com",
        "token_uri": f"{token_server.address}/token",
    }
    path.write_text(json.dumps(content))
    return path


def test_a_key_gets_a_token_and_who_it_is_goes_into_the_advice(
    server: WebApi, tmp_path: Path, private_key: str
) -> None:
    server.faults.append(Fault(f"/projects/{DEV}/", Reply(403, DENIED), times=9))
    with FakeBigQuery(FakeExport(), tables={}, token="ya29.secret-token") as tokens:
        path = key_file(tmp_path, private_key, tokens)
        rig = Rig(server, tmp_path, PROD, DEV, plaintext=False, credentials_path=path)
        (unread,) = rig.refresh()
    assert {each.headers["authorization"] for each in server.requests} == {"Bearer ya29.secret-token"}
    assert "exporter@robots.iam.gserviceaccount.com may not read" in unread.rejected.detail
    assert "ya29" not in repr(rig.source) + unread.rejected.detail


def test_a_key_that_is_revoked_is_reported_once_and_without_its_secrets(
    server: WebApi, tmp_path: Path, private_key: str
) -> None:
    revoked = (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    with FakeBigQuery(FakeExport(), tables={}, token="ya29.secret-token") as tokens:
        tokens.token_error = revoked
        path = key_file(tmp_path, private_key, tokens)
        error = Rig(server, tmp_path, PROD, DEV, plaintext=False, credentials_path=path).refused()
    assert error.reason == "bad_credentials"
    assert private_key.splitlines()[1] not in str(error) + repr(error.__cause__)
    assert server.requests == []


def test_a_look_says_what_came_or_why_not(server: WebApi, tmp_path: Path) -> None:
    rig = Rig(server, tmp_path, PROD, DEV)
    (finding,) = rig.source.check(rig.context())
    assert finding.ok
    assert finding.detail.startswith("3 active in 2 of 2 projects, worth $1,")
    server.faults.append(Fault("/projects/", Reply(403, DENIED), times=99))
    *each, last = rig.source.check(rig.context())
    assert not any(found.ok for found in (*each, last))
    assert "roles/recommender.viewer" in last.detail
