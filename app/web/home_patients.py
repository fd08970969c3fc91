"""Whom the rows of a list concern, in words, and that they were told. Pure but for reading."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.approvals.drafting import DraftRecord
from app.approvals.naming import Named, patients_of
from app.approvals.permissions import Action, can
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.web.decision import NO_LONGER_KEPT
from app.web.words import day_words, nhs_words

HEAD = "Patient"


@dataclass(slots=True)
class Told:
    """The patients that a page names, gathered while it is made. Nobody but the care team's.

    `worklist`: what the page is called on record, "home" or the list's own name.
    """

    work: Work
    caller: Caller
    worklist: str = "home"
    _treatments: set[str] = field(default_factory=set)
    _drafts: set[str] = field(default_factory=set)

    def of_treatments(self, ids: Collection[str]) -> dict[str, str]:
        """Treatment id → its patient; empty for those that the caller's organisation does not
        prescribe, and for anybody outside the care team."""
        if not can(self.caller, Action.PREPARE):
            return {}
        found = patients_of(self.work, self.caller, ids)
        self._treatments |= found.keys()
        return {id_: patient_cell(named) for id_, named in found.items()}

    def of_drafts(self, drafts: Sequence[DraftRecord]) -> dict[str, str]:
        """Draft id → the patient that its form or its treatment states, where it is legible."""
        known = self.of_treatments({d.treatment_id for d in drafts if d.treatment_id})
        told = {d.id: known.get(d.treatment_id or "") or typed_cell(d.form) for d in drafts}
        self._drafts |= {id_ for id_, said in told.items() if said}
        return told

    def readings(self) -> tuple[Reading, ...]:
        """What goes on record; nothing where nobody was named."""
        if not self._treatments and not self._drafts:
            return ()
        names = {
            "worklist": self.worklist,
            "treatments": sorted(self._treatments),
            "drafts": sorted(self._drafts),
        }
        return (Reading("worklist read", names=names),)


def patient_cell(named: Named) -> str:
    """By NHS number, else by hospital number, with the birth date."""
    if named.ended:
        return NO_LONGER_KEPT
    who = nhs_words(named.nhs_number) if named.nhs_number else named.local_id or "No number"
    return f"{who}, born {day_words(named.birth_date)}"


def typed_cell(form: Mapping[str, Any]) -> str:
    """The NHS number of a form as typed; empty for what is none, since anything may stand there."""
    given = form.get("patient")
    number = given.get("nhs_number") if isinstance(given, Mapping) else None
    try:
        return nhs_words(parse_nhs_number(number)) if isinstance(number, str) else ""
    except InvalidNhsNumber:
        return ""
