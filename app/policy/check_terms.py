"""Checks what the approval terms of a policy file mean: lengths, phases, courses, drugs, products.

Like `check`, it skips what has the wrong shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from app.policy import build
from app.policy.document import Path
from app.policy.suggestions import did_you_mean
from app.policy.terms import MaxDose, Span

#: Keys that came with language version 2; a file that uses one says so.
SINCE_2 = (
    *("then_lasts", "phases", "escalations", "courses", "doses", "barred_with", "supersedes"),
    *("max_supply", "best_value", "conversion"),
)
#: Parts of the terms with a source of their own: single ones, and lists of them.
_CITING = ("best_value", "conversion")
_CITING_LISTS = ("escalations", "barred_with")

Found = tuple[Path, str, str, str]
DrugKeys = Mapping[str, frozenset[str]]


def term_faults(
    data: Mapping[str, Any], sound: Callable[[Path], bool], drug_keys: DrugKeys | None
) -> Iterator[Found]:
    """Every fault of the terms: its path, code, message, and how to mend it."""
    terms = data.get("approval")
    if not isinstance(terms, dict):
        return
    usable = {key: terms[key] for key in terms if sound(("approval", key))}
    yield from _language(data, terms)
    yield from _lengths(usable)
    yield from _phases(usable.get("phases"))
    yield from _escalations(usable)
    yield from _courses(usable)
    yield from _policies(data, usable)
    yield from _best_value(usable.get("best_value"))
    if drug_keys is not None:
        yield from _names(data.get("drug"), usable, drug_keys)


def citing(terms: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The parts of the terms that name a source of their own, each with its path."""
    if not isinstance(terms, dict):
        return
    for key in _CITING:
        if isinstance(terms.get(key), dict):
            yield ("approval", key), terms[key]
    for key in _CITING_LISTS:
        found = terms.get(key)
        for index, each in enumerate(found if isinstance(found, list) else ()):
            if isinstance(each, dict):
                yield ("approval", key, index), each


def _language(data: Mapping[str, Any], terms: Mapping[str, Any]) -> Iterator[Found]:
    if data.get("language") != 1:
        return
    spans = [terms.get("lasts")]
    weeks = any(isinstance(span, dict) and "weeks" in span for span in spans)
    in_force = data.get("in_force")
    newer = [key for key in SINCE_2 if terms.get(key) is not None]
    newer += ["weeks"] if weeks else []
    newer += ["succeeds"] if data.get("succeeds") else []
    newer += ["afterwards"] if isinstance(in_force, dict) and in_force.get("afterwards") else []
    for key in newer:
        mend = "Write `language: 2`"
        yield ("language",), "language", f"`{key}` came with language version 2", mend


def _lengths(terms: Mapping[str, Any]) -> Iterator[Found]:
    if terms.get("then_lasts") and not terms.get("lasts"):
        yield (
            ("approval", "then_lasts"),
            "then-lasts",
            "a continuation has a length, but the first approval has none",
            "Add `lasts:`, or take `then_lasts:` out",
        )
    if terms.get("then_lasts") and terms.get("pattern") not in (None, "rolling"):
        yield (
            ("approval", "then_lasts"),
            "then-lasts",
            f"a {terms['pattern']} has no continuation to last",
            "Make the pattern rolling, or take `then_lasts:` out",
        )
    if terms.get("doses") is not None and terms.get("pattern") not in (None, "episode"):
        yield (
            ("approval", "doses"),
            "doses",
            "a number of doses belongs to an episode",
            "Make the pattern an episode, or take `doses:` out",
        )


def _phases(phases: Any) -> Iterator[Found]:
    seen: set[str] = set()
    last = len(phases or ()) - 1
    for index, phase in enumerate(phases or ()):
        path: Path = ("approval", "phases", index)
        if not phase.get("lasts") and index != last:
            yield (
                path,
                "phases",
                f"the phase “{phase['name']}” has no end, so it overlaps the next",
                "Give it `lasts:`; only the last phase may do without",
            )
        if phase["name"] in seen:
            yield path, "phases", "two phases have one name", "Give each its own"
        seen.add(phase["name"])


