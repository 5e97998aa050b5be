"""Widths of Inter, Grafana's font, at the weight of panel titles (500), from the font's own table."""

from __future__ import annotations

from typing import Final

_THOUSANDTHS: Final[dict[int, str]] = {
    252: "ijl",
    267: " ",
    272: "I",
    303: ",.:",
    304: "!",
    313: "'",
    315: ";",
    337: "`",
    340: "t",
    346: "|",
    369: "()[]",
    370: "/\\",
    379: "f",
    387: "r",
    415: "1",
    440: "{}",
    462: "-",
    463: "_",
    477: "^",
    494: '"',
    521: "*",
    527: "?",
    539: "s",
    557: "x",
    559: "kz",
    565: "L",
    568: "a",
    571: "7",
    575: "vyJ",
    577: "c",
    587: "e",
    589: "F",
    602: "hnu",
    603: "5E",
    604: "o",
    616: "2",
    618: "bdpq",
    620: "g",
    627: "3",
    629: "8",
    630: "69",
    639: "#",
    641: "Z",
    642: "P",
    646: "0S$",
    648: "R",
    653: "T&",
    656: "4",
    657: "B",
    667: "+<=>~",
    688: "K",
    696: "Y",
    701: "X",
    709: "AV",
    722: "D",
    733: "C",
    740: "U",
    745: "H",
    748: "G",
    756: "N",
    767: "O",
    769: "Q",
    829: "w",
    888: "m",
    913: "M",
    982: "@",
    993: "%",
    1003: "W",
}
"""Characters by their width in thousandths of the font size."""

_WIDTHS: Final = {each: width for width, characters in _THOUSANDTHS.items() for each in characters}
_TITLE_PIXELS: Final = 14


def title_pixels(title: str) -> float:
    """Return how wide a panel's title is."""
    return sum(_WIDTHS[each] for each in title) * _TITLE_PIXELS / 1000


def room_for_title(columns: int) -> float:
    """Return the pixels for the title of a panel of that width, in a window of 1280 pixels.

    The docked menu takes 300 pixels and the margins 32; panels are 8 apart; beside a title are its padding,
    the mark of the description and the place of the panel's menu, 74 in all. Measured in Grafana 12.3.
    """
    board = 1280 - 300 - 32
    return (board + 8) / 24 * columns - 8 - 74
