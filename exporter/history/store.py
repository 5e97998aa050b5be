"""Asks the store behind a remote-write receiver what it has, over Prometheus' query API.

API: https://prometheus.io/docs/prometheus/latest/querying/api/; Mimir, Thanos and VictoriaMetrics have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import requests

from exporter.core.printable import host_of
from exporter.history.remote_write import CredentialHeaders, NotDelivered, Receiver
from exporter.metrics.families import Family
from exporter.sources.http.deadline import within

Sums = dict[tuple[tuple[str, ...], datetime], float]
"""Net cost by the values of the labels of a family of history and the begin of a step."""

_JUST_BEFORE: Final = timedelta(milliseconds=1)
"""Queried just before the end of a step: Prometheus before 3.0 counts both borders of a range."""


@dataclass(frozen=True, slots=True)
class Store:
    """The query API, called with the receiver's credentials, headers and certificates."""

    url: str = field(repr=False)
    """Without `/api/v1`."""
    receiver: Receiver
    job: str = ""
    """The job of the series that are compared; empty for all."""

    def sums(self, family: Family, start: datetime, end: datetime, step: timedelta) -> Sums:
        """Return the sums of each series over each step of [start, end). Raises NotDelivered, SourceError."""
        seconds = int(step.total_seconds())
        labels = family.labels
        selector = family.name + (f"{{job={json.dumps(self.job)}}}" if self.job else "")
        answer = self._ask(
            query=f"sum by ({', '.join(labels)}) (sum_over_time({selector}[{seconds}s]))",
            start=_time(start + step - _JUST_BEFORE),
            end=_time(end - _JUST_BEFORE),
            step=str(seconds),
        )
        found: Sums = {}
        for series in answer:
            values = tuple(series["metric"].get(label, "") for label in labels)
            for time, value in series["values"]:
                began = round(float(time) + _JUST_BEFORE.total_seconds()) - seconds
                found[values, datetime.fromtimestamp(began, UTC)] = float(value)
        return found

    def _ask(self, **parameters: str) -> list[dict[str, Any]]:
        seconds = self.receiver.timeout_seconds
        try:
            with self.receiver.session() as session:
                response = within(seconds, lambda: self._get(session, parameters), session)
                if response.status_code != requests.codes.ok:
                    raise NotDelivered("store", self._described(f"answers HTTP {response.status_code}"))
                result: list[dict[str, Any]] = response.json()["data"]["result"]
        except (requests.JSONDecodeError, KeyError, TypeError):
            raise NotDelivered("store", self._described("does not answer like Prometheus")) from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise NotDelivered(
                "store", self._described(f"cannot be queried ({type(error).__name__})")
            ) from None
        return result

    def _get(self, session: requests.Session, parameters: Mapping[str, str]) -> requests.Response:
        credentials = self.receiver.authorization() if self.receiver.authorization else ()
        return session.get(
            f"{self.url}/api/v1/query_range",
            params=parameters,
            auth=CredentialHeaders(self.receiver.headers, credentials),
            timeout=self.receiver.timeout_seconds,
            verify=self.receiver.ca_file or True,
            cert=self.receiver.certificate,
            allow_redirects=False,
        )

    def _described(self, text: str) -> str:
        return (
            f"history.remote_write.query_url: {host_of(self.url)} {text}; it must be the address before "
            "/api/v1 of the store that has what is sent, and take the same credentials"
        )


def _time(moment: datetime) -> str:
    return f"{moment.timestamp():.3f}"
