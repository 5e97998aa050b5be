import gzip
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics.exposition.exposition import Exposition, format_value, render
from exporter.metrics.families import Family, FamilySamples

GAUGE = Family("cost_usd", "gauge", ("service", "sku"), "What it cost.", "usd")
COUNTER = Family("billed_usd_total", "counter", ("service", "sku"), "What was billed.", "usd")
BARE = Family("requests", "gauge", (), "Without labels.")
AWKWARD = [
    '"',
    "\\",
    "\n",
    '\\"',
    "\\n",
    "\\\\n",
    "\r",
    "\r\n",
    "\t",
    "\0",
    "{",
    "}",
    ",",
    "=",
    " ",
    "#",
    "é",
    "🤑",
    "%s",
]

label_values = st.text(max_size=30) | st.lists(st.sampled_from(AWKWARD), max_size=12).map("".join)
label_names = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,8}", fullmatch=True)

Sample = tuple[tuple[str, ...], float]


def of(family: Family, *samples: Sample) -> FamilySamples:
    return FamilySamples(family, samples)


def text(*families: FamilySamples) -> str:
    return render(families).text.decode()


def openmetrics(*families: FamilySamples) -> str:
    return render(families).openmetrics.decode()


def samples_of(metric: Metric, labels: tuple[str, ...]) -> list[Sample]:
    return [(tuple(sample.labels[name] for name in labels), float(sample.value)) for sample in metric.samples]


def same(left: list[Sample], right: list[Sample]) -> bool:
    return len(left) == len(right) and all(
        a == b and (x == y or (math.isnan(x) and math.isnan(y)))
        for (a, x), (b, y) in zip(left, right, strict=True)
    )


def families_with_samples(values: st.SearchStrategy[float], kind: str) -> st.SearchStrategy[FamilySamples]:
    def build(labels: tuple[str, ...]) -> st.SearchStrategy[FamilySamples]:
        family = Family("cost_total" if kind == "counter" else "cost", kind, labels, "Help.")  # type: ignore[arg-type]
        sample = st.tuples(st.tuples(*[label_values] * len(labels)), values)
        unique = st.lists(sample, min_size=1, max_size=4, unique_by=lambda pair: pair[0])
        return unique.map(lambda samples: FamilySamples(family, samples))

    return st.lists(label_names, max_size=3, unique=True).map(tuple).flatmap(build)


@pytest.mark.slow
@given(families_with_samples(st.floats(), "gauge") | families_with_samples(st.floats(min_value=0), "counter"))
def test_both_formats_read_back_as_what_was_rendered(family_samples: FamilySamples) -> None:
    family, samples = family_samples.family, list(family_samples.samples)
    exposition = render([family_samples])
    [from_text] = parse_text(exposition.text.decode())
    [from_openmetrics] = parse_openmetrics(exposition.openmetrics.decode() + "# EOF\n")
    for metric in (from_text, from_openmetrics):
        assert metric.type == family.type
        assert {sample.name for sample in metric.samples} == {family.name}
        assert same(samples_of(metric, family.labels), samples)


@given(st.text(alphabet=st.sampled_from('"\\nab é🤑')))
def test_help_reads_back_in_both_formats(words: str) -> None:
    # prometheus_client's text parser drops white space around a help text.
    family = Family("cost", "gauge", (), f"<{words}\n>")
    exposition = render([of(family, ((), 1.0))])
    [from_text] = parse_text(exposition.text.decode())
    [from_openmetrics] = parse_openmetrics(exposition.openmetrics.decode() + "# EOF\n")
    assert from_text.documentation == from_openmetrics.documentation == family.help


def test_a_label_value_of_10_kb_with_everything_in_it_reads_back() -> None:
    value = ("".join(AWKWARD) + "abc") * 400
    assert len(value) > 10_000
    [metric] = parse_text(text(of(GAUGE, ((value, ""), 1.0))))
    assert metric.samples[0].labels == {"service": value, "sku": ""}


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert 'service="a\ufffdb"' in text(of(GAUGE, (("a\ud83db", "x"), 1.0)))


