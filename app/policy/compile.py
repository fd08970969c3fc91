"""Generates one Python function for each section of a policy version.

The function takes a mapping of names to typed values and returns one flat tuple: the criteria's
results first (True, False or None for "not answered"), then the results of their parts and the
values looked at. `Shape` says, once for all forms, which slot of that tuple is what, so that the
hot path builds no objects; `present.py` makes findings from both.

Safety: code is generated from our own syntax tree only. Every variable is numbered, every literal
and every name is passed in as a constant, so no text of a policy file is ever part of the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.policy import nodes
from app.policy.emit import Emitter, PickOf, Program
from app.policy.functions import DOMAINS
from app.policy.model import Section
from app.policy.typecheck import Family, Scope

Run = Callable[[Mapping[str, Any]], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Looked:
    """A value that a part looks at: its slot, and for a count the slot of its upper bound."""

    name: str
    slot: int
    upper: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What is the same for every form about one part of a criterion.

    `inputs` are the answers below the part, `counts` and `picks` those below it, `divisors` the
    slots of what it divides by, each with the names that it is made of; `calls` and `choices` are
    the partial functions and the choices below it. `joined`: it is an AND of its parts.
    """

    text: str
    slot: int
    parts: tuple[Shape, ...] = ()
    looked_at: tuple[Looked, ...] = ()
    inputs: tuple[Looked, ...] = ()
    counts: tuple[Looked, ...] = ()
    divisors: tuple[tuple[int, tuple[str, ...]], ...] = ()
    picks: tuple[Looked, ...] = ()
    calls: tuple[Called, ...] = ()
    choices: tuple[Choice, ...] = ()
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """A partial function: the slots of its result and its arguments, and what they are made of."""

    function: str
    slot: int
    arguments: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice: its slot, its branches (a test and a value) in order, and its last resort."""

    slot: int
    branches: tuple[tuple[Shape, Shape], ...]
    otherwise: Shape


@dataclass(frozen=True, slots=True)
class Compiled:
    """Expressions compiled together: `shapes[i]` describes the expression of slot i."""

    run: Run
    shapes: tuple[Shape, ...]
    source: str


@dataclass(frozen=True, slots=True)
class RowTest:
    """A count's or a pick's test of one row, for saying which field of which row is missing."""

    list_name: str
    fields: frozenset[str]
    test: Compiled | None


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """The functions of one policy version, each made when it is first used.

    `rows` tests the rows of counts and picks, by name.
    """

    sections: Mapping[Section, Compiled]
    rows: Mapping[str, RowTest]
    picks: Mapping[str, PickOf] = field(default_factory=dict)

    def complete(self) -> None:
        """Make every function now, as a check of a file must."""
        for made in (self.sections, self.rows):
            tuple(made.values())


def compile_expressions(expressions: Sequence[nodes.Node], program: Program) -> Compiled:
    """Compile checked tests into one function and the shapes of what it returns."""
    emitter = Emitter(program)
    roots = [emitter.condition(node) for node in expressions]
    layout = _Layout(emitter, roots)
    shapes = tuple(layout.shape(node, slot) for slot, node in enumerate(expressions))
    source = emitter.function(layout.variables)
    return Compiled(emitter.build(source), shapes, source)


def compile_row_test(node: nodes.Node, program: Program, scope: Scope) -> Compiled:
    """Compile a count's `where` on its own, its fields being plain names."""
    return compile_expressions(
        [node], Program(scope, program.derived, program.counts, program.picks)
    )


