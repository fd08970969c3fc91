"""What every check of a policy file needs: its data, its faults, and reading expressions.

Works on data of which some parts may have the wrong shape: those parts are skipped, so that one
fault does not breed others, and everything else is still checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.policy import build, nodes, typecheck
from app.policy.document import Document, Path
from app.policy.emit import CountOf, PickOf, Program
from app.policy.errors import Complaint, ExpressionRefused, Fault
from app.policy.language import parse
from app.policy.lexicon import RESERVED, RESERVED_2
from app.policy.model import Question, QuestionType
from app.policy.names import BUILT_IN, scope_of
from app.policy.schema_check import criterion_at
from app.policy.value_types import Scope


@dataclass(slots=True)
class Checked:
    """What the checks found out: faults, and what the compiler needs where there are none."""

    questions: dict[str, Question] = field(default_factory=dict)
    derived: dict[str, nodes.Node] = field(default_factory=dict)
    counts: dict[str, CountOf] = field(default_factory=dict)
    picks: dict[str, PickOf] = field(default_factory=dict)
    types: dict[str, typecheck.Type] = field(default_factory=dict)
    expressions: dict[Path, nodes.Node] = field(default_factory=dict)

    def program(self) -> Program:
        """The names that the compiler may meet."""
        return Program(Scope(self.types), self.derived, self.counts, self.picks)


class FileChecker:
    """One pass over one file's data."""

    def __init__(
        self, document: Document, file: str, unsound: Iterable[Path], faults: list[Fault]
    ) -> None:
        self.document = document
        self.data: Any = document.data if isinstance(document.data, dict) else {}
        self.file = file
        self.unsound = [path for path in unsound if path]
        self.faults = faults
        self.checked = Checked()
        self.broken: set[str] = set()
        self.unusable: dict[str, str] = {}

    # --- plumbing -----------------------------------------------------------------------

    def fault(self, path: Path, code: str, message: str, mend: str) -> None:
        """Note a fault at a path."""
        line, criterion = self.document.line(path), criterion_at(self.data, path)
        self.faults.append(Fault(self.file, line, criterion, code, message, mend))

    def complaints(self, path: Path, found: Iterable[Complaint]) -> None:
        """Note the complaints about the expression at a path."""
        for each in found:
            self.fault(path, each.code, each.message, each.mend)

    def sound(self, path: Path) -> bool:
        """Whether nothing at this path or below it has the wrong shape."""
        return not any(bad[: len(path)] == path for bad in self.unsound)

    def entries(self, *path: str) -> list[tuple[Path, str, Any]]:
        """The entries of a mapping, each with its path; none where it is not a mapping."""
        found: Any = self.data
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            return []
        return [((*path, key), key, value) for key, value in found.items()]

    # --- names and questions ------------------------------------------------------------

    def questions(self) -> None:
        """Check every question and learn its type."""
        for path, name, value in self.entries("questions"):
            if not self.sound(path):
                self.broken.add(name)
                continue
            self.check_name(path, name, BUILT_IN)
            found = build.question(name, value)
            self.checked.questions[name] = found
            self._check_bounds(path, found)
            for key, below in found.fields.items():
                outer = {**BUILT_IN, **dict.fromkeys(self.data["questions"], None)}
                self.check_name((*path, "of", key), key, outer)
                self._check_bounds((*path, "of", key), below)
        scope = scope_of(self.checked.questions, BUILT_IN)
        self.checked.types, self.unusable = dict(scope.types), dict(scope.unusable)

    def _check_bounds(self, path: Path, question: Question) -> None:
        low, high = question.minimum, question.maximum
        if low is not None and high is not None and low > high:
            self.fault(path, "bounds", "its minimum is above its maximum", "Swap the two")
        bounds = [bound for bound in (low, high) if bound is not None]
        if question.type is QuestionType.INTEGER and any(
            b != b.to_integral_value() for b in bounds
        ):
            self.fault(path, "bounds", "a whole number has a broken bound", "Write a whole number")

    def check_name(self, path: Path, name: str, taken: Mapping[str, object]) -> None:
        if name in (RESERVED if self.language() == 1 else RESERVED_2):
            self.fault(
                path, "reserved", f"{name} is a word of the language", "Give it another name"
            )
        elif name in taken:
            self.fault(
                path, "name-taken", f"{name} already names something", "Give it another name"
            )

    # --- expressions --------------------------------------------------------------------

    def parsed(self, path: Path, text: str) -> nodes.Node | None:
        """The tree of an expression; None where it is refused."""
        try:
            node = parse(text)
        except ExpressionRefused as refusal:
            self.complaints(path, [refusal.complaint])
            return None
        if self.language() == 1 and any(isinstance(each, nodes.Call) for each in nodes.walk(node)):
            self.needs_two(path, "a function of language version 2")
        self.checked.expressions[path] = node
        return node

    def language(self) -> int:
        """The language version that the file says it is written in."""
        return 1 if self.data.get("language") == 1 else 2

    def needs_two(self, path: Path, what: str) -> None:
        """Note a fault where a file of version 1 uses something of version 2."""
        if self.language() == 1:
            self.fault(
                path,
                "language",
                f"{what} stands in a file of language version 1",
                "Write `language: 2` at the top of the file",
            )

    def leans_on_broken(self, node: nodes.Node) -> bool:
        """Whether an expression names something that is at fault itself."""
        return bool(self.broken) and not self.broken.isdisjoint(nodes.names_in(node))

    def test(self, path: Path, text: str, scope: Scope) -> nodes.Node | None:
        """The tree of an expression that must be a test; None where it is at fault."""
        node = self.parsed(path, text)
        if node is None or self.leans_on_broken(node):
            return None
        found = typecheck.check_condition(node, scope)
        self.complaints(path, found)
        return None if found else node
