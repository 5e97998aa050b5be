"""A renderer that keeps what has not changed renders the same as one that begins anew, and less of it."""

from __future__ import annotations

import gzip
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.exposition import gzip_member
from exporter.metrics.exposition.exposition import Exposition, Renderer, render
from exporter.metrics.families import Family, FamilySamples

GAUGE = Family("one_usd", "gauge", ("sku",), "One.", "usd")
OTHER = Family("other_usd", "gauge", ("sku", "region"), "Other.", "usd")
COUNTER = Family("calls_total", "counter", ("sku",), "Calls.")

_values = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 1e300, math.inf])
_texts = st.sampled_from(["", "a", "b", 'with "quotes"', "\u00fc", "\n"])


@st.composite
def _states(draw: st.DrawFn) -> list[FamilySamples]:
    one = draw(st.dictionaries(st.tuples(_texts), _values, max_size=3))
    other = draw(st.dictionaries(st.tuples(_texts, _texts), _values, max_size=3))
    calls = draw(st.dictionaries(st.tuples(_texts), _values.filter(lambda value: value >= 0), max_size=3))
    since = {labels: draw(st.sampled_from([10.0, 20.0])) for labels in calls if draw(st.booleans())}
    families = [
        FamilySamples(GAUGE, list(one.items())),
        FamilySamples(OTHER, list(other.items())),
        FamilySamples(COUNTER, list(calls.items()), since),
    ]
    return draw(st.permutations(families))


def _plain(exposition: Exposition) -> tuple[bytes, ...]:
    return (
        exposition.text,
        exposition.openmetrics,
        gzip.decompress(exposition.text_gzip),
        gzip.decompress(exposition.openmetrics_gzip),
    )


@pytest.mark.slow
@given(st.lists(_states(), min_size=2, max_size=6))
def test_each_state_is_rendered_as_if_it_were_the_first(states: list[list[FamilySamples]]) -> None:
    renderer = Renderer()
    found = [renderer.render(state) for state in states]
    wanted = [render(state) for state in states]
    assert [*map(_plain, found)] == [*map(_plain, wanted)]
    assert [each.text_gzip for each in found] == [each.text_gzip for each in wanted]


def test_only_a_changed_family_is_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compressed: list[bytes] = []
    deflated = gzip_member.deflated

    def counting(data: bytes) -> bytes:
        compressed.append(data)
        return deflated(data)

    monkeypatch.setattr(gzip_member, "deflated", counting)
    renderer = Renderer()
    families = [FamilySamples(GAUGE, [(("a",), -1.0)]), FamilySamples(OTHER, [(("a", "b"), 1.0)])]
    renderer.render(families)
    compressed.clear()
    shown = renderer.render([FamilySamples(GAUGE, [(("a",), -2.0)]), families[1]])
    assert len(compressed) == 2
    assert all(b"one_usd" in data and b"other_usd" not in data for data in compressed)
    assert b'one_usd{sku="a"} -2\n' in shown.text
    assert b'other_usd{sku="a",region="b"} 1\n' in shown.text


def test_an_exposition_that_did_not_change_is_the_same_object_so_that_nobody_copies_it() -> None:
    renderer = Renderer()
    families = [FamilySamples(GAUGE, [(("a",), 1.0)]), FamilySamples(COUNTER, [(("a",), 1.0)], {("a",): 5.0})]
    first = renderer.render(families)
    assert renderer.render([replace(each, samples=iter(list(each.samples))) for each in families]) is first
    assert renderer.render(families[:1]) is not first


def test_what_cannot_be_rendered_leaves_the_last_state_as_it_was() -> None:
    renderer = Renderer()
    good = [FamilySamples(GAUGE, [(("a",), 1.0)])]
    first = renderer.render(good)
    with pytest.raises(ValueError, match="one_usd: the same labels twice"):
        renderer.render([FamilySamples(GAUGE, [(("a",), 1.0), (("a",), 2.0)])])
    assert renderer.render(good) is first
