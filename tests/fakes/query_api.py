"""Prometheus' query API over what a fake receiver of remote write has stored, on a loopback socket."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.fakes.remote_receiver import RemoteReceiver


@dataclass
class QueryApi:
    """Answers query_range with sums over what the receiver stored."""

    received: RemoteReceiver
    url: str = ""
    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str) -> bytes:
        parameters = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        self.asked.append(parameters)
        seconds = int(parameters["step"])
        selector = rf'sum_over_time\((\w+)(?:{{job="([^"]*)"}})?\[{seconds}s\]\)'
        [(name, job)] = re.findall(selector, parameters["query"])
        wanted = {("__name__", name), *([("job", job)] if job else [])}
        start, end = (float(parameters[name]) for name in ("start", "end"))
        series: dict[str, list[list[object]]] = {}
        steps = int((end - start) // seconds) + 1
        for at in (start + step * seconds for step in range(steps)):
            sums: dict[str, float] = {}
            for (labels, stamp_ms), value in self.received.stored.items():
                if wanted <= set(labels) and at - seconds < stamp_ms / 1000 <= at:
                    shown = json.dumps({k: v for k, v in labels if k not in ("__name__", "job")})
                    sums[shown] = sums.get(shown, 0.0) + value
            for shown, total in sums.items():
                series.setdefault(shown, []).append([at, repr(total)])
        result = [{"metric": json.loads(shown), "values": values} for shown, values in series.items()]
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


@contextmanager
def query_api(received: RemoteReceiver) -> Iterator[QueryApi]:
    api = QueryApi(received)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = api.answer(self.path) if api.status == 200 else b"{}"
            self.send_response(api.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
