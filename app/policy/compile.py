"""Generates one Python function for each section of a policy version.

The function takes a mapping of names to typed values and returns one flat tuple: the criteria's
results first (True, False or None for "not answered"), then the results of their parts and the
values looked at. `Shape` says, once for all forms, which slot of that tuple is what, so that the
hot path builds no objects; `present.py` makes findings from both.

Safety: code is generated from our own syntax tree only. Every variable is numbered, every literal
and every name is passed in as a constant, so no text of a policy file is ever part of the code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.policy import nodes
from app.policy.emit import Emitter, Program
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

    `inputs` are the answers below the part, `counts` the counts below it, `divisors` the slots of
    what it divides by, each with the names that it is made of.
    """

    text: str
    slot: int
    parts: tuple[Shape, ...] = ()
    looked_at: tuple[Looked, ...] = ()
    inputs: tuple[Looked, ...] = ()
    counts: tuple[Looked, ...] = ()
    divisors: tuple[tuple[int, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """Expressions compiled together: `shapes[i]` describes the expression of slot i."""

    run: Run
    shapes: tuple[Shape, ...]
    source: str


@dataclass(frozen=True, slots=True)
class RowTest:
    """A count's test of one row, for saying which field of which row is missing."""

    list_name: str
    fields: frozenset[str]
    test: Compiled | None


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """The functions of one policy version, each made when it is first used."""

    sections: Mapping[Section, Compiled]
    rows: Mapping[str, RowTest]

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
    return compile_expressions([node], Program(scope, program.derived, program.counts))


class _Layout:
    """Hands out the slots of the returned tuple and draws the shapes."""

    def __init__(self, emitter: Emitter, roots: list[str]) -> None:
        self.emitter = emitter
        self.variables: list[str] = list(roots)

    def slot(self, variable: str) -> int:
        if variable not in self.variables:
            self.variables.append(variable)
        return self.variables.index(variable)

    def shape(self, node: nodes.Node, slot: int | None = None) -> Shape:
        at = self.slot(self.emitter.condition(node)) if slot is None else slot
        text = nodes.render(node)
        if isinstance(node, nodes.And | nodes.Or | nodes.Not | nodes.AtLeast):
            return Shape(text, at, tuple(self.shape(child) for child in nodes.children(node)))
        if isinstance(node, nodes.Name) and node.name in self.emitter.program.derived:
            inner = self.emitter.program.derived[node.name]
            return Shape(text, at, (self.shape(inner),), (Looked(node.name, at),))
        return self._leaf(node, text, at)

    def _leaf(self, node: nodes.Node, text: str, at: int) -> Shape:
        names = self._names_below(node)
        looked = [self._looked(name) for name in names]
        derived, counts = self.emitter.program.derived, self.emitter.program.counts
        return Shape(
            text,
            at,
            looked_at=tuple(looked),
            inputs=tuple(it for it in looked if it.name not in derived and it.name not in counts),
            counts=tuple(it for it in looked if it.name in counts),
            divisors=tuple(self._divisors(node)),
        )

    def _names_below(self, node: nodes.Node) -> list[str]:
        """The names a leaf looks at, each derived value followed by what it is made of."""
        found: dict[str, None] = {}
        for name in nodes.names_in(node):
            found[name] = None
            if name in self.emitter.program.derived:
                found |= dict.fromkeys(self._names_below(self.emitter.program.derived[name]))
        return list(found)

    def _looked(self, name: str) -> Looked:
        node = nodes.Name(name)
        kind = self.emitter.program.scope.types[name]
        if kind.family is Family.BOOLEAN:
            return Looked(name, self.slot(self.emitter.condition(node)))
        low, high = self.emitter.bounds(node)
        return Looked(name, self.slot(low), self.slot(high) if kind.interval else None)

    def _divisors(self, node: nodes.Node) -> list[tuple[int, tuple[str, ...]]]:
        found: list[tuple[int, tuple[str, ...]]] = []
        if isinstance(node, nodes.Name) and node.name in self.emitter.program.derived:
            return self._divisors(self.emitter.program.derived[node.name])
        if isinstance(node, nodes.Arithmetic) and node.operator == "/":
            inputs = self._names_below(node.right)
            derived = self.emitter.program.derived
            names = tuple(name for name in inputs if name not in derived)
            if names:
                found.append((self.slot(self.emitter.bounds(node.right)[0]), names))
        for child in nodes.children(node):
            found += self._divisors(child)
        return found
