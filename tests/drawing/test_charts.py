"""The charts are well-formed, say in words what they show, and their areas are the amounts."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.drawing.scale import round_steps
from exporter.drawing.share_bar import share_bar
from exporter.drawing.sparkline import sparkline
from exporter.drawing.stacked_bars import Bar, stacked_bars

AMOUNTS = st.lists(
    st.lists(st.none() | st.floats(-1e6, 1e9), min_size=3, max_size=3), min_size=1, max_size=12
)
EVIL = "\"><script>&\x00\ufffe'"


def drawn(amounts: list[list[float | None]], name: str = "x") -> ElementTree.Element:
    bars = [Bar(name, name, each, link=name, marked=True) for each in amounts]
    return ElementTree.fromstring(stacked_bars(bars, width=1000, height=300, title=name, desc=name))


@given(AMOUNTS)
def test_each_amount_is_a_rectangle_of_its_height(amounts: list[list[float | None]]) -> None:
    steps = round_steps(
        min(sum(each for each in bar if each and each < 0) for bar in amounts),
        max(sum(each for each in bar if each and each > 0) for bar in amounts),
    )
    per_usd = (300 - 12 - 24) / (steps[-1] - steps[0])
    heights = [
        float(rect.attrib["height"])
        for rect in drawn(amounts).iter("rect")
        if rect.attrib["class"].startswith("series-")
    ]
    expected = [abs(each) * per_usd for bar in amounts for each in bar if each]
    assert heights == pytest.approx(expected, abs=0.51, rel=1e-3)


@given(st.floats(-1e9, 0), st.floats(0, 1e12))
def test_the_steps_of_a_scale_enclose_all_and_are_few(low: float, high: float) -> None:
    steps = round_steps(low, high)
    assert steps[0] <= low + 1e-9
    assert steps[-1] >= high - 1e-9
    assert 0 in steps
    assert len(steps) <= 7


def test_names_cannot_break_out_of_a_picture() -> None:
    for picture in (
        drawn([[1.0, 2.0, None]], EVIL),
        ElementTree.fromstring(sparkline([1, None, 2], title=EVIL, desc=EVIL)),
        ElementTree.fromstring(share_bar(0.5, 0.8, state=EVIL, title=EVIL, desc=EVIL)),
    ):
        assert {each.tag for each in picture.iter()} <= {
            *("svg", "title", "desc", "a", "g", "rect", "line", "text", "path", "circle")
        }
        assert picture.attrib["role"] == "img"
        assert picture.find("title") is not None
        assert picture.find("desc") is not None


def test_a_line_is_broken_where_nothing_is_known() -> None:
    line = ElementTree.fromstring(sparkline([1.0, None, 2.0, 3.0], title="a", desc="b"))
    path = line.find("path")
    assert path is not None
    assert [each for each in path.attrib["d"] if each.isalpha()] == ["M", "M", "L"]


def test_nothing_at_all_is_a_picture_too() -> None:
    assert ElementTree.fromstring(sparkline([], title="a", desc="b")).find("path") is None
    assert (
        list(ElementTree.fromstring(stacked_bars([], width=9, height=99, title="a", desc="b")).iter("g"))
        == []
    )


def test_a_bar_beyond_its_limit_has_the_limit_within() -> None:
    bar = ElementTree.fromstring(share_bar(2.0, None, state="critical", title="a", desc="b"))
    widths = {each.attrib["class"]: float(each.attrib["width"]) for each in bar.iter("rect")}
    assert widths["used critical"] == 2 * widths["track"] == 400
