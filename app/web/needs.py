"""Whether drugs need an approval, in words: yes; no, and why not; not known, and whom to ask."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from app.approvals.checking import Need, approval_needed
from app.approvals.errors import PolicyNotUsable
from app.approvals.office import Office
from app.db.work import Work
from app.reference_data.drugs import DrugDictionary
from app.web.words import first_upper

_SAID: Final[Mapping[str, str]] = {
    "yes": "Needs an approval.",
    "no": "Needs no approval.",
    "not known": "Whether it needs an approval is not known.",
}


@dataclass(frozen=True, slots=True)
class NeedRow:
    """One drug: its name, and whether it needs an approval, with the reason."""

    drug: str
    said: str
    reason: str


def need_rows(
    work: Work,
    office: Office,
    drugs: DrugDictionary,
    asked: Iterable[str],
    payer: str | None,
    day: dt.date,
) -> tuple[NeedRow, ...]:
    """Of each of these drugs, by name, whether this payer asks for an approval of it on a day."""
    names = {
        key: first_upper(drugs.drugs[key].name) if key in drugs.drugs else key for key in asked
    }
    return tuple(
        _row(work, office, key, name, payer, day)
        for key, name in sorted(names.items(), key=lambda each: each[1].lower())
    )


def need_words(need: Need) -> str:
    """Whether an approval is needed, and why, as one paragraph."""
    return f"{_SAID[need.answer]} {need.reason}"


def _row(
    work: Work, office: Office, drug: str, name: str, payer: str | None, day: dt.date
) -> NeedRow:
    try:
        need = approval_needed(work, office, drug, payer, day)
    except PolicyNotUsable as error:
        return NeedRow(name, _SAID["not known"], str(error))
    return NeedRow(name, _SAID[need.answer], need.reason)


def drugs_called(drugs: DrugDictionary, words: list[str]) -> list[str]:
    """The drugs in whose name or brands each of these words begins one."""
    return [key for key, drug in drugs.drugs.items() if _fits(drug.name, drug.products, words)]


def _fits(name: str, products: Iterable[object], words: list[str]) -> bool:
    brands = " ".join(str(getattr(each, "name", "")) for each in products)
    text = f" {name} {brands}".lower().replace("-", " ")
    return bool(words) and all(f" {word.lower().replace('-', ' ')}" in text for word in words)
