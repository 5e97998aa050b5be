"""The Recommender API of the demo world over HTTP: locations, and recommendations page by page.

It knows what the company wastes; amounts are those of the company's own lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from exporter.simulator.google.company import LINES, PROJECTS

_MONTH_SECONDS: Final = 2_592_000
_MONTH_DAYS: Final = 30.0
_NANOS: Final = 1_000_000_000
_LARGEST_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Advice:
    """Google's recommendation for one resource of the company."""

    project: str
    """Key of company.PROJECTS."""
    location: str
    recommender: str
    resource: str
    """`collection/name`, as in the resource's global name."""
    line: str
    """The resource as the company's lines name it."""
    description: str
    share: float = 1.0
    """Of its cost that would be saved."""


ADVICE: Final = (
    Advice(
        "prod",
        "us-east1-b",
        "google.compute.instance.IdleResourceRecommender",
        "instances/legacy-search-1",
        "instance/legacy-search-1",
        "Save cost by stopping Idle VM 'legacy-search-1'.",
    ),
    Advice(
        "dev",
        "us-west1-b",
        "google.compute.instance.MachineTypeRecommender",
        "instances/workstations",
        "instance/workstations",
        "Save cost by changing machine type from e2-standard-8 to e2-standard-4.",
        share=0.5,
    ),
    Advice(
        "dev",
        "us-west1-b",
        "google.compute.disk.IdleResourceRecommender",
        "disks/forgotten-scratch",
        "disk/forgotten-scratch",
        "Save cost by snapshotting and then deleting idle persistent disk 'forgotten-scratch'.",
        share=0.35,
    ),
)


class RecommenderApi:
    """The service, apart from the sockets."""

    content_type = "application/json; charset=UTF-8"

    def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Answer a GET: HTTP status and JSON body."""
        match path.strip("/").split("/"):
            case ["v1beta1", "projects", project_id, "locations"]:
                found = [_location(project_id, name) for name in _locations(project_id)]
                return _page("locations", found, query) if _known(project_id) else _missing(path)
            case ["v1", "projects", project_id, "locations", place, "recommenders", name, "recommendations"]:
                advice = [
                    _recommendation(number, each)
                    for number, each in enumerate(ADVICE)
                    if (PROJECTS[each.project].id, each.location, each.recommender)
                    == (project_id, place, name)
                ]
                return _page("recommendations", advice, query) if _known(project_id) else _missing(path)
        return _missing(path)


def _known(project_id: str) -> bool:
    return any(project.id == project_id for project in PROJECTS.values())


def _locations(project_id: str) -> list[str]:
    """Zones and regions in which the company has anything, and `global`."""
    found = {line.location for line in LINES if PROJECTS[line.project].id == project_id}
    zones = {name for name in found if name[-2:-1] == "-"}
    regions = {name for name in found if name[-1].isdigit()} | {name[:-2] for name in zones}
    return sorted(zones | regions | {"global"})


def _location(project_id: str, name: str) -> dict[str, Any]:
    return {"name": f"projects/{project_id}/locations/{name}", "locationId": name}


def _recommendation(number: int, advice: Advice) -> dict[str, Any]:
    project = PROJECTS[advice.project]
    usd_per_day = sum(
        line.usd_per_day for line in LINES if (line.project, line.resource) == (advice.project, advice.line)
    )
    nanos = round(usd_per_day * _MONTH_DAYS * advice.share * _NANOS)
    place = "zones" if advice.location[-2:-1] == "-" else "regions"
    target = f"//compute.googleapis.com/projects/{project.id}/{place}/{advice.location}/{advice.resource}"
    parent = f"projects/{project.number}/locations/{advice.location}/recommenders/{advice.recommender}"
    return {
        "name": f"{parent}/recommendations/{number:08d}-demo",
        "description": advice.description,
        "lastRefreshTime": "2026-01-01T07:00:00Z",
        "primaryImpact": {
            "category": "COST",
            "costProjection": {
                "cost": {
                    "currencyCode": "USD",
                    "units": str(-(nanos // _NANOS)),
                    "nanos": -(nanos % _NANOS),
                },
                "duration": f"{_MONTH_SECONDS}s",
            },
        },
        "content": {"operationGroups": [{"operations": [{"action": "test", "resource": target}]}]},
        "stateInfo": {"state": "ACTIVE"},
        "priority": "P2",
    }


def _page(
    name: str, entries: list[dict[str, Any]], query: Mapping[str, list[str]]
) -> tuple[int, dict[str, Any]]:
    begin = int(query.get("pageToken", ["0"])[0])
    size = min(int(query.get("pageSize", ["100"])[0]), _LARGEST_PAGE)
    found: dict[str, Any] = {name: entries[begin : begin + size]} if entries else {}
    if begin + size < len(entries):
        found["nextPageToken"] = str(begin + size)
    return HTTPStatus.OK, found


def _missing(path: str) -> tuple[int, dict[str, Any]]:
    error = {"code": 404, "message": f"Not found: {path}", "status": "NOT_FOUND"}
    return HTTPStatus.NOT_FOUND, {"error": error}
