"""What kind of charge a line is, told from its amount, its drug and the words in its name.

The words are dated data: `layouts/line-kinds.yaml`.
"""

import re
from dataclasses import dataclass
from functools import cache

from app.reconciliation.layouts import KINDS_FILE, packaged
from app.reconciliation.model import ContractLine, LineKind
from app.reference_data.drugs import Recognition


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: LineKind
    with_drug: bool
    pattern: re.Pattern[str]


@cache
def _rules() -> tuple[_Rule, ...]:
    rules = []
    for entry in packaged(KINDS_FILE)["kinds"]:
        terms = [*entry.get("words", ()), *entry.get("phrases", ())]
        pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, terms)) + r")\b")
        rules.append(_Rule(LineKind(entry["kind"]), entry["with_drug"], pattern))
    return tuple(rules)


def fee_sort(name: str | None) -> str:
    """Which agreed charge a fee of this name is held against."""
    words = frozenset(_words(name).split())
    sorts = packaged(KINDS_FILE)["fees"]
    found = (each["sort"] for each in sorts if not words.isdisjoint(each["words"]))
    return str(next(found, sorts[-1]["sort"]))


def is_fee_named(name: str | None, drug: str | None) -> bool:
    """Whether a line of this name would be a fee, were its total no credit."""
    words = _words(name)
    return any(
        rule.kind is LineKind.FEE
        and (rule.with_drug or not drug)
        and rule.pattern.search(words) is not None
        for rule in _rules()
    )


def may_be_fee(name: str | None) -> bool:
    """Whether a line of this name may be a fee, whatever drug is recognised in it."""
    words = _words(name)
    return any(rule.kind is LineKind.FEE and rule.pattern.search(words) for rule in _rules())


def _words(name: str | None) -> str:
    return " ".join(re.findall(r"[a-z]+|[0-9]+", (name or "").casefold()))


def classify(line: ContractLine, recognition: Recognition) -> LineKind:
    """The kind of a line. A negative total is a credit, whatever it is called."""
    if line.total_cost is not None and line.total_cost < 0:
        return LineKind.CREDIT
    words = _words(line.drug_name)
    for rule in _rules():
        if (rule.with_drug or recognition.drug is None) and rule.pattern.search(words):
            return rule.kind
    if recognition.drug is not None:
        return LineKind.DRUG
    if (line.point_of_delivery or "").casefold() == "device":
        return LineKind.DEVICE
    return LineKind.UNKNOWN
