"""Strict reading of YAML, and therefore JSON: the values, the line of every key, and all faults at once.

A key given twice is a fault, never a silent overwrite. No message repeats a value: it may be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import yaml

KeyPath = tuple[str | int, ...]
"""Where a value is: keys of mappings and indices of lists, from the outside in."""

UNREADABLE: Final = object()
"""Stands for a value that could not be read; a Fault has the reason."""

_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset(
    _TAG + name
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
)
_AS_WRITTEN: Final = frozenset(_TAG + name for name in ("timestamp", "merge", "value"))
_NOT_JSON: Final = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake at one place; the rest can still be read."""

    path: KeyPath
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a text: mappings as dict with str keys, lists, str, int, float, bool and None."""

    value: object
    lines: Mapping[KeyPath, int]
    """Line (from 1) of each key and list item."""
    faults: tuple[Fault, ...]


class NotYaml(ValueError):
    """The text as a whole cannot be read; the message names line and column."""


def read(text: str) -> Document:
    """Read one YAML or JSON document. An empty text is None. Raises NotYaml."""
    from_json = _json(text)
    if from_json is not _NOT_JSON:
        # In JSON a tab is always white space, and PyYAML refuses tabs.
        text = text.replace("\t", " ")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        walk = _Walk(loader)
        value = None if node is None else walk.value(node, ())
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotYaml(f"line {line}: a control character that YAML does not allow") from None
    except yaml.MarkedYAMLError as error:
        raise NotYaml(_described(error)) from None
    except RecursionError:
        raise NotYaml("mappings or lists nested too deeply") from None
    return Document(value if from_json is _NOT_JSON else from_json, walk.lines, tuple(walk.faults))


def _json(text: str) -> object:
    """Values as in JSON: YAML 1.1 would read 1e3 as text and split an escaped emoji in two."""
    if not text.lstrip().startswith("{"):
        return _NOT_JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _described(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    text = ", ".join(part for part in (error.context, error.problem) if part)
    # For YAML a password such as *word or !word is an alias or a tag, and its message would repeat it.
    return place + re.sub(r"(alias|anchor|handle|tag) ['\"].*['\"]", r"\1", text)


class _Walk:
    """One pass over the nodes of a document."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self.lines: dict[KeyPath, int] = {(): 1}
        self.faults: list[Fault] = []
        self._loader = loader
        self._open: set[int] = set()
        self._done: dict[int, object] = {}

    def value(self, node: yaml.Node, path: KeyPath) -> object:
        """The node's value; an alias is read once, however often it is used."""
        identity = id(node)
        if identity in self._done:
            return self._done[identity]
        if identity in self._open:
            return self._fault(path, node, "contains itself; write the value out")
        if node.tag not in _PLAIN_TAGS:
            return self._fault(path, node, "has a YAML tag, which is not supported here; remove it")
        self._open.add(identity)
        if isinstance(node, yaml.MappingNode):
            result: object = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            result = self._list(node, path)
        else:
            result = self._scalar(node)
        self._open.remove(identity)
        self._done[identity] = result
        return result

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(path, key_node, "has a list or mapping as a key; a key must be a word")
                continue
            # As written: as keys, `on` and `1` are words, not a boolean and a number.
            key: str = key_node.value
            line = key_node.start_mark.line + 1
            here = (*path, key)
            if key in result:
                text = f"is given twice, first in line {self.lines[here]}; keep one of them"
                self.faults.append(Fault(here, line, text))
            self.lines[here] = line
            result[key] = self.value(value_node, here)
        return result

    def _list(self, node: yaml.SequenceNode, path: KeyPath) -> list[object]:
        result = []
        for index, item in enumerate(node.value):
            self.lines[(*path, index)] = item.start_mark.line + 1
            result.append(self.value(item, (*path, index)))
        return result

    def _scalar(self, node: yaml.Node) -> object:
        if node.tag in _AS_WRITTEN:
            return node.value
        try:
            return self._loader.construct_object(node)
        except (ValueError, LookupError, yaml.YAMLError):
            # PyYAML fails on a few texts that look like numbers, such as 0x_; they stay texts.
            return node.value

    def _fault(self, path: KeyPath, node: yaml.Node, text: str) -> object:
        self.faults.append(Fault(path, node.start_mark.line + 1, text))
        return UNREADABLE
