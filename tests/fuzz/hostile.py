"""What a hostile world may hand to a parser: odd values, documents changed at any place, bytes cut and mixed.

FUZZ_EXAMPLES in the environment is how many examples each property tries; without it, a few.
"""

from __future__ import annotations

import copy
import json
import os
import random
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

SHORT: Final = 8
"""Examples of each property where nobody says how many: the whole folder then takes less than a minute."""

SECRET: Final = "sk-admin-Hh7vQ2mZx9Lw4Tn8"

ODD_TEXTS: Final = (
    *("", " ", "\t", "\0", "\x1b[31mred\x1b[0m", "\x9b2J", "\u202eevil", "\u2028", "\ufeff", "a" * 5_000),
    *("NaN", "nan", "Infinity", "-inf", "1e400", "-1e400", "1e38", "-1e38", "1e-400", "9" * 60, "0.1" * 9),
    *(
        "0x10",
        "1_000",
        "\uff11\uff12",
        "1,5",
        "$5",
        "+1",
        "--1",
        "1e",
        ".",
        "-",
        "1/2",
        "0e0",
        "-0",
        "9" * 11,
    ),
    *("2026-13-45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-10T08:00:00+99:99"),
    *("290309-12-22 00:00:00 (BC)", "infinity", "-infinity", "epoch", "2026-11-10", "1762761600", "24:00"),
    *(
        "{}",
        "[]",
        "null",
        "true",
        '{"a": ',
        "[[[[[[",
        "'; DROP TABLE charge; --",
        "%s%n{0}",
        "../../etc/passwd",
    ),
    *("USD", "EUR", "usd", "XXX", "Usage", "Credit", "Correction", "gcp", "openai", SECRET),
)
ODD_NUMBERS: Final = (
    *(
        0,
        -1,
        1,
        2**31,
        2**53 + 1,
        2**63,
        -(2**63) - 1,
        2**64,
        10**11,
        10**18,
        10**19,
        10**30,
        10**38,
        -(10**400),
    ),
    *(0.1, -0.0, 5e-324, 1e-19, 1e15, 1e19, 1e20, 1e38, -1e38, 1e308, -1e308),
    *(float("nan"), float("inf"), float("-inf")),
)
ODD_BYTES: Final = (
    *(
        b"\0",
        b"\n",
        b"\r",
        b"\r\n",
        b'"',
        b'""',
        b"'",
        b"\\",
        b",",
        b";",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"<html>",
    ),
    *(b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\x1b[2J", b"\xe2\x80\xae", b"\\ud800"),
    *(b"NaN", b"-Infinity", b"1e999", b"9" * 5_000, b"null", b"[" * 3_000, b'{"a":' * 3_000, b"\x1f\x8b\x08"),
)
ODD_VALUES: Final = (
    *(
        None,
        True,
        False,
        [],
        {},
        [[]],
        [{}],
        [None],
        {"": None},
        {"value": {}},
        [1, "a", None],
        {"\0": [float("nan")]},
    ),
    *ODD_TEXTS,
    *ODD_NUMBERS,
)

TEXTS: Final = st.sampled_from(ODD_TEXTS)
NUMBERS: Final = st.sampled_from(ODD_NUMBERS)
LEAVES: Final = st.none() | st.booleans() | NUMBERS | TEXTS | st.text(max_size=5)
VALUES: Final = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
CHANCES: Final = st.integers(0, 2**32).map(random.Random)
"""For what a server in another thread does, which may draw no examples: one number reproduces it."""


def examples() -> int:
    """How many examples each property tries."""
    return int(os.environ.get("FUZZ_EXAMPLES", SHORT))


def fuzzing(share: float = 1.0) -> settings:
    """Settings of a property; `share` is less than one where an example is expensive."""
    return settings(
        max_examples=max(3, round(examples() * share)),
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        inner = list(value.items())
    else:
        inner = list(enumerate(value)) if isinstance(value, list) else []
    for key, each in inner:
        found += _places(each, (*path, key))
    return found


@st.composite
def changed(draw: st.DrawFn, document: Any, values: st.SearchStrategy[Any] = VALUES, most: int = 3) -> Any:
    """The document with some of its values replaced, removed or repeated, wherever they are."""
    made = {"document": copy.deepcopy(document)}
    for _ in range(draw(st.integers(1, most))):
        place = draw(st.sampled_from(_places(made["document"], ("document",))))
        _change(made, place, draw(st.sampled_from(_WAYS)), draw(values))
    return made["document"]


def changed_by(chance: random.Random, document: Any, most: int = 3) -> Any:
    """The same, by chance."""
    made = {"document": copy.deepcopy(document)}
    for _ in range(chance.randint(1, most)):
        place = chance.choice(_places(made["document"], ("document",)))
        _change(made, place, chance.choice(_WAYS), copy.deepcopy(chance.choice(ODD_VALUES)))
    return made["document"]


_WAYS: Final = ("replace", "replace", "replace", "remove", "repeat")


def _change(made: dict[str, Any], place: tuple[Any, ...], way: str, value: Any) -> None:
    *path, last = place
    around: Any = made
    for part in path:
        around = around[part]
    if way == "remove" and path:
        del around[last]
    elif way == "repeat" and isinstance(around, list):
        around.insert(last, copy.deepcopy(around[last]))
    else:
        around[last] = value


_LENGTHS: Final = (0, 0, 1, 2, 8, 64, 10**9)


@st.composite
def broken(draw: st.DrawFn, data: bytes, most: int = 4) -> bytes:
    """The bytes with some places cut out, overwritten, repeated or filled with something odd."""
    for _ in range(draw(st.integers(1, most))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.sampled_from(_LENGTHS)))
        put = draw(st.sampled_from(ODD_BYTES) | st.binary(max_size=4) | st.just(data[begin:end] * 2))
        data = data[:begin] + put + data[end:]
    return data


def broken_by(chance: random.Random, data: bytes, most: int = 4) -> bytes:
    """The same, by chance."""
    for _ in range(chance.randint(1, most)):
        begin = chance.randint(0, len(data))
        end = min(len(data), begin + chance.choice(_LENGTHS))
        put = chance.choice(
            [chance.choice(ODD_BYTES), chance.randbytes(chance.randint(0, 4)), data[begin:end] * 2]
        )
        data = data[:begin] + put + data[end:]
    return data


def written(value: Any) -> bytes:
    """As JSON of one line, however odd: NaN stays NaN, a half of a surrogate pair stays one."""
    return json.dumps(value).encode()
