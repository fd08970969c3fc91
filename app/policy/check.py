"""Checks what a policy file means: names, sources, expressions, units, products.

Works on data of which some parts may have the wrong shape: those parts are skipped, so that one
fault does not breed others, and everything else is still checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.policy import nodes
from app.policy.check_base import Checked
from app.policy.check_derive import DerivedChecker
from app.policy.check_terms import citing, term_faults
from app.policy.document import Path
from app.policy.panel import panel_faults
from app.policy.suggestions import did_you_mean
from app.policy.typecheck import Scope

__all__ = ["SECTIONS", "Checked", "Checker"]

SECTIONS = ("start", "continue", "stop")


class Checker(DerivedChecker):
    """One pass over one file's data."""

    # --- criteria -----------------------------------------------------------------------

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
                    self.test((*path, "met_when"), each["met_when"], scope)
                if isinstance(each.get("arms"), list) and self.sound((*path, "arms")):
                    self._arms(path, each["arms"], scope)

    def _arms(self, path: Path, arms: list[Any], scope: Scope) -> None:
        """Check the arms of a criterion; together they are one test, their OR."""
        self.needs_two((*path, "arms"), "a criterion with arms")
        seen: set[str] = set()
        trees = []
        for index, arm in enumerate(arms):
            at: Path = (*path, "arms", index)
            if arm["id"] in seen:
                self.fault(at, "duplicate-id", "two arms have the same id", "Give each its own")
            seen.add(arm["id"])
            tree = self.test((*at, "met_when"), arm["met_when"], scope)
            self.checked.expressions.pop((*at, "met_when"), None)
            if tree is not None and tree in trees:
                self.fault(
                    (*at, "met_when"),
                    "repeated",
                    "two arms have the same test",
                    "Take one of them out, or mend its test",
                )
            trees += [] if tree is None else [tree]
        if len(trees) == len(arms):
            self.checked.expressions[(*path, "met_when")] = nodes.Or(tuple(trees))

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
        for path, holder in citing(self.data.get("approval", {})):
            self._check_source(path, holder)
        for fault in term_faults(self.data, self.sound, drug_keys):
            self.fault(*fault)
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
