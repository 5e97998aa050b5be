"""The questions of `spend-exporter init`: few, each with a default that the Enter key takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO, TypeVar

from exporter.cli.commands.init_text import Answers

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Questions:
    """Asks on one stream, reads lines from another. The end of input takes every default."""

    answers: TextIO
    screen: TextIO

    def text(self, question: str) -> str:
        """Return what was typed, without spaces around it; empty for Enter."""
        print(f"{question} ", end="", file=self.screen, flush=True)
        return self.answers.readline().strip()

    def file(self, question: str) -> Path | None:
        """Return a file that exists; None for Enter. Ask again for one that does not."""
        while typed := self.text(f"{question} [none]:"):
            path = Path(typed).expanduser()
            if path.is_file():
                return path
            print(f"  there is no file {path}", file=self.screen)
        return None

    def dollars(self, question: str) -> float | None:
        """Return an amount above 0; None for Enter. Ask again for anything else."""
        while typed := self.text(f"{question} [none]:"):
            try:
                amount = float(typed.replace(",", "").removeprefix("$"))
            except ValueError:
                amount = 0.0
            if 0 < amount < 1e12:
                return amount
            print("  write a number of dollars, such as 5000", file=self.screen)
        return None

    def some_of(self, question: str, items: Sequence[_Item], name: Callable[[_Item], str]) -> Sequence[_Item]:
        """Return the items whose numbers were typed; all of them for Enter."""
        print(question, file=self.screen)
        for number, item in enumerate(items, 1):
            print(f"  {number}  {name(item)}", file=self.screen)
        while typed := self.text("Numbers, with spaces between them [all]:"):
            numbers = [int(word) for word in typed.replace(",", " ").split() if word.isdigit()]
            if numbers and all(1 <= number <= len(items) for number in numbers):
                return [items[number - 1] for number in dict.fromkeys(numbers)]
            print(f"  write numbers from 1 to {len(items)}", file=self.screen)
        return items


def asked_answers(answers: Answers, questions: Questions) -> Answers:
    """Ask for what no credentials can show, unless a flag has said it."""
    openai = answers.openai_key_file or questions.file("File with an OpenAI admin key")
    anthropic = answers.anthropic_key_file or questions.file("File with an Anthropic admin key")
    focus = answers.focus_files
    if not focus:
        typed = questions.text("Files of other bills in FOCUS format, such as bills/*.csv [none]:")
        focus = [typed] if typed else []
    budget = answers.monthly_budget_usd
    if budget is None:
        budget = questions.dollars("Budget for a month, in US dollars, for everything together")
    return replace(
        answers,
        openai_key_file=openai,
        anthropic_key_file=anthropic,
        focus_files=focus,
        monthly_budget_usd=budget,
    )