def _escalations(terms: Mapping[str, Any]) -> Iterator[Found]:
    limit = build.max_dose(terms.get("max_dose"))
    phased = any(phase.get("max_dose") for phase in terms.get("phases") or ())
    for index, each in enumerate(terms.get("escalations") or ()):
        path: Path = ("approval", "escalations", index)
        higher = build.max_dose(each["max_dose"])
        if limit is None and not phased:
            yield (
                path,
                "escalation",
                "it allows more than the largest dose, but the terms state none",
                "Add `max_dose:`",
            )
        if limit is not None and higher is not None and _not_above(higher, limit):
            yield (
                path,
                "escalation",
                f"its {higher} is not above the largest dose of {limit}",
                "Raise it, or take the escalation out",
            )


def _not_above(dose: MaxDose, limit: MaxDose) -> bool:
    same = (dose.unit, dose.per) == (limit.unit, limit.per)
    return same and dose.amount <= limit.amount


def _courses(terms: Mapping[str, Any]) -> Iterator[Found]:
    courses = terms.get("courses") or ()
    if courses and terms.get("pattern") not in (None, "fixed course"):
        yield (
            ("approval", "courses"),
            "courses",
            "a number of courses belongs to a fixed course",
            "Make the pattern a fixed course, or take `courses:` out",
        )
    for index, each in enumerate(courses):
        path: Path = ("approval", "courses", index)
        after, within = build.span(each.get("after")), build.span(each.get("within"))
        if index == 0 and (after or within):
            yield (
                path,
                "courses",
                "the first course has none before it to count from",
                "Take its `after:` and `within:` out",
            )
        if after and within and _at_least(after) > _at_least(within):
            yield path, "courses", "it must end before it may begin", "Swap the two"
        if not each.get("lasts") and not terms.get("lasts"):
            yield path, "courses", f"“{each['name']}” has no length", "Add `lasts:`"


def _at_least(span: Span) -> int:
    return span.days or span.months * 28


def _policies(data: Mapping[str, Any], terms: Mapping[str, Any]) -> Iterator[Found]:
    own = data.get("policy")
    named: tuple[tuple[Path, Any], ...] = (
        (("succeeds",), data.get("succeeds")),
        (("approval", "supersedes"), terms.get("supersedes")),
    )
    for path, policies in named:
        if isinstance(policies, list) and own in policies:
            yield path, "policy", "a policy cannot follow itself", "Take its own key out"


def _best_value(best: Any) -> Iterator[Found]:
    for index, each in enumerate((best or {}).get("products") or ()):
        if each.get("until") and each["until"] < each["from"]:
            path: Path = ("approval", "best_value", "products", index)
            yield path, "dates", "it ends before it begins", "Swap the two days"


def _names(drug: Any, terms: Mapping[str, Any], drug_keys: DrugKeys) -> Iterator[Found]:
    for index, each in enumerate(terms.get("barred_with") or ()):
        path: Path = ("approval", "barred_with", index)
        for barred in each["drugs"]:
            if barred == drug:
                yield path, "drug", "a drug is not barred with itself", "Take it out"
            elif barred not in drug_keys:
                message = f"there is no drug {barred} in the dictionary"
                yield path, "drug", message, did_you_mean(barred, drug_keys)
    products = drug_keys.get(drug, frozenset()) if isinstance(drug, str) else frozenset()
    for index, each in enumerate((terms.get("best_value") or {}).get("products") or ()):
        if products and each["product"] not in products:
            yield (
                ("approval", "best_value", "products", index),
                "product",
                f"{each['product']} is not a product of {drug}",
                did_you_mean(each["product"], products),
            )
