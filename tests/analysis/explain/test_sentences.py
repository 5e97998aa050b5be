"""Sentences about a change, as a person would write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from exporter.analysis.explain.change import Kind, Side, change_of
from exporter.analysis.explain.sentences import Line, sentence, signed_dollars

GEMINI = "output tokens of gemini-2.5-pro"


def said(before: Side, now: Side, kind: Kind = "use", what: str = GEMINI) -> str:
    line = Line("gcp", "Vertex AI", "northwind-assistant", what, what, "count", kind)
    return sentence("Vertex AI", {line: change_of(kind, before, now)})


def side(usd: str, quantity: float = 0) -> Side:
    return Side(Decimal(usd), quantity, known=True)


CASES = [
    (side("438.71", 1000), side("1798.71", 4100), "+$1,360: 4.1 times the {}, price unchanged"),
    (side("100", 100), side("60", 60), "-$40: 40% fewer {}, price unchanged"),
    (side("100", 100), side("125", 100), "+$25: {} 25% dearer per unit, use unchanged"),
    (side("100", 100), side("132", 120), "+$32: 20% more {}, price 10% up"),
    (Side(), side("9.5", 1), "+$9.50: {}, new"),
    (side("12", 1), Side(), "-$12: no more {}"),
    (side("12"), side("30"), "+$18: {} costs more ($12 before, $30 now)"),
]


@pytest.mark.parametrize(("before", "now", "expected"), CASES)
def test_the_largest_part_is_said_with_what_did_not_change(before: Side, now: Side, expected: str) -> None:
    assert said(before, now) == "Vertex AI " + expected.format(f"{GEMINI} in northwind-assistant")


def test_credits_corrections_and_taxes_are_called_so() -> None:
    assert said(side("-50"), side("-10"), "credits_and_commitments") == (
        f"Vertex AI +$40: $40 less in credits for {GEMINI} in northwind-assistant"
    )
    assert said(Side(), side("-20"), "corrections").startswith("Vertex AI -$20: corrections of -$20")
    assert said(Side(), side("5"), "taxes").startswith("Vertex AI +$5.00: taxes of +$5.00")
    assert said(side("50"), side("80"), "credits_and_commitments", "Commitment v1: Cpu") == (
        "Vertex AI +$30: commitments in northwind-assistant +$30 (Commitment v1: Cpu)"
    )


def test_where_one_line_is_not_most_of_it_the_others_are_counted() -> None:
    lines = {
        Line("gcp", "Vertex AI", "", name, name, "count", "use"): change_of("use", Side(), side("10", 1))
        for name in ("input", "output", "images")
    }
    assert sentence("Vertex AI", lines) == "Vertex AI +$30: input, new, and 2 more SKUs"


def test_small_amounts_have_cents() -> None:
    assert [signed_dollars(Decimal(usd)) for usd in ("1359.5", "-9.994", "0.004")] == [
        "+$1,360",
        "-$9.99",
        "+$0.00",
    ]
