"""Writes the findings of `spend-exporter check`: line by line for people, or as JSON at the end."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections import Counter
from typing import Any, Final, Protocol, TextIO

from exporter.core.printable import without_access
from exporter.sources.base import Finding

_WIDEST: Final = 110
_NARROWEST_IN_COLUMNS: Final = 70
_WHAT_WIDTH: Final = 18
_MARKS: Final = {"ok": "ok", "warning": "warning", "trouble": "TROUBLE"}
_MARK_WIDTH: Final = max(map(len, _MARKS.values()))
_COLOURS: Final = {"ok": "32", "warning": "33", "trouble": "1;31", "heading": "1", "progress": "2"}
"""SGR codes: green, yellow, bold red, bold, dim."""


class Report(Protocol):
    """Takes findings one after the other."""

    def begin(self, part: str) -> None:
        """Start the part of the set-up that the next findings are about."""
        ...

    def add(self, finding: Finding) -> None:
        """Take a finding."""
        ...

    def progress(self, text: str) -> None:
        """Take a short line about the current step."""
        ...

    def end(self) -> None:
        """Write the summary."""
        ...


def level(finding: Finding) -> str:
    """Return `ok`, `warning` or `trouble`."""
    if not finding.ok:
        return "trouble"
    return "warning" if finding.warning else "ok"


class TextReport:
    """A line per finding, under a heading per part; with colour, wrapping and progress on a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._coloured = (
            self._terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        self._counts: Counter[str] = Counter()
        self._part = ""

    def begin(self, part: str) -> None:
        """Print the part's name as a heading."""
        self._print(("\n" if self._part else "") + self._painted("heading", part))
        self._part = part
        self.progress("looking ...")

    def add(self, finding: Finding) -> None:
        """Print the finding."""
        kind = level(finding)
        self._counts[kind] += 1
        mark = self._painted(kind, f"{_MARKS[kind]:<{_MARK_WIDTH}}")
        what, *lines = self._laid_out(finding)
        self._print("\n".join([f"  {mark}  {what}", *lines]))
        self.progress("looking ...")

    def progress(self, text: str) -> None:
        """Show the text until the next finding, on a terminal only."""
        if self._coloured:
            # A text that fills the line would wrap, and could not be erased.
            shown = _plain(text)[: shutil.get_terminal_size().columns - 3]
            self._out.write(f"\r\033[K  {self._painted('progress', shown)}")
            self._out.flush()

    def end(self) -> None:
        """Print how many findings of each kind there were."""
        trouble, warnings, fine = (self._counts[kind] for kind in ("trouble", "warning", "ok"))
        counts = [f"{fine} ok"]
        if warnings:
            counts.insert(0, f"{warnings} {'warning' if warnings == 1 else 'warnings'}")
        if trouble:
            counts.insert(0, self._painted("trouble", f"{trouble} TROUBLE"))
            verdict = "Fix what is marked TROUBLE and check again."
        else:
            verdict = "`spend-exporter serve` can start."
        self._print(f"\n{', '.join(counts)}\n{verdict}")

    def _laid_out(self, finding: Finding) -> list[str]:
        """The finding's lines; the first one follows the mark."""
        what, detail = _plain(finding.what), _plain(finding.detail)
        if not self._terminal:
            # One line each, whatever its length, so that grep works.
            return [f"{what:<{_WHAT_WIDTH}}  {detail}"]
        width = min(shutil.get_terminal_size().columns, _WIDEST)
        in_columns = width >= _NARROWEST_IN_COLUMNS
        indent = 2 + _MARK_WIDTH + 2 + _WHAT_WIDTH + 2 if in_columns else 4
        wrapped = textwrap.wrap(
            detail, max(20, width - indent), break_long_words=False, break_on_hyphens=False
        )
        hanging = [" " * indent + line for line in wrapped]
        if in_columns:
            return [f"{what:<{_WHAT_WIDTH}}  {wrapped[0] if wrapped else ''}".rstrip(), *hanging[1:]]
        return [what, *hanging]

    def _painted(self, kind: str, text: str) -> str:
        return f"\033[{_COLOURS[kind]}m{text}\033[0m" if self._coloured else text

    def _print(self, text: str) -> None:
        if self._coloured:
            self._out.write("\r\033[K")
        self._out.write(f"{text}\n")
        self._out.flush()


class JsonReport:
    """One JSON document at the end, for programs."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._findings: list[dict[str, Any]] = []
        self._part = ""

    def begin(self, part: str) -> None:
        """Remember the part."""
        self._part = part

    def add(self, finding: Finding) -> None:
        """Remember the finding."""
        entry = {"part": self._part, "level": level(finding), "what": finding.what, "detail": finding.detail}
        self._findings.append(entry)

    def progress(self, text: str) -> None:
        """Ignore it: a document has no place for progress."""

    def end(self) -> None:
        """Print the document."""
        trouble = any(entry["level"] == "trouble" for entry in self._findings)
        json.dump({"trouble": trouble, "findings": self._findings}, self._out, indent=2)
        self._out.write("\n")


def _plain(text: str) -> str:
    """The text as one printable line, so that no file name or answer can control the terminal."""
    text = without_access(text).replace("…", "...")
    return "".join(
        each if each.isprintable() else " " if each.isspace() else repr(each)[1:-1] for each in text
    )
