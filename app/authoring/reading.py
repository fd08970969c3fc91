"""A policy version's expressions as trees again, for the tools that look inside them.

The version itself keeps only text and compiled code. Trees come from the resolved text, so what
is read here is what was hashed. A definition that this module does not know stays `Opaque`: the
tools then say "not decided", never something wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from app.policy import Criterion, PolicyVersion, Question, QuestionType, Section, nodes, typecheck
from app.policy.build import PICKS, plain
from app.policy.errors import ExpressionRefused
from app.policy.formulas import expanded
from app.policy.language import parse
from app.policy.names import BUILT_IN, question_type, scope_of
from app.policy.typecheck import COUNT, Scope, Type


@dataclass(frozen=True, slots=True)
class Worked:
    """A derived value given by an expression."""

    node: nodes.Node


@dataclass(frozen=True, slots=True)
class Counted:
    """A derived count of a list's rows."""

    list_name: str
    where: nodes.Node | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A derived value that is the first of several whose condition holds."""

    branches: tuple[tuple[nodes.Node, nodes.Node], ...]
    otherwise: nodes.Node | None


@dataclass(frozen=True, slots=True)
class Opaque:
    """A derived value whose working is not looked into: its whole definition, and what it reads.

    `field` is the list's field that it takes its value from, if that is how it works.
    """

    definition: str
    reads: tuple[str, ...]
    list_name: str | None
    field: str | None


@dataclass(frozen=True, slots=True)
class Picked(Opaque):
    """A derived pick of a list's row: its `field`, in the row that comes last (or first) by
    `order` among those that pass `where`. A tool that cannot work it out treats it as opaque.

    `mode` is latest, earliest, highest or lowest; `order` is a date field for the first two, the
    field itself for the others.
    """

    mode: str
    order: str
    where: nodes.Node | None


Definition = Worked | Counted | Chosen | Opaque
"""`Picked` is one of the Opaque ones: match it before them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The trees of one version. `tests` is by criterion id; None where it cannot be read."""

    version: PolicyVersion
    tests: Mapping[str, nodes.Node | None]
    derived: Mapping[str, Definition]
    types: Mapping[str, Type]

    def criteria(self, section: Section) -> tuple[Criterion, ...]:
        """The criteria of a section whose test could be read."""
        return tuple(c for c in self.version.criteria(section) if self.tests[c.id] is not None)

    def test(self, criterion: Criterion) -> nodes.Node:
        """The tree of a criterion that `criteria` gave."""
        found = self.tests[criterion.id]
        if found is None:
            raise ValueError(criterion.id)
        return found

    def reached(self, node: nodes.Node) -> tuple[str, ...]:
        """Every question and built-in name that a tree looks at, through derived values too."""
        found: dict[str, None] = {}
        for name in nodes.names_in(node):
            if name in self.derived:
                found |= dict.fromkeys(self._below(self.derived[name]))
            else:
                found[name] = None
        return tuple(found)

    def workings(self, node: nodes.Node) -> dict[str, Definition]:
        """The derived values that a tree looks at, directly or through others."""
        found: dict[str, Definition] = {}
        waiting = list(nodes.names_in(node))
        while waiting:
            name = waiting.pop()
            if name in self.derived and name not in found:
                found[name] = self.derived[name]
                waiting += _names(found[name])
        return found

    def _below(self, definition: Definition) -> Iterator[str]:
        match definition:
            case Worked(node):
                yield from self.reached(node)
            case Chosen(branches, otherwise):
                for condition, value in branches:
                    yield from self.reached(condition)
                    yield from self.reached(value)
                if otherwise is not None:
                    yield from self.reached(otherwise)
            case Counted(list_name, where):
                yield list_name
                fields = self.version.questions[list_name].fields
                if where is not None:
                    yield from (n for n in self.reached(where) if n not in fields)
            case Opaque(_, reads, list_name, _):
                if list_name is not None:
                    yield list_name
                fields = self.version.questions[list_name].fields if list_name else {}
                for name in reads:
                    if name not in fields and name in self.types:
                        yield from self.reached(nodes.Name(name))


def _names(definition: Definition) -> Iterator[str]:
    """The names that stand in a definition itself."""
    match definition:
        case Worked(node):
            yield from nodes.names_in(node)
        case Counted(_, where):
            yield from () if where is None else nodes.names_in(where)
        case Chosen(branches, otherwise):
            for part in (*(node for pair in branches for node in pair), otherwise):
                yield from () if part is None else nodes.names_in(part)
        case Opaque(_, reads, _, _):
            yield from reads


def read_version(version: PolicyVersion) -> Reading:
    """The trees of a loaded version."""
    data = json.loads(version.resolved, parse_float=Decimal)
    scope = scope_of(version.questions, BUILT_IN)
    types = dict(scope.types)
    derived: dict[str, Definition] = {}
    for name, entry in expanded(data.get("derive") or {}).items():
        raw = {key: value for key, value in entry.items() if key != "source"}
        derived[name], types[name] = _definition(version, raw, types)
    tests = {
        raw["id"]: criterion_tree(raw)
        for section in Section
        for raw in data.get(section.value) or ()
    }
    return Reading(version, tests, derived, types)


def criterion_tree(raw: Mapping[str, Any]) -> nodes.Node | None:
    """The test of a criterion as it stands in a file; arms are alternatives."""
    texts = [raw["met_when"]] if raw.get("met_when") else []
    texts += [arm["met_when"] for arm in raw.get("arms") or ()]
    trees = [_tree(text) for text in texts]
    known = tuple(tree for tree in trees if tree is not None)
    if not trees or len(known) < len(trees):
        return None
    return known[0] if len(known) == 1 else nodes.Or(known)


def _tree(text: str) -> nodes.Node | None:
    try:
        return parse(text)
    except ExpressionRefused:  # the language may know more than this reading does
        return None


def _definition(
    version: PolicyVersion, raw: Mapping[str, Any], types: Mapping[str, Type]
) -> tuple[Definition, Type]:
    if raw.keys() <= {"value", "unit"} and (node := _tree(str(raw["value"]))) is not None:
        return Worked(node), value_type(node, types)
    if raw.keys() <= {"count", "where"}:
        where = _tree(raw["where"]) if "where" in raw else None
        if where is not None or "where" not in raw:
            return Counted(raw["count"], where), COUNT
    if "choose" in raw and raw.keys() <= {"choose", "else", "unit", "options"}:
        chosen = _chosen(raw)
        if chosen is not None:
            kind = replace(value_type(chosen.branches[0][1], types), constant=False)
            return chosen, replace(kind, options=frozenset(raw.get("options") or kind.options))
    opaque, found = _opaque(version, raw)
    return _picked(raw, opaque) or opaque, found


def _picked(raw: Mapping[str, Any], opaque: Opaque) -> Picked | None:
    mode = next((each for each in PICKS if each in raw), None)
    if mode is None or not raw.keys() <= {mode, "by", "value", "where"}:
        return None
    where = _tree(raw["where"]) if "where" in raw else None
    if where is None and "where" in raw:
        return None
    reads = () if where is None else nodes.names_in(where)
    order = raw.get("by", raw["value"])
    return Picked(opaque.definition, reads, raw[mode], raw["value"], mode, order, where)


def _chosen(raw: Mapping[str, Any]) -> Chosen | None:
    branches = [(_tree(b["when"]), _tree(plain(b["value"]))) for b in raw["choose"]]
    otherwise = _tree(plain(raw["else"])) if raw.get("else") is not None else None
    known = tuple((when, value) for when, value in branches if when and value)
    if len(known) < len(branches) or (otherwise is None and raw.get("else") is not None):
        return None
    return Chosen(known, otherwise)


def value_type(node: nodes.Node, types: Mapping[str, Type]) -> Type:
    """The family of a checked value; an unreadable one counts as a number."""
    if typecheck._Checker.is_test(node):
        return typecheck.BOOLEAN
    found, _ = typecheck.check_value(node, Scope(types))
    return found or Type(typecheck.Family.NUMBER)


def _opaque(version: PolicyVersion, raw: Mapping[str, Any]) -> tuple[Opaque, Type]:
    texts = [str(value) for value in raw.values()]
    lists = [t for t in texts if t in version.questions and _is_list(version.questions[t])]
    list_name = lists[0] if lists else None
    fields = version.questions[list_name].fields if list_name else {}
    trees = [tree for tree in map(_tree, texts) if tree is not None]
    reads = [name for tree in trees for name in nodes.names_in(tree)]
    value = raw.get("value")
    field = value if isinstance(value, str) and value in fields else None
    kind = question_type(fields[field]) if field is not None else None
    definition = json.dumps(raw, sort_keys=True, default=str)
    opaque = Opaque(definition, tuple(dict.fromkeys(reads)), list_name, field)
    return opaque, kind or Type(typecheck.Family.NUMBER)


def _is_list(question: Question) -> bool:
    return question.type is QuestionType.LIST
