"""Reading YAML and JSON strictly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.yaml import UNREADABLE, NotYaml, read

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DELETE = "\x7f"


@pytest.mark.slow
@given(
    document=st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=5),
    indent=st.sampled_from([None, 2, "\t"]),
)
def test_json_is_read_as_json_whatever_its_white_space(
    document: dict[str, object], indent: int | str | None
) -> None:
    text = json.dumps(document, indent=indent).replace(DELETE, r"\u007f")
    assert read(text).value == document
    assert read(text).faults == ()


def test_yaml_values_have_their_types() -> None:
    document = read("a: 1\nb: 1.5\nc: yes\nd:\ne: [x, 'y']\nf: {g: 127.0.0.1:9877}\n")
    assert document.value == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": ["x", "y"],
        "f": {"g": "127.0.0.1:9877"},
    }


@pytest.mark.parametrize("text", ["2024-01-01", "2024-13-45", "0x_", "0b_", "._", "<<", "="])
def test_what_only_looks_like_a_date_or_number_is_text(text: str) -> None:
    assert read(f"a: {text}").value == {"a": text}


@pytest.mark.parametrize("key", ["on", "1", "null", "1.5", "2024-01-01", "<<"])
def test_a_key_is_the_word_that_was_written(key: str) -> None:
    assert read(f"{key}: x").value == {key: "x"}


def test_lines_are_known_for_keys_and_items() -> None:
    document = read("a:\n  b: 1\n\n  c:\n    - x\n    - y\n")
    assert document.lines[("a", "b")] == 2
    assert document.lines[("a", "c", 1)] == 6


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", '{"a": 1,\n "b": 2,\n\t"a": 3}'])
def test_a_key_given_twice_is_a_fault_with_both_lines(text: str) -> None:
    [fault] = read(text).faults
    assert (fault.path, fault.line) == (("a",), 3)
    assert "line 1" in fault.text


def test_all_faults_are_reported_and_the_rest_is_read() -> None:
    document = read("a: !include x\nb: &b {c: *b}\nd: 1\n? [e]\n: 2\n")
    assert [fault.path for fault in document.faults] == [("a",), ("b", "c"), ()]
    assert document.value == {"a": UNREADABLE, "b": {"c": UNREADABLE}, "d": 1}


def test_an_alias_repeats_its_value_and_costs_nothing() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    document = read("l0: &l0 [x]\n" + levels)
    assert isinstance(document.value, dict)
    assert document.value["l1"] == [["x"]] * 9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1,\nb: 2", "line 2, column 5"),
        ("a: b: c", "line 1, column 5"),
        ("a:\n\tb: 1", "line 2, column 1"),
        ("a: 1\n--- \nb: 2", "line 2, column 1"),
        ("a: 1\nb: \x01", "line 2"),
        ("[" * 5_000, "nested too deeply"),
        ('{"a": ' * 5_000, "nested too deeply"),
    ],
)
def test_a_syntax_error_names_its_place(text: str, place: str) -> None:
    with pytest.raises(NotYaml, match=place):
        read(text)


@pytest.mark.parametrize(
    "value",
    ["*hunter2", "&hunter2", "!hunter2!x y", '"hunter2', "[hunter2", "hunter2: x", "%hunter2", "|hunter2"],
)
def test_a_syntax_error_repeats_no_value(value: str) -> None:
    try:
        reported = [fault.text for fault in read(f"password: {value}\n").faults]
    except NotYaml as error:
        reported = [str(error)]
    assert "hunter2" not in "".join(reported)


def test_an_empty_text_is_nothing() -> None:
    assert read("# only a comment\n").value is None
