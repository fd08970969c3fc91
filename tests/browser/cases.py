"""Worked cases of the library, for filling in forms as a clinician would."""

import datetime as dt
from pathlib import Path
from typing import Any

from app.policy import Kind, Outcome
from app.policy.cases import Case
from tests.policies.library import POLICIES, cases, versions

FAMILIES = {
    "biologics": "rheumatology/adalimumab-ra-severe",
    "multiple sclerosis": "multiple-sclerosis/natalizumab-rrms-res",
    "obeticholic acid": "hepatology/obeticholic-acid-pbc",
    "immunoglobulin": "immunoglobulin/immunoglobulin-itp",
}


#: More of what goes on; no journey of a first request is walked in them.
MORE = {
    "psoriatic arthritis": "rheumatology/tofacitinib-psa",
    "haemolytic anaemia": "immunoglobulin/immunoglobulin-aiha",
    "polyneuropathy": "immunoglobulin/immunoglobulin-cidp-short",
}


def folder_of(family: str) -> Path:
    """Where the policy of a family lies."""
    return POLICIES / (FAMILIES | MORE)[family]


def approved_case(family: str, kind: Kind) -> Case:
    """The newest case that is approved, without an override or a waiver."""
    return case_with(family, kind, Outcome.APPROVED)


def case_with(family: str, kind: Kind, outcome: Outcome) -> Case:
    """The newest case with this outcome, without an override or a waiver.

    It may be of an older version: obeticholic acid, say, is started no more.
    """
    folder = folder_of(family)
    held = versions(folder)
    return max(
        (
            each
            for each in cases(folder)
            if each.kind is kind
            and each.version in held
            and each.expect.outcome is outcome
            and not each.waived
            and not each.overrides
            and each.context.birth_date is not None
        ),
        # Of one day the first is the text before its correction; these need what the form asks now.
        key=lambda each: (
            held[each.version].in_force.from_,
            each.version if family in MORE else "",
        ),
    )


def plain(answers: Any) -> Any:
    """Answers as a browser types them: days as ISO, numbers as text."""
    if isinstance(answers, dict):
        return {name: plain(value) for name, value in answers.items()}
    if isinstance(answers, (list, tuple)):
        return [plain(value) for value in answers]
    if isinstance(answers, dt.date):
        return answers.isoformat()
    return answers
