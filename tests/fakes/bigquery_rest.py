"""A BigQuery of our own on a loopback socket: its REST protocol, its error bodies, and its bad days.

It runs no SQL: whoever starts it says what a query answers and how many bytes that would read.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

MEBIBYTE = 2**20
STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}


@dataclass(frozen=True)
class Answer:
    """What a query gives. `fields` are (name, type); values are in the wire format of the REST API."""

    fields: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]
    bytes_processed: int


@dataclass(frozen=True)
class ApiError(Exception):
    """An error as Google words it."""

    code: int
    reason: str
    message: str

    def body(self) -> dict[str, Any]:
        entry = {"message": self.message, "domain": "global", "reason": self.reason}
        status = STATUSES.get(self.code, "INTERNAL")
        return {"error": {"code": self.code, "message": self.message, "errors": [entry], "status": status}}

    def job_status(self) -> dict[str, Any]:
        entry = {"reason": self.reason, "message": self.message}
        return {"state": "DONE", "errorResult": entry, "errors": [entry]}


@dataclass
class Fault:
    """Something that goes wrong `times` times where method and path match."""

    method: str
    path: str
    """Regular expression searched in the path with its query."""
    error: ApiError | None = None
    """Answered instead; with none the connection is broken before an answer."""
    times: int = 1
    after_doing: bool = False
    """Do what was asked first: the answer alone is lost."""
    spares_dry_runs: bool = False


@dataclass
class Request:
    method: str
    path: str
    body: dict[str, Any]

    @property
    def purpose(self) -> str:
        return str(self.body.get("configuration", {}).get("labels", {}).get("purpose", ""))

    @property
    def is_dry_run(self) -> bool:
        return bool(self.body.get("configuration", {}).get("dryRun"))


@dataclass
class Job:
    resource: dict[str, Any]
    answer: Answer
    polls_until_done: int


@dataclass
class FakeBigQuery:
    """The server; use as a context manager. Everything it was asked is in `requests`."""

    answer: Callable[[str, str], Answer]
    """Called with a job's `purpose` label and its SQL."""
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Table resource by project.dataset.table; what is left out of it is filled in."""
    locations: dict[str, str] = field(default_factory=dict)
    """Location by project.dataset."""
    token: str | None = None
    """The only bearer token that is let in; None lets everybody in."""
    token_error: tuple[int, dict[str, Any]] | None = None
    """What /token answers instead of the token."""
    polls_until_done: int = 0
    job_errors: list[tuple[str, ApiError]] = field(default_factory=list)
    """(purpose, error): the next jobs of that purpose that fail, each once."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)

    def __enter__(self) -> FakeBigQuery:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def queries(self, purpose: str | None = None) -> list[str]:
        """SQL of the queries that really ran, in order."""
        return [
            request.body["configuration"]["query"]["query"]
            for request in self.requests
            if request.method == "POST"
            and urlsplit(request.path).path.endswith("/jobs")
            and not request.is_dry_run
            and purpose in (None, request.purpose)
        ]

    def handle(self, request: Request, bearer: str | None) -> tuple[int, dict[str, Any]] | None:
        """Answer a request; None breaks the connection."""
        with self._lock:
            self.requests.append(request)
            fault = self._due_fault(request)
            if fault is not None and not fault.after_doing:
                return (fault.error.code, fault.error.body()) if fault.error else None
            if self.token is not None and bearer != self.token and not request.path.startswith("/token"):
                refusal = ApiError(401, "authError", "Invalid Credentials")
                return refusal.code, refusal.body()
            try:
                answered = self._route(request)
            except ApiError as error:
                return error.code, error.body()
            if fault is not None:
                return (fault.error.code, fault.error.body()) if fault.error else None
            return answered

    def _due_fault(self, request: Request) -> Fault | None:
        for fault in self.faults:
            if fault.spares_dry_runs and request.is_dry_run:
                continue
            if fault.times > 0 and fault.method == request.method and re.search(fault.path, request.path):
                fault.times -= 1
                return fault
        return None

    def _route(self, request: Request) -> tuple[int, dict[str, Any]]:
        url = urlsplit(request.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path == "/token":
            return self.token_error or (200, {"access_token": self.token, "expires_in": 3600})
        if url.path == "/bigquery/v2/projects":
            return 200, self._listing("projects", self._projects(), query)
        parts = url.path.removeprefix("/bigquery/v2/projects/").split("/")
        match (request.method, *parts):
            case ("GET", project, "datasets"):
                return 200, self._listing("datasets", self._datasets(project), query)
            case ("GET", project, "datasets", dataset):
                return 200, self._dataset(f"{project}.{dataset}")
            case ("GET", project, "datasets", dataset, "tables"):
                return 200, self._listing("tables", self._tables(f"{project}.{dataset}"), query)
            case ("GET", project, "datasets", dataset, "tables", table):
                return 200, self._table(f"{project}.{dataset}.{table}")
            case ("POST", project, "jobs"):
                return 200, self._insert(project, request)
            case ("GET", _, "jobs", job_id):
                return 200, self._job(job_id, query).resource
            case ("POST", _, "jobs", job_id, "cancel"):
                return 200, {"job": self._job(job_id, query).resource}
            case ("GET", _, "queries", job_id):
                return 200, self._results(self._job(job_id, query), query)
        raise ApiError(404, "notFound", f"Not found: {request.path}")

    def _projects(self) -> list[dict[str, Any]]:
        names = sorted({name.split(".")[0] for name in (*self.tables, *self.locations)})
        return [
            {
                "id": name,
                "projectReference": {"projectId": name},
                "numericId": str(number),
                "friendlyName": name,
            }
            for number, name in enumerate(names, 1)
        ]

    def _datasets(self, project: str) -> list[dict[str, Any]]:
        names = sorted({table.rsplit(".", 1)[0] for table in self.tables} | self.locations.keys())
        return [self._dataset(name) for name in names if name.split(".")[0] == project]

    def _dataset(self, name: str) -> dict[str, Any]:
        project, dataset = name.split(".")
        if name not in self.locations and not any(table.startswith(f"{name}.") for table in self.tables):
            raise ApiError(404, "notFound", f"Not found: Dataset {project}:{dataset}")
        return {
            "id": f"{project}:{dataset}",
            "datasetReference": {"projectId": project, "datasetId": dataset},
            "location": self.locations.get(name, "US"),
        }

    def _tables(self, dataset: str) -> list[dict[str, Any]]:
        self._dataset(dataset)
        return [self._table(name) for name in sorted(self.tables) if name.startswith(f"{dataset}.")]

    def _table(self, name: str) -> dict[str, Any]:
        project, dataset, table = name.split(".")
        if name not in self.tables:
            raise ApiError(404, "notFound", f"Not found: Table {project}:{dataset}.{table}")
        return {
            "id": f"{project}:{dataset}.{table}",
            "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table},
            "type": "TABLE",
            "location": self.locations.get(f"{project}.{dataset}", "US"),
            **self.tables[name],
        }

    @staticmethod
    def _listing(kind: str, items: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        start, size = int(query.get("pageToken", 0)), int(query.get("maxResults", 50))
        page: dict[str, Any] = {kind: items[start : start + size], "totalItems": len(items)}
        if start + size < len(items):
            page["nextPageToken"] = str(start + size)
        return page

    def _insert(self, project: str, request: Request) -> dict[str, Any]:
        configuration = request.body["configuration"]
        reference = request.body["jobReference"]
        job_id, location = reference["jobId"], reference.get("location", "US")
        if job_id in self.jobs:
            raise ApiError(409, "duplicate", f"Already Exists: Job {project}:{location}.{job_id}")
        sql = configuration["query"]["query"]
        self._check_location(sql, location)
        answer = self.answer(request.purpose, sql)
        statistics: dict[str, Any] = {
            "creationTime": "1700000000000",
            "totalBytesProcessed": str(answer.bytes_processed),
            "query": {"totalBytesProcessed": str(answer.bytes_processed), "cacheHit": False},
        }
        resource = {
            "id": f"{project}:{location}.{job_id}",
            "jobReference": {"projectId": project, "jobId": job_id, "location": location},
            "configuration": configuration,
            "status": {"state": "DONE"},
            "statistics": statistics,
        }
        if request.is_dry_run:
            fields = [{"name": name, "type": kind} for name, kind in answer.fields]
            statistics["query"]["schema"] = {"fields": fields}
            return resource
        resource["status"] = {"state": "RUNNING"}
        self.jobs[job_id] = Job(resource, answer, self.polls_until_done)
        return json.loads(json.dumps(resource))

    def _check_location(self, sql: str, location: str) -> None:
        for name in re.findall(r"FROM `([^`]+)`", sql):
            self._table(name)
            project, dataset, _ = name.split(".")
            if self.locations.get(f"{project}.{dataset}", "US") != location:
                raise ApiError(
                    404,
                    "notFound",
                    f"Not found: Dataset {project}:{dataset} was not found in location {location}",
                )

    def _job(self, job_id: str, query: dict[str, str]) -> Job:
        job = self.jobs.get(job_id)
        if job is None or query.get("location", "US") != job.resource["jobReference"]["location"]:
            raise ApiError(404, "notFound", f"Not found: Job {job_id}")
        if job.polls_until_done > 0:
            job.polls_until_done -= 1
        elif job.resource["status"]["state"] == "RUNNING":
            self._complete(job)
        return job

    def _complete(self, job: Job) -> None:
        configuration, statistics = job.resource["configuration"], job.resource["statistics"]
        billed = max(10 * MEBIBYTE, -(-job.answer.bytes_processed // MEBIBYTE) * MEBIBYTE)
        cap = int(configuration["query"].get("maximumBytesBilled", 2**62))
        error = self._due_job_error(configuration["labels"]["purpose"])
        if error is None and billed > cap:
            message = f"Query exceeded limit for bytes billed: {cap}. {billed} or higher required."
            error = ApiError(500, "bytesBilledLimitExceeded", message)
        job.resource["status"] = error.job_status() if error else {"state": "DONE"}
        statistics["query"]["totalBytesBilled"] = "0" if error else str(billed)

    def _due_job_error(self, purpose: str) -> ApiError | None:
        for index, (failing, error) in enumerate(self.job_errors):
            if failing == purpose:
                del self.job_errors[index]
                return error
        return None

    def _results(self, job: Job, query: dict[str, str]) -> dict[str, Any]:
        status = job.resource["status"]
        if "errorResult" in status:
            failed = status["errorResult"]
            raise ApiError(500, failed["reason"], failed["message"])
        common = {"jobReference": job.resource["jobReference"], "jobComplete": status["state"] == "DONE"}
        if not common["jobComplete"]:
            return common
        rows = job.answer.rows
        start = int(query.get("pageToken") or query.get("startIndex") or 0)
        size = int(query.get("maxResults", len(rows)))
        page = {
            **common,
            "schema": {"fields": [{"name": name, "type": kind} for name, kind in job.answer.fields]},
            "totalRows": str(len(rows)),
            "totalBytesProcessed": str(job.answer.bytes_processed),
            "rows": [{"f": [{"v": value} for value in row]} for row in rows[start : start + size]],
        }
        if start + size < len(rows):
            page["pageToken"] = str(start + size)
        return page


def _handler(fake: FakeBigQuery) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else every answer waits 40 ms for an acknowledgement between its headers and its body.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_json = "json" in (self.headers.get("Content-Type") or "")
            self._answer(json.loads(raw) if raw and is_json else {})

        def _answer(self, body: dict[str, Any]) -> None:
            bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
            answered = fake.handle(Request(self.command, self.path, body), bearer)
            if answered is None:
                self.close_connection = True
                self.connection.shutdown(2)
                return
            code, content = answered
            payload = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Handler