def test_a_pair_of_surrogates_becomes_the_character_it_means() -> None:
    assert 'service="🤑"' in text(of(GAUGE, (("\ud83e\udd11", "x"), 1.0)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (12434.56, "12434.56"),
        (5.0, "5"),
        (-1234567.0, "-1234567"),
        (4e-7, "4e-07"),
        (1795424367.123456, "1795424367.123456"),
        (9007199254740991.0, "9007199254740991"),
        (1e22, "1e+22"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_a_value_is_short_and_exact(value: float, expected: str) -> None:
    assert format_value(value) == expected


@given(st.floats(allow_nan=False))
def test_a_value_reads_back_as_the_same_float(value: float) -> None:
    assert float(format_value(value)) == value


def test_text_format_names_a_counter_with_total() -> None:
    assert text(of(COUNTER, (("Run", "cpu"), 2.5))) == (
        "# HELP billed_usd_total What was billed.\n"
        "# TYPE billed_usd_total counter\n"
        'billed_usd_total{service="Run",sku="cpu"} 2.5\n'
    )


def test_openmetrics_names_a_counter_family_without_total_and_states_the_unit() -> None:
    assert openmetrics(of(COUNTER, (("Run", "cpu"), 2.5))) == (
        "# HELP billed_usd What was billed.\n"
        "# TYPE billed_usd counter\n"
        "# UNIT billed_usd usd\n"
        'billed_usd_total{service="Run",sku="cpu"} 2.5\n'
    )


def test_a_family_without_labels_has_no_braces() -> None:
    assert text(of(BARE, ((), 3.0))).endswith("\nrequests 3\n")


def test_a_family_without_samples_is_left_out_wholly() -> None:
    assert render([of(GAUGE), FamilySamples(BARE, iter(()))]) == render([])
    assert render([]).text == b""


def test_samples_may_come_from_a_generator() -> None:
    def generated() -> Iterator[Sample]:
        for number in range(3000):
            yield (f"service-{number}", "sku"), float(number)

    lines = text(FamilySamples(GAUGE, generated())).splitlines()
    assert len(lines) == 2 + 3000
    assert lines[-1] == 'cost_usd{service="service-2999",sku="sku"} 2999'


def test_families_with_the_same_labels_keep_their_own_values() -> None:
    exposition = text(of(GAUGE, (("Run", "cpu"), 1.0)), of(COUNTER, (("Run", "cpu"), 2.0)))
    assert 'cost_usd{service="Run",sku="cpu"} 1\n' in exposition
    assert 'billed_usd_total{service="Run",sku="cpu"} 2\n' in exposition


def test_gzip_holds_the_same_bytes_and_is_the_same_each_time() -> None:
    families = [of(GAUGE, *(((f"s{number}", "k"), number / 7) for number in range(2000)))]
    first, second = render(families), render(families)
    assert isinstance(first, Exposition)
    assert gzip.decompress(first.text_gzip) == first.text
    assert gzip.decompress(first.openmetrics_gzip) == first.openmetrics
    assert first == second


@pytest.mark.parametrize("distance", [1, 1500])
def test_the_same_labels_twice_are_refused(distance: int) -> None:
    samples: list[Sample] = [((f"s{number}", "k"), 1.0) for number in range(distance)]
    with pytest.raises(ValueError, match=r'cost_usd: the same labels twice: .service="s0",sku="k"'):
        render([of(GAUGE, *samples, samples[0])])


def test_labels_that_become_the_same_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="the same labels twice"):
        render([of(GAUGE, (("\ud800", "k"), 1.0), (("\ud801", "k"), 2.0))])


@pytest.mark.parametrize("values", [(), ("Run",), ("Run", "cpu", "more")])
def test_a_wrong_number_of_label_values_is_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="cost_usd: label values"):
        render([of(GAUGE, (values, 1.0))])


@pytest.mark.parametrize("label", ["", "1st", "a-b", "a b", "__name__", "é", "a\n"])
def test_an_invalid_label_name_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="is not a label name"):
        render([of(Family("cost", "gauge", (label,), "Help."), (("x",), 1.0))])


@pytest.mark.parametrize("name", ["", "1st", "a-b", "a b", "é", "a\n"])
def test_an_invalid_family_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a metric name"):
        render([of(Family(name, "gauge", (), "Help."), ((), 1.0))])


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (Family("cost", "gauge", ("a", "a"), "Help."), "a label name occurs twice"),
        (Family("cost", "counter", (), "Help."), "end with _total"),
        (Family("cost_total", "gauge", (), "Help."), "end with _total"),
        (Family("cost", "gauge", (), "Help.", "usd"), "does not end with its unit"),
    ],
)
def test_a_declaration_that_breaks_a_format_is_refused(family: Family, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render([of(family, (("x",) * len(family.labels), 1.0))])


def test_two_families_of_one_openmetrics_name_are_refused() -> None:
    with pytest.raises(ValueError, match="already a family of that name"):
        render(
            [of(Family("cost", "gauge", (), "A."), ((), 1.0)), of(Family("cost_total", "counter", (), "B."))]
        )


@pytest.mark.parametrize("value", [-0.01, math.nan, -math.inf])
def test_a_counter_that_no_counter_can_be_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"billed_usd_total: a counter cannot be"):
        render([of(COUNTER, (("Run", "cpu"), value))])


def test_a_gauge_at_quantiles_goes_out_without_a_type_that_it_is_not() -> None:
    family = Family("spend_forecast_usd", "gauge", ("quantile",), "Forecast.", "usd")
    made = render([FamilySamples(family, [(("0.5",), 1.0)])])
    assert b"# TYPE spend_forecast_usd untyped\n" in made.text
    assert b"# TYPE spend_forecast_usd unknown\n" in made.openmetrics
    assert b'spend_forecast_usd{quantile="0.5"} 1\n' in made.text
