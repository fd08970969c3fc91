"""Where what stands in a form comes from, and whom the form is about.

The patient and the hospital stand on every page of a form, so that nobody fills in or sends one for
another patient than they think. Numbers go to the care team that prepares forms, to nobody else.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.approvals import patients, store
from app.approvals.errors import ApprovalsError
from app.approvals.model import PatientRecord, TreatmentRecord
from app.approvals.patients import local_id_of
from app.approvals.permissions import Action, check_acts_for
from app.approvals.searching import SearchQuery, search
from app.auth.model import Caller
from app.clock import london_day
from app.db.work import Work
from app.reference_data.organisations import load_organisations
from app.web.filling import Filling, as_day
from app.web.form import about
from app.web.form.fields import Known
from app.web.words import day_words, nhs_words

_RECORD: Final = "your organisation's record of this patient"
_SIGN_IN: Final = "your sign-in"


@dataclass(frozen=True, slots=True)
class Told:
    """One line of whom and whose a form is: its words, and where they come from."""

    label: str
    words: str
    source: str


def whom(found: Filling, caller: Caller) -> tuple[Told, ...]:
    """The patient, the hospital and who pays, as the form has them. Pure."""
    if found.treatment is not None:
        of = "the record of this treatment"
        hospital = Told("Hospital", organisation_words(found.treatment.provider, found.day), of)
        payer = Told("Who pays", organisation_words(found.treatment.commissioner, found.day), of)
        person = Told("Patient", record_words(found.patient, found.local_id), of)
        return (person, hospital, payer)
    given = found.draft.form.get("patient")
    words = typed_words(given if isinstance(given, Mapping) else {})
    person = Told("Patient", words or "Not told yet", "the form's page about the patient")
    return (person, Told("Hospital", organisation_words(caller.organisation, found.day), _SIGN_IN))


def record_words(person: PatientRecord | None, local_id: str | None) -> str:
    """A patient of the record: the numbers and the day of birth."""
    if person is None or person.has_ended:
        return "No longer kept: who the patient was is erased"
    said = (
        f"NHS number {nhs_words(person.nhs_number)}" if person.nhs_number else "",
        f"hospital number {local_id}" if local_id else "",
        f"born {day_words(person.birth_date)}",
    )
    return ", ".join(filter(None, said))


def typed_words(given: Mapping[str, Any]) -> str:
    """A patient as the form has them typed; what cannot be read stands as it was typed."""
    number = "".join(str(given.get("nhs_number") or "").split()).replace("-", "")
    plain = len(number) == 10 and number.isascii() and number.isdigit()
    born = as_day(given.get("birth_date"))
    said = (
        f"NHS number {nhs_words(number) if plain else given.get('nhs_number')}" if number else "",
        f"hospital number {given['local_id']}" if given.get("local_id") else "",
        f"born {day_words(born)}" if born else "",
    )
    return ", ".join(filter(None, said))


def organisation_words(code: str, day: dt.date) -> str:
    """An organisation by name and code, or by code alone where no name is held."""
    held = load_organisations().find(code, day)
    return code if held is None else f"{held.name} ({code})"


# --- what stands in the pages about the patient and the treatment --------------------------------


def patient_of(work: Work, caller: Caller, treatment_id: str) -> dict[str, Any]:
    """The patient of one of the caller's treatments as a new form has them.

    Raises NotFound, NotAllowed where another organisation treats, and RecordEnded where nobody
    knows any more who it was.
    """
    treatment = store.find_treatment(work, caller, treatment_id)
    check_acts_for(caller, Action.PREPARE, treatment.provider)
    patients.check_kept(work, treatment.patient_id)
    return _typed(work, treatment)


def filled_in(form: Mapping[str, Any]) -> dict[str, Known]:
    """What to tell beside the fields of a patient who was filled in from the record."""
    entries = about.patient_entries()
    known = Known("", _RECORD, put_in=True)
    return {each.name: known for each in entries if about.stored(form, each) is not None}


def known_about(work: Work, caller: Caller, found: Filling, step: str) -> dict[str, Known]:
    """What is on record of the page's fields, and where it comes from, by entry name."""
    if found.treatment is None and step == about.PATIENT:
        return _known_patient(work, caller, found.draft.form)
    if step != about.TREATMENT:
        return {}
    told = {}
    begun = london_day(found.draft.prepared_at)
    if as_day(found.draft.form.get("decision_to_treat")) == begun:
        said = f"the day on which this form was begun, {day_words(begun)}"
        told["decision_to_treat"] = Known("", said, put_in=True)
    if found.treatment is None and found.draft.policy is not None:
        usual = store.usual_commissioner(work, caller.organisation, found.draft.policy)
        if usual is not None:
            stands = found.draft.form.get("commissioner") == usual
            source = "your organisation's newest treatment under this form"
            told["commissioner"] = Known(organisation_words(usual, found.day), source, stands)
    return told


def _known_patient(work: Work, caller: Caller, form: Mapping[str, Any]) -> dict[str, Known]:
    """What the record of the same number and day of birth has like the form. Audited."""
    given = form.get("patient")
    typed = given if isinstance(given, Mapping) else {}
    number, local_id = typed.get("nhs_number"), typed.get("local_id")
    if not isinstance(number, str) and not isinstance(local_id, str):
        return {}
    query = SearchQuery(
        nhs_number=number or None,
        local_id=None if number else local_id,
        provider=caller.organisation,
        limit=1,
    )
    try:
        hits = search(work, caller, query).hits
    except ApprovalsError:
        return {}  # a number that cannot be read: the page says that itself
    record = {"patient": _typed(work, hits[0].treatment)["patient"]} if hits else {}
    told = {}
    for entry in about.patient_entries():
        stands, held = about.stored(form, entry), about.stored(record, entry)
        if held is not None and _plain(stands) == _plain(held):
            told[entry.name] = Known("", _RECORD, put_in=True, same=True)
    alike = "patient.birth_date" in told  # else it is somebody else's record, or a slip
    return told if alike else {}


def _plain(value: Any) -> str:
    return "" if value is None else str(value).replace(" ", "").replace("-", "")


def _typed(work: Work, treatment: TreatmentRecord) -> dict[str, Any]:
    person = patients.patient(work, treatment.patient_id)
    number = person.nhs_number or patients.patient(work, person.canonical_id).nhs_number
    local_id = local_id_of(work, treatment.provider, treatment.patient_id)
    typed = {
        "nhs_number": None if number is None else nhs_words(number),
        "birth_date": person.birth_date.isoformat(),
        "sex": person.sex,
        "local_id": local_id,
        "no_nhs_number_reason": None if number else person.no_nhs_number_reason,
    }
    return {"patient": {name: value for name, value in typed.items() if value is not None}}
