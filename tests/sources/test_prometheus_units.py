"""A unit's number is read from Prometheus over HTTP; whatever else a server says is told, never guessed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.sources.prometheus_units import UnitCounts, UnitFailure, UnitQuery, end_of_yesterday
from tests.support.ports import free_port

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
PACIFIC = "America/Los_Angeles"
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.shutdown()
            thread.join()


def saying(body: str | bytes, status: int = 200) -> Answer:
    data = body if isinstance(body, bytes) else body.encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return answer


def success(kind: str, result: object) -> str:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}})


def vector(*values: str) -> str:
    elements = [{"metric": {"n": str(number)}, "value": [1.5, value]} for number, value in enumerate(values)]
    return success("vector", elements)


def read(address: str, seconds: float = 15.0) -> float | UnitFailure:
    units = UnitCounts([UnitQuery("order", "sum(orders)", address)], PACIFIC, seconds)
    return units.read(NOW)["order"]


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (vector("42"), 42.0),
        (vector("0"), 0.0),
        (success("scalar", [1.5, "1e6"]), 1e6),
        (vector("0.25"), 0.25),
    ],
)
def test_a_scalar_or_a_vector_of_one_is_a_number(body: str, number: float) -> None:
    with server(saying(body)) as address:
        assert read(address) == number


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status", "reason", "text"),
    [
        (vector("1", "2"), 200, "many_values", "has 2 values for the query: the query must give one number"),
        (vector(), 200, "no_value", "has nothing for the query"),
        (vector("NaN"), 200, "bad_value", "returned NaN, which is not a number of units"),
        (vector("+Inf"), 200, "bad_value", "returned +Inf"),
        (vector("-1"), 200, "bad_value", "returned -1"),
        (vector("many"), 200, "bad_value", "returned many"),
        (success("matrix", []), 200, "bad_value", "with a matrix: the query must give one number"),
        (success("string", [1, "x"]), 200, "bad_value", "with a string"),
        (success("scalar", [1, 5]), 200, "bad_value", "returned 5"),
        (success("scalar", "5"), 200, "bad_answer", "did not answer like Prometheus"),
        (success("vector", [5]), 200, "bad_answer", "did not answer like Prometheus"),
        (success("vector", [{"histogram": []}]), 200, "bad_answer", "did not answer like Prometheus"),
        ('{"status": "success"}', 200, "bad_answer", "did not answer like Prometheus"),
        ("[1]", 200, "bad_answer", "check unit_costs' prometheus"),
        ("<html>hello</html>", 200, "bad_answer", "check unit_costs' prometheus"),
        ("[" * 60_000, 200, "bad_answer", "check unit_costs' prometheus"),
        (b"\xff\xfe\x00", 200, "bad_answer", "check unit_costs' prometheus"),
        ("", 200, "bad_answer", "check unit_costs' prometheus"),
        (
            '{"status": "error", "errorType": "bad_data", "error": "parse\\nerror"}',
            400,
            "bad_query",
            "refused the query (bad_data: parse error): check unit_costs' promql",
        ),
        ('{"status": "error", "errorType": "timeout"}', 503, "refused", "refused the query (timeout): "),
        ("<html>", 500, "refused", "answered 500: check unit_costs' prometheus"),
        ("no", 401, "refused", "answered 401, so it requires credentials"),
        ("x" * 70_000, 200, "many_values", "answered more than 64 KiB"),
    ],
)
def test_anything_but_one_number_is_reported_with_what_to_do(
    body: str | bytes, status: int, reason: str, text: str
) -> None:
    with server(saying(body, status)) as address:
        found = read(address)
    assert isinstance(found, UnitFailure)
    assert (found.reason, text in found.text) == (reason, True), found
    assert found.text.startswith(f"unit_costs.order: {address} ")


def test_a_server_that_is_not_there_is_reported() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    found = read(address)
    assert isinstance(found, UnitFailure)
    assert found.reason == "unreachable"
    assert found.text == (
        f"unit_costs.order: {address} cannot be read (no connection): check unit_costs' prometheus and that "
        "it is up"
    )


def test_an_answer_that_breaks_off_is_reported() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b'{"status"')

    with server(answer) as address:
        found = read(address)
    assert isinstance(found, UnitFailure)
    assert found.reason == "unreachable"


@pytest.mark.slow
def test_a_server_that_says_nothing_is_given_up() -> None:
    over = threading.Event()

    def answer(_request: BaseHTTPRequestHandler) -> None:
        over.wait(30)

    with server(answer) as address:
        found = read(address, seconds=0.2)
        over.set()
    assert isinstance(found, UnitFailure)
    assert found.reason == "timeout"


@pytest.mark.slow
def test_a_server_that_drips_is_given_up() -> None:
    over = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not over.wait(0.02):
            request.wfile.write(b" ")
            request.wfile.flush()

    with server(answer) as address:
        found = read(address, seconds=0.3)
        over.set()
    assert isinstance(found, UnitFailure)
    assert found.reason == "timeout"
    assert "did not answer within 0.3 s" in found.text


def test_one_unit_that_fails_does_not_take_the_others_with_it() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(request.path).query)["query"][0]
        saying(vector("3") if query == 'sum({job="a&b"})' else "no", 200)(request)

    with server(answer) as address:
        units = UnitCounts(
            [UnitQuery("order", "x", address), UnitQuery("tenant", 'sum({job="a&b"})', address)]
        )
        found = units.read(NOW)
    assert isinstance(found["order"], UnitFailure)
    assert found["tenant"] == 3.0


@pytest.mark.parametrize(
    ("now", "timezone", "end"),
    [
        (NOW, PACIFIC, datetime(2026, 11, 10, 8, tzinfo=UTC)),
        (NOW, "UTC", datetime(2026, 11, 10, tzinfo=UTC)),
        (datetime(2026, 11, 10, 7, 59, tzinfo=UTC), PACIFIC, datetime(2026, 11, 9, 8, tzinfo=UTC)),
        (datetime(2026, 11, 2, 1, tzinfo=UTC), PACIFIC, datetime(2026, 11, 1, 7, tzinfo=UTC)),
    ],
)
def test_yesterday_ends_at_midnight_of_the_bills_zone(now: datetime, timezone: str, end: datetime) -> None:
    assert end_of_yesterday(now, timezone) == end
    asked = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(parse_qs(urlsplit(request.path).query))
        saying(vector("1"))(request)

    with server(answer) as address:
        UnitCounts([UnitQuery("order", "sum(x)", address)], timezone).read(now)
    assert asked == [{"query": ["sum(x)"], "time": [f"{end.timestamp():.0f}"]}]


def read_days(address: str, days: list[date]) -> Mapping[date, float] | UnitFailure:
    query = UnitQuery("order", "sum(orders)", address)
    return UnitCounts([query], PACIFIC).read_days(query, days)


def matrix(*series: list[tuple[float, str]]) -> str:
    return success("matrix", [{"metric": {}, "values": [list(each) for each in found]} for found in series])


def test_each_run_of_days_without_a_change_of_clocks_is_one_request() -> None:
    asked: list[dict[str, list[str]]] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(request.path).query)
        asked.append(query)
        start = float(query["start"][0])
        saying(matrix([(start, "5"), (start + 86400, "NaN")]))(request)

    # Clocks are set back in the night to 1 November, so that day has 25 hours.
    days = [date(2026, 10, 30) + timedelta(days=number) for number in range(4)]
    with server(answer) as address:
        found = read_days(address, days)
    assert found == {date(2026, 10, 30): 5.0, date(2026, 11, 1): 5.0}
    ends = [
        datetime(2026, 10, 31, 7),
        datetime(2026, 11, 1, 7),
        datetime(2026, 11, 2, 8),
        datetime(2026, 11, 3, 8),
    ]
    times = [f"{end.replace(tzinfo=UTC).timestamp():.0f}" for end in ends]
    assert [(each["start"], each["end"], each["step"]) for each in asked] == [
        ([times[0]], [times[1]], ["86400"]),
        ([times[2]], [times[3]], ["86400"]),
    ]


def test_days_without_data_have_no_number() -> None:
    with server(saying(matrix())) as address:
        assert read_days(address, [date(2026, 11, 9)]) == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (matrix([(0, "1")], [(0, "2")]), "many_values"),
        (vector("1"), "bad_answer"),
        (success("matrix", [{"values": [[1]]}]), "bad_answer"),
        (success("matrix", [{"values": [[1, "many"]]}]), "bad_answer"),
        (success("matrix", [{"histograms": []}]), "bad_answer"),
        (success("matrix", ["x"]), "bad_answer"),
        ("<html>", "bad_answer"),
        ("x" * 70_000, "many_values"),
    ],
)
def test_days_that_are_no_numbers_are_refused_as_a_whole(body: str, reason: str) -> None:
    with server(saying(body)) as address:
        found = read_days(address, [date(2026, 11, 9)])
    assert isinstance(found, UnitFailure)
    assert found.reason == reason
    assert found.text.startswith(f"unit_costs.order: {address} ")
