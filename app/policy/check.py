"""Checks what a policy file means: names, sources, expressions, units, products.

Works on data of which some parts may have the wrong shape: those parts are skipped, so that one
fault does not breed others, and everything else is still checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.policy import build, nodes, typecheck
from app.policy.document import Document, Path
from app.policy.emit import CountOf, Program
from app.policy.errors import Complaint, ExpressionRefused, Fault
from app.policy.language import parse
from app.policy.lexicon import RESERVED
from app.policy.model import Question, QuestionType
from app.policy.names import BUILT_IN, question_type, scope_of
from app.policy.panel import panel_faults
from app.policy.schema_check import criterion_at
from app.policy.suggestions import did_you_mean
from app.policy.typecheck import COUNT, Scope
from app.policy.units import UNKNOWN, canonical, shown

SECTIONS = ("start", "continue", "stop")


@dataclass(slots=True)
class Checked:
    """What the checks found out: faults, and what the compiler needs where there are none."""

    questions: dict[str, Question] = field(default_factory=dict)
    derived: dict[str, nodes.Node] = field(default_factory=dict)
    counts: dict[str, CountOf] = field(default_factory=dict)
    types: dict[str, typecheck.Type] = field(default_factory=dict)
    expressions: dict[Path, nodes.Node] = field(default_factory=dict)

    def program(self) -> Program:
        """The names that the compiler may meet."""
        return Program(Scope(self.types), self.derived, self.counts)


class Checker:
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
            self._check_name(path, name, BUILT_IN)
            found = build.question(name, value)
            self.checked.questions[name] = found
            self._check_bounds(path, found)
            for key, below in found.fields.items():
                outer = {**BUILT_IN, **dict.fromkeys(self.data["questions"], None)}
                self._check_name((*path, "of", key), key, outer)
                self._check_bounds((*path, "of", key), below)
        scope = scope_of(self.checked.questions, BUILT_IN)
        self.checked.types, self.unusable = dict(scope.types), dict(scope.unusable)

    def _check_name(self, path: Path, name: str, taken: Mapping[str, object]) -> None:
        if name in RESERVED:
            self.fault(
                path, "reserved", f"{name} is a word of the language", "Give it another name"
            )
        elif name in taken:
            self.fault(
                path, "name-taken", f"{name} already names something", "Give it another name"
            )

    def _check_bounds(self, path: Path, question: Question) -> None:
        low, high = question.minimum, question.maximum
        if low is not None and high is not None and low > high:
            self.fault(path, "bounds", "its minimum is above its maximum", "Swap the two")
        bounds = [bound for bound in (low, high) if bound is not None]
        if question.type is QuestionType.INTEGER and any(
            b != b.to_integral_value() for b in bounds
        ):
            self.fault(path, "bounds", "a whole number has a broken bound", "Write a whole number")

    # --- derived values -----------------------------------------------------------------

    def derive(self) -> None:
        """Check every derived value, in file order: each may use those above it."""
        entries = self.entries("derive")
        taken: dict[str, object] = {**BUILT_IN, **self.checked.questions}
        for question in self.checked.questions.values():
            taken |= question.fields
        for _, name, _ in entries:
            self.unusable.setdefault(name, "it is derived further down: move it above this line")
        for path, name, value in entries:
            if not self.sound(path):
                self.broken.add(name)
                continue
            self._check_name(path, name, taken)
            if name in taken:
                continue
            found = self._count(path, value) if "count" in value else self._value(path, value)
            if found is None:
                self.broken.add(name)
                continue
            if isinstance(found, CountOf):
                self.checked.counts[name] = found
                self.checked.types[name] = COUNT
            else:
                self.checked.derived[name], self.checked.types[name] = found
            self.unusable.pop(name, None)

    def _count(self, path: Path, value: Mapping[str, Any]) -> CountOf | None:
        list_name = value["count"]
        listed = self.checked.questions.get(list_name)
        if list_name in self.broken:
            return None
        if listed is None or listed.type is not QuestionType.LIST:
            lists = [
                name
                for name, each in self.checked.questions.items()
                if each.type is QuestionType.LIST
            ]
            self.fault(
                (*path, "count"),
                "count",
                f"there is no list {list_name}",
                did_you_mean(list_name, lists),
            )
            return None
        row_scope = self._row_scope(listed)
        where = None
        if "where" in value:
            where = self._test((*path, "where"), value["where"], row_scope)
            if where is None:
                return None
            if not set(nodes.names_in(where)) & set(listed.fields):
                self.fault(
                    (*path, "where"),
                    "count",
                    "it looks at no field of the list",
                    did_you_mean("", listed.fields),
                )
        return CountOf(list_name, frozenset(listed.fields), where, row_scope)

    def _row_scope(self, listed: Question) -> Scope:
        types = {
            name: kind
            for name, field_ in listed.fields.items()
            if (kind := question_type(field_)) is not None
        }
        text = {
            name: "free text is never tested: ask a choice"
            for name in listed.fields
            if name not in types
        }
        return Scope({**self.checked.types, **types}, {**self.unusable, **text})

    def _value(
        self, path: Path, value: Mapping[str, Any]
    ) -> tuple[nodes.Node, typecheck.Type] | None:
        at = (*path, "value")
        node = self._parsed(at, value["value"])
        if node is None or self._leans_on_broken(node):
            return None
        kind, found = typecheck.check_value(node, Scope(self.checked.types, self.unusable))
        self.complaints(at, found)
        if kind is None:
            return None
        return node, self._with_unit(path, kind, value.get("unit"))

    def _with_unit(self, path: Path, kind: typecheck.Type, stated: str | None) -> typecheck.Type:
        unit = canonical(stated)
        if stated is not None and kind.family is not typecheck.Family.NUMBER:
            self.fault((*path, "unit"), "unit", "only numbers have a unit", "Take the unit out")
        elif stated is None and kind.unit == UNKNOWN:
            self.fault(
                path,
                "unit",
                "scaled by a plain number, its unit cannot be worked out",
                "State its `unit:`",
            )
        elif stated is not None and kind.unit not in (UNKNOWN, unit):
            self.fault(
                (*path, "unit"),
                "unit",
                f"the expression yields {shown(kind.unit)}, not {shown(unit)}",
                "State the unit that it yields, or mend the expression",
            )
        return replace(kind, unit=unit) if kind.unit == UNKNOWN else kind

    # --- expressions --------------------------------------------------------------------

    def _parsed(self, path: Path, text: str) -> nodes.Node | None:
        try:
            node = parse(text)
        except ExpressionRefused as refusal:
            self.complaints(path, [refusal.complaint])
            return None
        self.checked.expressions[path] = node
        return node

    def _leans_on_broken(self, node: nodes.Node) -> bool:
        return not self.broken.isdisjoint(nodes.names_in(node))

    def _test(self, path: Path, text: str, scope: Scope) -> nodes.Node | None:
        node = self._parsed(path, text)
        if node is None or self._leans_on_broken(node):
            return None
        found = typecheck.check_condition(node, scope)
        self.complaints(path, found)
        return None if found else node

    def criteria(self) -> None:
        """Check every criterion of every section: its id, its source, its expression."""
        seen: set[str] = set()
        scope = Scope(self.checked.types, self.unusable)
        for section in SECTIONS:
            found = self.data.get(section)
            for index, each in enumerate(found if isinstance(found, list) else ()):
                path: Path = (section, index)
                if not isinstance(each, dict):
                    continue
                if isinstance(each.get("id"), str):
                    if each["id"] in seen:
                        self.fault(path, "duplicate-id", "its id stands twice", "Give each its own")
                    seen.add(each["id"])
                self._check_source(path, each)
                self._check_override(path, each)
                if isinstance(each.get("met_when"), str) and self.sound((*path, "met_when")):
                    self._test((*path, "met_when"), each["met_when"], scope)

    def _check_override(self, path: Path, each: Mapping[str, Any]) -> None:
        rule = each.get("override")
        if rule is None or not self.sound((*path, "override")):
            return
        self._check_source((*path, "override"), rule)
        if self.data.get("language") == 1:
            self.fault(
                (*path, "override"),
                "language",
                "an override needs language 2",
                "Say `language: 2` at the head of the file",
            )

    def _check_source(self, path: Path, holder: Mapping[str, Any]) -> None:
        name = holder.get("source")
        known = [key for _, key, _ in self.entries("sources")]
        if isinstance(name, str) and self.sound((*path, "source")) and name not in known:
            self.fault(
                (*path, "source"), "source", f"there is no source {name}", did_you_mean(name, known)
            )

    # --- terms --------------------------------------------------------------------------

    def terms(self, drug_keys: Mapping[str, frozenset[str]] | None) -> None:
        """Check the sources of terms, the drug and its products, and an empty `start`."""
        for name in ("approval", "new_starts", "panel"):
            if isinstance(self.data.get(name), dict):
                self._check_source((name,), self.data[name])
        if "panel" in self.data and not self.unsound:
            for found in panel_faults(self.data):
                self.fault(*found)
        if (
            drug_keys is not None
            and self.sound(("drug",))
            and isinstance(self.data.get("drug"), str)
        ):
            self._check_drug(self.data["drug"], drug_keys)
        refused = (self.data.get("new_starts") or {}) if self.sound(("new_starts",)) else {}
        may_be_empty = (
            refused.get("decide") == "refuse" or self.data.get("mechanism") == "notification"
        )
        if "start" in self.data and not self.data["start"] and not may_be_empty:
            self.fault(
                ("start",),
                "no-criteria",
                "there is no start criterion, so anyone would be approved",
                "Add one, or say `new_starts: {decide: refuse, …}`",
            )

    def _check_drug(self, drug: str, drug_keys: Mapping[str, frozenset[str]]) -> None:
        if drug not in drug_keys:
            self.fault(
                ("drug",),
                "drug",
                f"there is no drug {drug} in the dictionary",
                did_you_mean(drug, drug_keys),
            )
            return
        approval = self.data.get("approval")
        products = approval.get("products") if isinstance(approval, dict) else None
        for index, product in enumerate(products if isinstance(products, list) else ()):
            if isinstance(product, str) and product not in drug_keys[drug]:
                self.fault(
                    ("approval", "products", index),
                    "product",
                    f"{product} is not a product of {drug}",
                    did_you_mean(product, drug_keys[drug]),
                )
