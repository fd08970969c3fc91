"""A form of an urgent start that an office authorised before it, and that goes to a panel."""

import datetime as dt
from typing import Any

from app.policy import Kind, Outcome
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.browser.cases import case_with, plain

POLICY = "immunoglobulin-itp"
#: How long before the form the first dose was given.
DAYS = 5


def first_dose(today: dt.date) -> dt.date:
    """The day of the first dose, for a form of today."""
    return today - dt.timedelta(days=DAYS)


def urgent_form(sequence: int, today: dt.date, commissioner: str = "DEMQ1") -> dict[str, Any]:
    """The form of one invented patient as the API takes it; the policy refers it to people."""
    case = case_with("immunoglobulin", Kind.INITIATION, Outcome.REFERRED)
    assert case.context.birth_date is not None
    first = first_dose(today).isoformat()
    return {
        "policy": POLICY,
        "commissioner": commissioner,
        "patient": {
            "birth_date": case.context.birth_date.isoformat(),
            "sex": case.context.sex,
            "nhs_number": invented_nhs_number(sequence),
            "local_id": f"U{sequence:06d}",
        },
        "decision_to_treat": first,
        "first_dose": first,
        "retrospective_reason": "urgent",
        "details": {
            "emergency": {
                "role": "consultant haematologist on call",
                "office": "the panel's emergency line",
                "at": f"{first}T00:30:00Z",
            }
        },
        "answers": plain(case.answers),
    }
