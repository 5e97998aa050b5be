"""The whole picture of `spend-exporter top`: its sections, fitted into the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.text import Text

from exporter.cli.commands.top_sections import (
    Section,
    activity,
    budgets,
    cloud_run,
    services,
    sources,
    totals,
)
from exporter.cli.commands.top_words import ASCII, UNICODE, Signs, age
from exporter.client import Summary
from exporter.core.printable import printable

_TWO_COLUMNS: Final = 112
"""From this width on, sections are beside each other."""

_NO_END: Final = 10_000
_LEAST_LINES: Final = 3
"""Of a section, with its title."""


@dataclass(frozen=True, slots=True)
class View:
    """The last figures, how old they are, and why there are no newer ones."""

    url: str
    summary: Summary
    age_seconds: float = 0.0
    lost: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or options.size.height
        lines = _fitted(self, options.max_width, height, _signs(options))
        return iter(lines[:height])


def whole_view(view: View, options: ConsoleOptions) -> Group:
    """Return everything below each other, however many lines that takes."""
    signs = _signs(options)
    width = options.max_width
    sections = _sections(view, signs)
    return Group(*_head(view, width, signs), *_column(sections, width, _NO_END, signs))


def _signs(options: ConsoleOptions) -> Signs:
    return ASCII if options.ascii_only else UNICODE


def _fitted(view: View, width: int, height: int, signs: Signs) -> list[Text]:
    head = _head(view, width, signs)
    foot = Text(f"q quits{'' if view.lost is None else '   ' + printable(view.lost)}", "dim")
    left = height - len(head) - 1
    sections = _sections(view, signs)
    if width >= _TWO_COLUMNS:
        half = (width - 3) // 2
        body = _beside(
            _column(sections[:2], half, left, signs),
            _column(sections[2:], width - 3 - half, left, signs),
            half,
            signs,
        )
    else:
        body = _column(sections, width, left, signs)
    body = [*body, *[Text()] * (left - len(body))][: max(0, left)]
    return [_line(text, width) for text in (*head, *body, foot)]


def _sections(view: View, signs: Signs) -> list[Section]:
    """Those of the left column, then those of the right one."""
    summary = view.summary
    return [
        budgets(summary, signs),
        services(summary, signs),
        cloud_run(summary, signs),
        activity(summary, signs),
        sources(summary, view.age_seconds, signs),
    ]


def _head(view: View, width: int, signs: Signs) -> list[Text]:
    at = datetime.fromisoformat(view.summary.time)
    if view.lost is None:
        state = Text(f"{at:%H:%M:%S} UTC {signs.up} live", "green")
    else:
        state = Text(f"{at:%H:%M:%S} UTC {signs.down} no connection, {age(view.age_seconds)} old", "bold red")
    title = Text.assemble(("Spend Exporter", "bold"), f"  {printable(view.url)}")
    title.truncate(max(0, width - state.cell_len - 1))
    title.append(" " * max(1, width - title.cell_len - state.cell_len)).append_text(state)
    return [title, *totals(view.summary, signs)]


def _column(sections: Sequence[Section], width: int, height: int, signs: Signs) -> list[Text]:
    """Return the sections below each other; in a low terminal only the first of them."""
    shown = [section for section in sections if section.wanted][: max(1, height // _LEAST_LINES)]
    lines: list[Text] = []
    for section, most in zip(shown, _shares(shown, height - len(shown)), strict=True):
        title = Text(f"{signs.line * 2} {section.title} ", "cyan")
        title.append(signs.line * max(0, width - title.cell_len), "cyan")
        lines += [title, *section.lines(most, width)] if most > 0 else []
    return lines


def _shares(sections: Sequence[Section], height: int) -> list[int]:
    """Divide the lines: first the least of each section, then one each in turn while any wants more."""
    shares = [0] * len(sections)
    least = [min(each.least, each.wanted) for each in sections]
    for goal in (least, [each.wanted for each in sections]):
        while height > 0:
            hungry = [at for at, share in enumerate(shares) if share < goal[at]]
            if not hungry:
                break
            for at in hungry[:height]:
                shares[at] += 1
            height -= min(height, len(hungry))
    return shares


def _beside(left: Sequence[Text], right: Sequence[Text], half: int, signs: Signs) -> list[Text]:
    lines = []
    for one, other in zip_longest(left, right, fillvalue=Text()):
        line = Text().append_text(one)
        line.truncate(half)
        line.append(" " * (half - line.cell_len)).append(f" {signs.side} ", "cyan").append_text(other)
        lines.append(line)
    return lines


def _line(text: Text, width: int) -> Text:
    """Keep a line one line."""
    text.no_wrap, text.overflow = True, "crop"
    text.truncate(width)
    return text
