import pytest

from exporter.web.content_negotiation import accepts_gzip, negotiate_format

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
    + PROMETHEUS_3
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        PROMETHEUS_2,
        PROMETHEUS_3,
        PROTOBUF_FIRST,
        "application/openmetrics-text",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        'APPLICATION/OpenMetrics-Text; version="1.0.0"',
        "application/openmetrics-text, text/plain",
        "text/plain;q=0.5, application/openmetrics-text;q=0.5",
        "text/plain;q=0, */*",
        "application/*",
    ],
)
def test_openmetrics_goes_to_who_prefers_it(accept: str) -> None:
    assert negotiate_format(accept) == "openmetrics"


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        BROWSER,
        "text/plain",
        "text/plain;version=0.0.4;q=1,*/*;q=0.1",
        "application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.0, */*",
        "text/plain, application/openmetrics-text;q=0.9",
        "application/json",
        ";;,=,;q=",
    ],
)
def test_everyone_else_gets_text(accept: str) -> None:
    assert negotiate_format(accept) == "text"


@pytest.mark.parametrize("accept", ["application/openmetrics-text;q=nan", "application/openmetrics-text;q=7"])
def test_a_weight_that_is_none_counts_as_not_given(accept: str) -> None:
    assert negotiate_format(accept) == "openmetrics"


@pytest.mark.parametrize(
    "accept_encoding",
    ["gzip", "deflate, gzip;q=0.5", "GZIP", "x-gzip", "*", "gzip, deflate, br, zstd", "identity, gzip"],
)
def test_gzip_goes_to_who_takes_it(accept_encoding: str) -> None:
    assert accepts_gzip(accept_encoding)


@pytest.mark.parametrize(
    "accept_encoding",
    ["", "identity", "deflate", "gzip;q=0", "*;q=0", "gzip;q=0, *", "identity;q=1, gzip;q=0.5"],
)
def test_gzip_does_not_go_to_who_refuses_it(accept_encoding: str) -> None:
    assert not accepts_gzip(accept_encoding)
