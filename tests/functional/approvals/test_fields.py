"""The table of who sees which fields is what the service really shows.

Each reader reads a request, its treatment and its approval; a cell of `docs/assurance/fields.md`
says what came. A field of a patient that the table does not name fails the test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.api.treatments_model import PatientDocument
from tests.architecture.repository import ROOT
from tests.functional.approvals.api import Api, answering, good, initiation
from tests.functional.approvals.test_reviews import transfer

PAGE: Final = ROOT / "docs" / "assurance" / "fields.md"
Change = Callable[[str, str, Any], None]
#: Reader in the table → who calls, and of which of the three requests.
READERS: Final = {
    "care team": ("clinician", "supplied"),
    "its auditor": ("auditor", "supplied"),
    "its administrator": ("administrator", "supplied"),
    "paying commissioner": ("commissioner", "supplied"),
    "its invoice validation": ("invoice validation", "supplied"),
    "policy author": ("policy author", "supplied"),
    "panel asked": ("panel member", "referred"),
    "supplying provider": ("other pharmacist", "supplied"),
    "receiving provider": ("third clinician", "moving"),
    "another provider": ("third clinician", "supplied"),
    "another commissioner": ("other commissioner", "supplied"),
}
#: Of PatientDocument, what tells who the patient is, or of them, and what tells nothing.
PATIENT: Final = {
    "NHS number": "nhs_number",
    "hospital number": "local_id",
    "birth date": "birth_date",
    "our id of the patient": "id",
    "pseudonym": "pseudonym",
    "year of birth": "birth_year",
    "sex": "sex",
}
ELSEWHERE: Final = {
    "linked_to": "with our id of the patient",
    "no_nhs_number_reason": "one of a list of words",
    "died_on": "tests of a death: test_objection_and_death.py",
    "objects_to_display": "tests of an objection: test_objection_and_death.py",
}


@dataclass(frozen=True)
class Seen:
    """What one reader was shown; None for what they were not."""

    statuses: frozenset[int]
    request: Any
    treatment: Any
    approval: Any

    def cell(self, found: Any) -> str:
        if 200 not in self.statuses:
            return "not allowed" if self.statuses == {403} else "not found"
        return "yes" if found else "no"


ROWS: Final[dict[str, Callable[[Seen], Any]]] = {
    **{
        name: lambda seen, field=field: seen.treatment and seen.treatment["patient"][field]
        for name, field in PATIENT.items()
    },
    "answers": lambda seen: seen.request and seen.request["answers"],
    "findings": lambda seen: seen.request and any(d["findings"] for d in seen.request["decisions"]),
    "approval, its days and terms": lambda seen: seen.approval and seen.approval["covers_from"],
    "doses, product and days of supply": lambda seen: seen.treatment and seen.treatment["segments"],
}


def test_every_field_of_a_patient_is_in_the_table_or_explained() -> None:
    assert set(PatientDocument.model_fields) == {*PATIENT.values(), *ELSEWHERE}


def test_the_table_of_fields_is_what_is_shown(people: Mapping[str, Api], change: Change) -> None:
    clinician = people["clinician"]
    form = initiation(1, details={"supplying_providers": ["DEMO2"]})
    made = {"supplied": good(clinician.post("/v1/requests", form), 201)}
    made["moving"] = good(clinician.post("/v1/requests", initiation(2)), 201)
    transfer(clinician, f"/v1/treatments/{made['moving']['treatment_id']}", to="DEMO3")
    change("DEMQ1", "panel", "DEMP1")
    referred = answering(initiation(3), screened=False)
    made["referred"] = good(clinician.post("/v1/requests", referred), 201)

    seen = {reader: read(people[who], made[which]) for reader, (who, which) in READERS.items()}
    lines = [f"| | {' | '.join(READERS)} |", f"|---|{'---|' * len(READERS)}"]
    for row, found in ROWS.items():
        cells = [each.cell(found(each)) for each in seen.values()]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    table = "\n".join(lines)
    assert table in PAGE.read_text("utf-8"), f"docs/assurance/fields.md is stale:\n{table}"


def read(api: Api, made: Mapping[str, Any]) -> Seen:
    approval = made["approval"] or {}
    replies = [
        api.get(f"/v1/requests/{made['id']}"),
        api.get(f"/v1/treatments/{made['treatment_id']}"),
        *([api.get(f"/v1/approvals/{approval['reference']}")] if approval else []),
    ]
    told = [each.json() if each.status_code == 200 else None for each in replies]
    return Seen(frozenset(each.status_code for each in replies), *[*told, None][:3])
