"""Reads a policy file's YAML into plain data, keeping the line of every value.

Works on YAML events with a stack of its own, so nothing recurses; numbers are kept as text and
become int or Decimal, never float. Refused: duplicate keys, anchors and aliases (a few lines of
aliases can stand for billions of values), tags, several documents, oversize files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

from app.policy.errors import Fault
from app.policy.suggestions import printable

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 12
MAX_VALUES = 20_000

Path = tuple[str | int, ...]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_FRACTION = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}", re.ASCII)
_WORDS: dict[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}

_NODES = (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """A file's data, the line of every path in it, and what was wrong with the YAML.

    `cut_short`: reading had to stop, so the data is only a beginning.
    """

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    cut_short: bool = False

    def line(self, path: Path) -> int | None:
        """The line of a path, or of the nearest thing above it that has one."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None


@dataclass(slots=True)
class _Open:
    """A mapping or a sequence that is being read."""

    into: dict[str, Any] | list[Any]
    path: Path
    key: str | None = None

    def next_path(self) -> Path:
        return (*self.path, len(self.into) if isinstance(self.into, list) else str(self.key))


def read(text: str, file: str) -> Document:
    """Read one YAML document; what is wrong with it is in the result's faults."""
    document = Document()
    if len(text) > MAX_CHARACTERS:
        message = f"the file is over {MAX_CHARACTERS // 1024} KB"
        document.faults.append(Fault(file, None, None, "too-long", message, "Split the policy"))
        document.cut_short = True
        return document
    reader = _Reader(document, file)
    # Only an escape can put a control character into a value of a text that has none.
    reader.wary = "\\" in text or _CONTROL.search(text) is not None
    try:
        for event in yaml.parse(text, Loader=_Loader):
            reader.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "a character is not allowed"
        line = mark.line + 1 if mark is not None else None
        document.cut_short = True
        reader.fault(line, "yaml", f"the YAML cannot be read: {problem}", "Mend the YAML")
    except _Stop:
        document.cut_short = True
    return document


class _Stop(Exception):
    """Reading further would be useless or unsafe; the reason is among the faults."""


class _Reader:
    """Builds plain data from YAML events."""

    def __init__(self, document: Document, file: str) -> None:
        self.document = document
        self.file = file
        self.open: list[_Open] = []
        self.values = 0
        self.documents = 0
        self.wary = True

    def fault(self, line: int | None, code: str, message: str, mend: str) -> None:
        self.document.faults.append(Fault(self.file, line, None, code, message, mend))

    def stop(self, line: int, code: str, message: str, mend: str) -> None:
        self.fault(line, code, message, mend)
        raise _Stop

    def take(self, event: Any) -> None:
        """Take one event in."""
        kind = type(event)  # libyaml's events are of these types exactly, so `is` and `in` suffice
        if kind is yaml.AliasEvent or getattr(event, "anchor", None):
            line = event.start_mark.line + 1
            self.stop(line, "alias", "anchors and aliases are not allowed", "Write the value out")
        if kind in _NODES:
            self._take_node(event, event.start_mark.line + 1)
        elif kind in _ENDS:
            self.open.pop()
        elif kind is yaml.DocumentStartEvent:
            self.documents += 1
            if self.documents > 1:
                line = event.start_mark.line + 1
                self.stop(line, "yaml", "the file holds two documents", "Keep one a file")

    def _take_node(self, event: Any, line: int) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            self.stop(line, "too-long", f"the file holds over {MAX_VALUES} values", "Split it")
        if event.tag is not None and event.tag != "!":
            self.stop(line, "tag", "YAML tags are not allowed", "Take the tag out")
        top = self.open[-1] if self.open else None
        if top is not None and isinstance(top.into, dict) and top.key is None:
            self._take_key(top, event, line)
            return
        path = top.next_path() if top is not None else ()
        self.document.lines.setdefault(path, line)
        if isinstance(event, yaml.ScalarEvent):
            if self.wary and _CONTROL.search(event.value):
                self.stop(line, "character", "a value holds a control character", "Take it out")
            self._place(scalar(event.value, plain=event.implicit[0]))
            return
        if len(self.open) >= MAX_DEPTH:
            self.stop(line, "too-deep", f"nested over {MAX_DEPTH} levels deep", "Flatten it")
        into: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._place(into)
        self.open.append(_Open(into, path))

    def _take_key(self, top: _Open, event: Any, line: int) -> None:
        if not isinstance(event, yaml.ScalarEvent) or (event.value == "<<" and not event.style):
            self.stop(line, "yaml", "a key is not a plain word", "Write a word before the colon")
        key = event.value
        if key in top.into:
            self.fault(
                line, "duplicate-key", f"the key {printable(key)} stands twice", "Take one out"
            )
        top.key = key
        self.document.lines.setdefault((*top.path, key), line)

    def _place(self, value: Any) -> None:
        if not self.open:
            self.document.data = value
            return
        top = self.open[-1]
        if isinstance(top.into, list):
            top.into.append(value)
        elif top.key is not None:
            top.into[top.key] = value
            top.key = None


def scalar(text: str, *, plain: bool) -> object:
    """A scalar's value: null, true, false, whole numbers and exact decimals; all else is text."""
    if not plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return Decimal(text) if _FRACTION.fullmatch(text) else text


def walk(data: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of a document with its path."""
    yield path, data
    if isinstance(data, dict):
        for key, value in data.items():
            yield from walk(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from walk(value, (*path, index))
