"""Checks the values that a policy file derives: counts, picks, choices and expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.policy import build, nodes, typecheck
from app.policy.check_base import FileChecker
from app.policy.document import Path
from app.policy.emit import CountOf, PickOf
from app.policy.errors import ExpressionRefused
from app.policy.formulas import expanded_formula, is_formula
from app.policy.model import Question, QuestionType
from app.policy.names import BUILT_IN, question_type
from app.policy.suggestions import did_you_mean
from app.policy.typecheck import COUNT, Family, Scope, Type
from app.policy.units import UNKNOWN, canonical, shown


class DerivedChecker(FileChecker):
    """The checks of `derive`."""

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
            self.check_name(path, name, taken)
            if name in taken:
                continue
            self._take(path, name, value)

    def _take(self, path: Path, name: str, value: Mapping[str, Any]) -> None:
        """Check one derived value, which is then known, or broken."""
        sound = self._formula(path, name, value) if "formula" in value else None
        if sound or (sound is None and self._one(path, name, value)):
            self.unusable.pop(name, None)
        else:
            self.broken.add(name)

    def _one(self, path: Path, name: str, value: Mapping[str, Any]) -> bool:
        """Check one derived value and learn its type; False where it is at fault."""
        checked = self.checked
        if "count" in value:
            count = self._count(path, value)
            if count is None:
                return False
            checked.counts[name], checked.types[name] = count, COUNT
            return True
        mode = next((each for each in build.PICKS if each in value), None)
        if mode is not None:
            pick = self._pick(path, mode, value)
            if pick is None:
                return False
            checked.picks[name], checked.types[name] = pick
            return True
        found = self._choice(path, value) if "choose" in value else self._value(path, value)
        if found is None:
            return False
        checked.derived[name], checked.types[name] = found
        return True

    def _formula(self, path: Path, name: str, value: Mapping[str, Any]) -> bool:
        """Check what a formula is applied to, then its steps and its result, one by one."""
        self.needs_two(path, "a formula")
        if not is_formula(value) or not self._arguments(path, value):
            return False
        try:
            entries = expanded_formula(name, value)
        except ExpressionRefused as refusal:
            self.complaints(path, [refusal.complaint])
            return False
        result = entries.pop(name)
        for step, entry in entries.items():
            if step in self.checked.types or step in self.data["derive"]:
                message = f"its step {step} already names something"
                self.fault(path, "name-taken", message, "Give the derived value another name")
                return False
            self._take(path, step, entry)
        return not self.broken & entries.keys() and self._one(path, name, result)

    def _arguments(self, path: Path, value: Mapping[str, Any]) -> bool:
        """Whether every parameter is given something of its own type and unit."""
        parameters, given = value["formula"]["parameters"], value["with"]
        sound = True
        for name in given.keys() ^ parameters.keys():
            if name in given:
                mend = did_you_mean(name, parameters)
                self.fault((*path, "with", name), "formula", f"it has no parameter {name}", mend)
            else:
                message = f"it is not told its parameter {name}"
                self.fault((*path, "with"), "formula", message, f"Add `{name}:` under `with:`")
            sound = False
        for name in given.keys() & parameters.keys():
            wanted = question_type(build.question(name, parameters[name]))
            at = (*path, "with", name)
            sound = wanted is not None and self._argument(at, given[name], wanted) and sound
        return sound

    def _argument(self, path: Path, raw: object, wanted: Type) -> bool:
        node = self.parsed(path, build.plain(raw))
        if node is None or self.leans_on_broken(node):
            return False
        kind, found = typecheck.check_part(node, Scope(self.checked.types, self.unusable))
        self.complaints(path, found)
        if kind is None:
            return False
        text = nodes.render(node)
        if kind.family is not wanted.family or kind.interval:
            what = "a count" if kind.interval else str(kind.family)
            message = f"{text} is {what}, but the formula takes {wanted.family}"
            self.fault(path, "formula", message, "Give it what it takes")
            return False
        if wanted.family is Family.NUMBER and not kind.constant and kind.unit != wanted.unit:
            message = f"{text} has {shown(kind.unit)}, but the formula takes {shown(wanted.unit)}"
            mend = "Derive a value in the formula's unit first, stating its `unit:`"
            self.fault(path, "unit", message, mend)
            return False
        if wanted.family is Family.CHOICE and not kind.options <= wanted.options:
            message = f"{text} has options that the formula does not know"
            mend = f"It knows {', '.join(sorted(wanted.options))}"
            self.fault(path, "formula", message, mend)
            return False
        return True

    def _count(self, path: Path, value: Mapping[str, Any]) -> CountOf | None:
        listed = self._listed((*path, "count"), value["count"], "count")
        if listed is None:
            return None
        row_scope = self._row_scope(listed)
        where = self._where(path, value, listed, row_scope)
        if where is None and "where" in value:
            return None
        return CountOf(listed.name, frozenset(listed.fields), where, row_scope)

    def _listed(self, path: Path, name: str, code: str) -> Question | None:
        """The list of that name."""
        if name in self.broken:
            return None
        listed = self.checked.questions.get(name)
        if listed is None or listed.type is not QuestionType.LIST:
            lists = [q.name for q in self.checked.questions.values() if q.type is QuestionType.LIST]
            self.fault(path, code, f"there is no list {name}", did_you_mean(name, lists))
            return None
        return listed

    def _where(
        self, path: Path, value: Mapping[str, Any], listed: Question, row_scope: Scope
    ) -> nodes.Node | None:
        """The test of a list's rows, if there is one and it is sound."""
        if "where" not in value:
            return None
        where = self.test((*path, "where"), value["where"], row_scope)
        if where is not None and not set(nodes.names_in(where)) & set(listed.fields):
            self.fault(
                (*path, "where"),
                "count" if "count" in value else "pick",
                "it looks at no field of the list",
                did_you_mean("", listed.fields),
            )
        return where

    def _pick(self, path: Path, mode: str, value: Mapping[str, Any]) -> tuple[PickOf, Type] | None:
        self.needs_two(path, f"a pick of the {mode} row")
        listed = self._listed((*path, mode), value[mode], "pick")
        if listed is None:
            return None
        dated = mode in ("latest", "earliest")
        kind = self._field((*path, "value"), listed, value["value"], None)
        order = value.get("by", value["value"])
        wanted = Family.DATE if dated else Family.NUMBER
        at = (*path, "by") if "by" in value else (*path, "value")
        sound = self._field(at, listed, order, wanted) if kind is not None else None
        row_scope = self._row_scope(listed)
        where = self._where(path, value, listed, row_scope)
        if kind is None or sound is None or (where is None and "where" in value):
            return None
        fields = frozenset(listed.fields)
        return PickOf(listed.name, fields, mode, order, value["value"], where, row_scope), kind

    def _field(self, path: Path, listed: Question, name: str, wanted: Family | None) -> Type | None:
        """The type of a list's field, which must be of a family if one is wanted."""
        field = listed.fields.get(name)
        kind = None if field is None else question_type(field)
        if field is None:
            mend = did_you_mean(name, listed.fields)
            self.fault(path, "pick", f"{listed.name} has no field {name[:60]}", mend)
            return None
        if kind is None:
            mend = "Pick a date, a number, a choice or a yes or no"
            self.fault(path, "pick", "free text is never tested", mend)
            return None
        if wanted is not None and kind.family is not wanted:
            mends = {
                Family.DATE: "Name the date that orders the rows with `by:`",
                Family.NUMBER: "Name a number as `value:`, or pick the latest or earliest",
            }
            message = f"{name} is {kind.family}, but the rows are ordered by {wanted}"
            self.fault(path, "pick", message, mends[wanted])
            return None
        return kind

    def _choice(self, path: Path, value: Mapping[str, Any]) -> tuple[nodes.Node, Type] | None:
        """The first branch whose test holds; every value is of one type."""
        self.needs_two(path, "`choose`")
        scope = Scope(self.checked.types, self.unusable)
        tests, values = [], []
        for index, branch in enumerate(value["choose"]):
            at: Path = (*path, "choose", index)
            tests.append(self.test((*at, "when"), branch["when"], scope))
            values.append(self._chosen((*at, "value"), branch["value"], scope))
        values.append(self._chosen((*path, "else"), value["else"], scope))
        known = [each for each in values if each is not None]
        if None in tests or len(known) < len(values):
            return None
        kind = self._common(path, known, value)
        if kind is None:
            return None
        sound = [test for test in tests if test is not None]
        branches = tuple(zip(sound, (node for node, _ in known[:-1]), strict=True))
        return nodes.Choose(branches, known[-1][0]), kind

    def _chosen(self, path: Path, raw: object, scope: Scope) -> tuple[nodes.Node, Type] | None:
        node = self.parsed(path, build.plain(raw))
        if node is None or self.leans_on_broken(node):
            return None
        kind, found = typecheck.check_part(node, scope)
        self.complaints(path, found)
        if kind is None:
            return None
        if kind.interval or kind.family is Family.BOOLEAN:
            what = "a count" if kind.interval else "a yes or no"
            mend = "Give numbers, dates or quoted options; test the count in `when:`"
            self.fault(path, "choose", f"a choice between values yields {what}", mend)
            return None
        return node, kind

    def _common(
        self, path: Path, values: list[tuple[nodes.Node, Type]], value: Mapping[str, Any]
    ) -> Type | None:
        """The one type of a choice's values, with its stated unit or options."""
        families = {kind.family for _, kind in values}
        if len(families) > 1:
            words = " and ".join(sorted(families))
            mend = "Give every branch the same kind of value"
            self.fault(path, "choose", f"its values differ in kind: {words}", mend)
            return None
        kinds = [kind for _, kind in values]
        if families == {Family.CHOICE}:
            return self._with_options(path, kinds, value)
        if "options" in value:
            mend = "Quote the keys, or take `options:` out"
            self.fault((*path, "options"), "choose", "its values are not options", mend)
            return None
        stated = canonical(value.get("unit"))
        measured = {kind.unit for kind in kinds if not kind.constant}
        if UNKNOWN in measured and "unit" in value:
            measured = measured - {UNKNOWN} | {stated}  # scaled by a plain number: the file says
        if len(measured) > 1:
            words = " and ".join(sorted(shown(unit) for unit in measured))
            mend = "Give every branch its value in the same unit"
            self.fault(path, "unit", f"its values differ in unit: {words}", mend)
            return None
        whole = all(kind.whole for kind in kinds)
        unit = next(iter(measured)) if measured else stated
        kind = Type(kinds[0].family, unit=unit, whole=whole)
        return self.with_unit(path, kind, value.get("unit"))

    def _with_options(self, path: Path, kinds: list[Type], value: Mapping[str, Any]) -> Type | None:
        stated = frozenset(value.get("options") or ())
        used = frozenset(key for kind in kinds for key in kind.options)
        if "options" not in value:
            mend = "Add `options:` with a label for each"
            self.fault(path, "choose", "its options have no labels", mend)
            return None
        if used != stated:
            key = sorted(used ^ stated)[0]
            has = "has no label" if key in used else "is never chosen"
            mend = did_you_mean(key, stated) if key in used else "Take it out of `options:`"
            self.fault((*path, "options"), "choose", f"the option {key} {has}", mend)
            return None
        if "unit" in value:
            self.fault((*path, "unit"), "unit", "only numbers have a unit", "Take the unit out")
            return None
        return Type(Family.CHOICE, options=stated)

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

    def _value(self, path: Path, value: Mapping[str, Any]) -> tuple[nodes.Node, Type] | None:
        at = (*path, "value")
        node = self.parsed(at, value["value"])
        if node is None or self.leans_on_broken(node):
            return None
        kind, found = typecheck.check_value(node, Scope(self.checked.types, self.unusable))
        self.complaints(at, found)
        if kind is None:
            return None
        free = any(
            isinstance(n, nodes.Call) and n.function in ("LN", "EXP") for n in nodes.walk(node)
        )
        if free and kind.unit is None and kind.family is Family.NUMBER:
            kind = replace(kind, unit=canonical(value.get("unit")))  # a formula's own unit
        return node, self.with_unit(path, kind, value.get("unit"))

    def with_unit(self, path: Path, kind: Type, stated: str | None) -> Type:
        """The type with the unit that the file states, which must be the one it yields."""
        unit = canonical(stated)
        if stated is not None and kind.family is not Family.NUMBER:
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
