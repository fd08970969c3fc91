"""The shape of `cases.yaml`: strict YAML, exact numbers, every fault with its line.

Scalars are read as in a policy file: numbers exact, days as text, only `true` and `false` as
booleans. Unlike there, anchors and merges are allowed, since cases share most of their answers;
so these files are an author's own and never come in through a door.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NoReturn

import yaml

from app.policy.document import scalar
from app.policy.errors import Fault, PolicyFileFaults

#: The parser in C has no limit of its own, and would end the process.
_DEEPEST: Final = 50

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _ExactLoader(_Loader):  # type: ignore[misc]
    """Reads scalars as policy files do, merges (`<<`) included, and refuses duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands twice", node.start_mark
                )
        made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return made


def _scalar(_loader: _ExactLoader, node: yaml.ScalarNode) -> object:
    return scalar(node.value, plain=not node.style)


_ExactLoader.yaml_implicit_resolvers = {}
_ExactLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("^<<$"), ["<"])
_ExactLoader.add_constructor("tag:yaml.org,2002:str", _scalar)


def items(text: str, file: str) -> list[tuple[int, dict[str, Any]]]:
    """The raw cases with their lines. Raises PolicyFileFaults when the file has no such shape."""
    loader = None
    try:
        _check_depth(text, file)
        loader = _ExactLoader(text)  # looks at its first characters already
        root = loader.get_single_node()
        content = loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as broken:
        line = None if broken.problem_mark is None else broken.problem_mark.line + 1
        _refuse(file, line, "yaml", f"not readable as YAML: {broken.problem}", "Mend this line")
    except (yaml.YAMLError, ValueError, RecursionError):
        _refuse(file, None, "yaml", "not readable as YAML", "Take out what is no plain text")
    finally:
        if loader is not None:
            loader.dispose()
    cases = content.get("cases") if isinstance(content, dict) else None
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        _refuse(
            file, None, "shape", "there is no list `cases:` of mappings", "Add one case an item"
        )
    return list(zip(_lines(root), cases, strict=True))


def _check_depth(text: str, file: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                line = None if event.start_mark is None else event.start_mark.line + 1
                _refuse(file, line, "yaml", f"nested over {_DEEPEST} deep", "Mend this line")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _lines(root: yaml.Node | None) -> list[int]:
    assert isinstance(root, yaml.MappingNode)  # `items` has read a mapping with `cases` from it
    listed = next(value for key, value in root.value if key.value == "cases")
    return [item.start_mark.line + 1 for item in listed.value]


def _refuse(file: str, line: int | None, code: str, message: str, mend: str) -> NoReturn:
    raise PolicyFileFaults((Fault(file, line, None, code, message, mend),))


class Reader:
    """Takes the keys of one mapping, collecting faults; `finish` complains of keys left over."""

    def __init__(
        self,
        file: str,
        line: int,
        raw: Mapping[str, Any],
        within: str = "",
        faults: list[Fault] | None = None,
    ) -> None:
        self.file = file
        self.line = line
        self.faults: list[Fault] = [] if faults is None else faults
        self._raw = dict(raw)
        self._within = within
        self._taken: set[str] = set()

    def fault(self, key: str, message: str, mend: str) -> None:
        """Note a fault of this case."""
        self.faults.append(Fault(self.file, self.line, None, f"case-{key}", message, mend))

    def _take(self, key: str) -> Any:
        self._taken.add(key)
        return self._raw.get(key)

    def _wrong(self, key: str, wanted: str) -> None:
        self.fault(key, f"`{self._within}{key}:` must be {wanted}", "Correct it in this case")

    def text(self, key: str) -> str:
        """A required, non-empty text."""
        found = self._take(key)
        if isinstance(found, str) and found:
            return found
        self._wrong(key, "a text")
        return ""

    def optional_text(self, key: str) -> str | None:
        """A text, or None where the key is absent."""
        return self.text(key) if key in self._raw else self._take(key)

    def choice(self, key: str, allowed: Sequence[str], *, required: bool = False) -> str | None:
        """One of the allowed words, or None where the key is absent."""
        found = self._take(key)
        if found in allowed or (found is None and not required):
            return None if found is None else str(found)
        self._wrong(key, f"one of: {', '.join(allowed)}")
        return None

    def day(self, key: str, *, required: bool = False) -> date | None:
        """An ISO day, or None where the key is absent."""
        found = self._take(key)
        if found is None and not required:
            return None
        try:
            return date.fromisoformat(found)
        except (TypeError, ValueError):
            self._wrong(key, "a day, like 2024-05-01")
            return None

    def mapping(self, key: str) -> dict[str, Any]:
        """A mapping, empty where the key is absent."""
        found = self._take(key)
        if found is None or isinstance(found, dict):
            return found or {}
        self._wrong(key, "a mapping")
        return {}

    def words(self, key: str) -> list[str] | None:
        """A list of words, or None where the key is absent."""
        found = self._take(key)
        if found is None:
            return None
        if isinstance(found, list) and all(isinstance(word, str) for word in found):
            return found
        self._wrong(key, "a list of names")
        return None

    def results(self, key: str, allowed: Sequence[str]) -> dict[str, str]:
        """A mapping of names to allowed words."""
        found = self.mapping(key)
        if all(word in allowed for word in found.values()):
            return found
        self._wrong(key, f"criterion ids with one of: {', '.join(allowed)}")
        return {}

    def inner(self, key: str) -> Reader:
        """A reader of the mapping below `key`; its faults join this reader's."""
        below = self.mapping(key)
        return Reader(self.file, self.line, below, f"{self._within}{key}.", self.faults)

    def finish(self) -> None:
        """Complain of every key that nothing took."""
        for key in self._raw.keys() - self._taken:
            mend = f"Use one of: {', '.join(sorted(self._taken))}"
            self.fault(key, f"a case has no `{self._within}{key}:`", mend)
