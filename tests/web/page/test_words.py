from datetime import timedelta

import pytest

from exporter.web.page.words import age, dollars, percent, rate, signed_percent, small_dollars


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (0, "$0.00"),
        (-0.001, "$0.00"),
        (9.994, "$9.99"),
        (9.996, "$10"),
        (1234.56, "$1,235"),
        (-1234.56, "−$1,235"),  # noqa: RUF001
    ],
)
def test_dollars_are_whole_and_below_ten_they_have_cents(usd: float, words: str) -> None:
    assert dollars(usd) == words


def test_rates_have_cents_below_a_hundred() -> None:
    assert [rate(each) for each in (7.0, 99.99, 99.999, 1234.5, -5)] == [
        *("$7.00", "$99.99", "$100", "$1,235", "−$5.00")  # noqa: RUF001
    ]


def test_small_amounts_have_three_digits() -> None:
    assert [small_dollars(each) for each in (7.4840, 0.12345, 0.00012345, 0.0000012, 0, 271)] == [
        *("$7.48", "$0.123", "$0.000123", "$1.20e-06", "$0.00", "$271")
    ]


def test_a_share_is_100_percent_only_when_all_is_used() -> None:
    assert [percent(each) for each in (0.996, 1.0, 0.29, 12.345, -0.5)] == [
        *("99%", "100%", "29%", "1,234%", "-50%")
    ]


def test_a_change_has_its_sign() -> None:
    assert [signed_percent(each) for each in (0.114, -0.5)] == ["+11%", "−50%"]  # noqa: RUF001


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-300, "just now"),
        (0.4, "just now"),
        (1, "1 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7199, "119 min ago"),
        (7200, "2 h ago"),
        (172_799, "47 h ago"),
        (172_800, "2 d ago"),
    ],
)
def test_ages_are_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert age(timedelta(seconds=seconds)) == words
