"""All problems of a configuration at once, each with key path, requirement and a good value.

Requirements (`description`) and good values (`examples`) come from the model's own fields.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, get_args

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from exporter.config.yaml import UNREADABLE, KeyPath
from exporter.core.printable import without_access

EXPLAINED: Final = "explained"
"""Type of a PydanticCustomError whose message is already the end of a sentence for users."""

_SECRET_KEY: Final = re.compile(r"(key|token|password|secret|basic_auth_user)s?\Z", re.IGNORECASE)
_LONGEST_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration; its text is one line and contains no secret."""

    key: str
    """Key path such as `gcp.project_ids[1]`; empty for the file as a whole."""
    line: int | None
    text: str

    def __str__(self) -> str:
        line = f" (line {self.line})" if self.line else ""
        return f"{self.key}{line}: {self.text}" if self.key else self.text


class Section(BaseModel):
    """A section of keys, with the rules between them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:  # noqa: ARG003 - for subclasses
        """Yield the rules between keys that the given data breaks."""
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _check_keys_and_rules(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Check the rules between keys even if a single key is wrong, so that all problems show at once."""
        problems = list(cls._broken_rules(data)) if isinstance(data, Mapping) else []
        section = None
        try:
            section = handler(data)
        except ValidationError as error:
            for found in error.errors(include_url=False, include_context=False):
                kind = PydanticCustomError(found["type"], found["msg"])
                problems.append(InitErrorDetails(type=kind, loc=found["loc"], input=found["input"]))
        if section is None or problems:
            raise ValidationError.from_exception_data(cls.__name__, problems, hide_input=True)
        return section


def explained(path: KeyPath, text: str) -> InitErrorDetails:
    """A problem at a path within the section; its text has what is wrong and a good value."""
    return InitErrorDetails(type=PydanticCustomError(EXPLAINED, text), loc=path, input=None)


def problems_of(
    error: ValidationError, model: type[BaseModel], lines: Mapping[KeyPath, int]
) -> Iterator[Problem]:
    """Every problem that validation of `model` found, in the model's order."""
    for found in error.errors(include_url=False, include_context=False):
        path, value = found["loc"], found["input"]
        if value is not UNREADABLE:
            text = found["msg"] if found["type"] == EXPLAINED else _text(found["type"], path, value, model)
            yield Problem(key_text(path), _line(path, lines), text)


def _text(kind: str, path: KeyPath, value: object, model: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        return f"there is no such key in this version; {_known_instead(path, model)}"
    requirement, example = _requirement(path, model)
    if kind == "missing":
        return f"is missing, expected {requirement}{example}"
    return f"expected {requirement}, got {_shown(path, value)}{example}"


def every_key(model: type[BaseModel], path: KeyPath = ()) -> Iterator[tuple[KeyPath, FieldInfo]]:
    """Every key of a model and of the sections in it, outer keys before inner ones."""
    for name, field in model.model_fields.items():
        yield (*path, name), field
        section = section_of(field)
        if section is not None:
            yield from every_key(section, (*path, name))


def key_text(path: KeyPath) -> str:
    """A key path as people write it: `gcp.project_ids[1]`."""
    text = ""
    for part in path:
        if isinstance(part, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,80}", part):
            text += f".{part}" if text else part
        else:
            text += f"[{_shortened(part)}]"
    return text


def example_text(field: FieldInfo) -> str:
    """The field's first good value, as it would stand in the file."""
    example: Any = (field.examples or [None])[0]
    return example if isinstance(example, str) else json.dumps(example)


def _line(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """The line of the key, or of the nearest section that exists."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the section that a key holds, also where it may be a list of them; None for other keys."""
    for kind in (field.annotation, *get_args(field.annotation)):
        # A list that may be given as its one item has the item's keys.
        item = next(iter(get_args(get_args(kind)[0])), kind) if _may_be_one(kind) else kind
        if isinstance(item, type) and issubclass(item, BaseModel):
            return item
    return None


def may_be_one(field: FieldInfo) -> bool:
    """Return whether a list may be given as its one item, so that this is named without a number."""
    return any(_may_be_one(kind) for kind in (field.annotation, *get_args(field.annotation)))


def _may_be_one(kind: object) -> bool:
    return any(getattr(mark, "one_or_more", False) for mark in getattr(kind, "__metadata__", ()))


def _requirement(path: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    """Requirement and good value of the key at a path; for an item of a list, those of the list."""
    known = dict(every_key(model))
    for length in range(len(path), 0, -1):
        keys = tuple(part for part in path[:length] if not isinstance(part, int))
        field = known.get(keys)
        if field is not None:
            return str(field.description), f"; for example {keys[-1]}: {example_text(field)}"
    return f"a mapping of keys ({', '.join(model.model_fields)})", ""


def _known_instead(path: KeyPath, model: type[BaseModel]) -> str:
    """The most similar key of the section, else one of that name elsewhere, else all keys here."""
    wanted = str(path[-1])[:_LONGEST_SHOWN].lower().replace("-", "_")
    known = list(every_key(model))
    above = tuple(part for part in path[:-1] if not isinstance(part, int))
    siblings = {str(key[-1]): field for key, field in known if key[:-1] == above}
    for name in difflib.get_close_matches(wanted, siblings, n=1, cutoff=0.6):
        return f"did you mean {name}, for example {name}: {example_text(siblings[name])}"
    for key, field in known:
        if difflib.get_close_matches(wanted, [str(key[-1])], cutoff=0.75):
            return f"did you mean {key_text(key)}, for example {key[-1]}: {example_text(field)}"
    return f"known here: {', '.join(siblings)}"


def names_secret(path: KeyPath) -> bool:
    """Return whether the value at the path may be a secret, judged by its name, and must not be shown."""
    return any(isinstance(part, str) and _SECRET_KEY.search(part) for part in path)


def _shown(path: KeyPath, value: object) -> str:
    """A value as a message may show it: short, on one line, without secrets and sections."""
    if names_secret(path):
        return "a value that is not shown"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    too_long = isinstance(value, int) and value.bit_length() > 128
    text = "" if too_long else without_access(repr(value))
    return text if 0 < len(text) <= _LONGEST_SHOWN and "\\n" not in text else "a long value"


def _shortened(part: str | int) -> str:
    text = repr(part)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


class ConfigError(Exception):
    """The configuration cannot be used. The text has a line for every problem and contains no secret."""

    def __init__(self, place: str, problems: Sequence[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n  ".join([f"{place}: {count}", *map(str, problems)]))
        self.problems = tuple(problems)