class _Layout:
    """Hands out the slots of the returned tuple and draws the shapes."""

    def __init__(self, emitter: Emitter, roots: list[str]) -> None:
        self.emitter = emitter
        self.variables: list[str] = list(roots)
        self._known: dict[tuple[str, bool], list[str]] = {}

    def slot(self, variable: str) -> int:
        if variable not in self.variables:
            self.variables.append(variable)
        return self.variables.index(variable)

    def shape(self, node: nodes.Node, slot: int | None = None) -> Shape:
        at = self.slot(self.emitter.condition(node)) if slot is None else slot
        text = nodes.render(node)
        if isinstance(node, nodes.And | nodes.Or | nodes.Not | nodes.AtLeast):
            parts = tuple(self.shape(child) for child in nodes.children(node))
            return Shape(text, at, parts, joined=isinstance(node, nodes.And))
        if isinstance(node, nodes.Name) and node.name in self.emitter.program.derived:
            inner = self.emitter.program.derived[node.name]
            return Shape(text, at, (self.shape(inner),), (Looked(node.name, at),))
        return self._leaf(node, text, at)

    def _leaf(self, node: nodes.Node, text: str, at: int) -> Shape:
        looked = {name: self._looked(name) for name in self._names_below(node, through=True)}
        # What stands below a choice is asked for by the choice itself, branch by branch.
        direct = self._names_below(node, through=False)
        program = self.emitter.program
        worked = program.derived.keys() | program.counts.keys() | program.picks.keys()
        return Shape(
            text,
            at,
            looked_at=tuple(looked.values()),
            inputs=tuple(looked[name] for name in direct if name not in worked),
            counts=tuple(looked[name] for name in direct if name in program.counts),
            divisors=tuple(self._divisors(node)),
            picks=tuple(looked[name] for name in direct if name in program.picks),
            calls=tuple(self._calls(node)),
            choices=tuple(self._choice(each) for each in self._choices(direct)),
        )

    def _choices(self, names: list[str]) -> list[nodes.Choose]:
        found = [self.emitter.program.derived.get(name) for name in names]
        return [each for each in found if isinstance(each, nodes.Choose)]

    def _choice(self, node: nodes.Choose) -> Choice:
        branches = tuple((self.shape(test), self._value(value)) for test, value in node.branches)
        slot = self.slot(self.emitter.bounds(node)[0])
        return Choice(slot, branches, self._value(node.otherwise))

    def _value(self, node: nodes.Node) -> Shape:
        """The shape of a value that a choice may take; a literal is always known."""
        if isinstance(node, nodes.Literal):
            return Shape(nodes.render(node), -1)
        return self._leaf(node, nodes.render(node), self.slot(self.emitter.bounds(node)[0]))

    def _names_below(self, node: nodes.Node, through: bool) -> list[str]:
        """The names a leaf looks at, each derived value followed by what it is made of.

        `through` looks through choices too.
        """
        found: dict[str, None] = {}
        for name in nodes.names_in(node):
            found[name] = None
            inner = self.emitter.program.derived.get(name)
            if inner is None or (isinstance(inner, nodes.Choose) and not through):
                continue
            if (name, through) not in self._known:
                self._known[name, through] = self._names_below(inner, through)
            found |= dict.fromkeys(self._known[name, through])
        return list(found)

    def _looked(self, name: str) -> Looked:
        node = nodes.Name(name)
        kind = self.emitter.program.scope.types[name]
        if kind.family is Family.BOOLEAN:
            return Looked(name, self.slot(self.emitter.condition(node)))
        low, high = self.emitter.bounds(node)
        return Looked(name, self.slot(low), self.slot(high) if kind.interval else None)

    def _below(self, node: nodes.Node) -> Iterator[nodes.Node]:
        """Every node below a leaf, through derived values (each once) but not through choices."""
        seen: set[str] = set()
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if not isinstance(each, nodes.Name):
                yield each
                waiting += reversed(nodes.children(each))
            elif each.name not in seen:
                seen.add(each.name)
                inner = self.emitter.program.derived.get(each.name)
                if inner is not None and not isinstance(inner, nodes.Choose):
                    waiting.append(inner)

    def _made_of(self, node: nodes.Node) -> tuple[str, ...]:
        names = self._names_below(node, through=True)
        return tuple(name for name in names if name not in self.emitter.program.derived)

    def _divisors(self, node: nodes.Node) -> Iterator[tuple[int, tuple[str, ...]]]:
        for each in self._below(node):
            if isinstance(each, nodes.Arithmetic) and each.operator == "/":
                names = self._made_of(each.right)
                if names:
                    yield self.slot(self.emitter.bounds(each.right)[0]), names

    def _calls(self, node: nodes.Node) -> Iterator[Called]:
        for each in self._below(node):
            if isinstance(each, nodes.Call) and each.function in DOMAINS:
                slot = self.slot(self.emitter.bounds(each)[0])
                below = [a for a in each.arguments if not isinstance(a, nodes.Literal)]
                arguments = tuple(self.slot(self.emitter.bounds(a)[0]) for a in below)
                yield Called(each.function, slot, arguments, self._made_of(each))
