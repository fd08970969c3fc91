"""Which answers on record still say something when a later form asks the same question. Pure.

A baseline and a history stay what they were. A fact of the patient or the treatment mostly does:
it may be confirmed, or filled in by whoever asks for it. Anything else is asked as of now, above
all a measurement: an earlier one is told with its day and never filled in, for a stale score can
make a continuation pass.

Nothing is a fact unless it is named here: a question that nobody has judged is asked as of now.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.policy import Kind, PolicyVersion, Question, QuestionType

_DOSE: Final = frozenset({"dose", "doses"})
#: What is known of the disease, the patient's past, the laboratory, and how the treatment is
#: given. None of it is how the patient is today: no response, no count of a recent period.
FACTS: Final = frozenset(
    {
        "administration_route",
        "aim",
        "alp_upper_limit",
        "bilirubin_upper_limit",
        "bleeds_before",
        "booking_weight_kg",
        "brand",
        "comprehensive_care_centre",
        "demyelination_antibody",
        "diagnosis_confidence",
        "ever_decompensated",
        "homecare",
        "jcv_tested",
        "methotrexate_unsuitable",
        "other_dmt",
        "phase",
        "place_of_treatment",
        "prior_immunosuppressant",
        "product_form",
        "seizures_before",
        "transplant_on",
        "treatment_purpose",
        "with_methotrexate",
    }
)
#: Lists of what came before the treatment. Any other list of a continuation goes on growing.
HISTORIES: Final = frozenset({"past_prophylaxis", "past_therapies", "vaccine_responses"})
#: Lists of dated events, which may be confirmed as they stand: "none to add".
EVENTS: Final = frozenset({"relapses"})
#: Columns of a list that were settled before the treatment. A continuation fills them in, each row
#: without what was scored since: that is asked anew.
BEFORE: Final[Mapping[str, tuple[str, ...]]] = {
    "outcome_measures": ("measure", "fixed_beforehand", "score_before")
}
_HEIGHT: Final = "height_cm"
#: Sizes of the body: they serve a repeat in the same episode, with the day of the measurement.
_BODY: Final = frozenset({_HEIGHT, "weight_kg"})
#: From this age on a height lasts: the policies' own line between a child's dose and an adult's.
_ADULT_YEARS: Final = 18


class Standing(StrEnum):
    """What an answer on record is worth to a later form."""

    LASTS = "lasts"  # a baseline or a history: filled in, with its origin
    FACT = "fact"  # confirmed by one choice, or filled in when asked for
    NOW = "now"  # told with its day; whoever fills in the form answers anew


@dataclass(frozen=True, slots=True)
class Approved:
    """The approval that a continuation goes on from.

    `known_by` is the last day of which its form can tell; a measurement of a later day is new.
    """

    known_by: dt.date


def is_of_a_dose(question: str) -> bool:
    """Whether a question is about a dose: none is ever proposed."""
    return not _DOSE.isdisjoint(question.split("_"))


def standing_of(question: Question, kind: Kind) -> Standing:
    """What an earlier answer to the question is worth on a form of this kind, by its nature."""
    if is_of_a_dose(question.name):
        return Standing.NOW
    if question.carried:  # before the treatment: of a new start that is now
        return Standing.NOW if kind is Kind.INITIATION else Standing.LASTS
    if question.measured:
        return Standing.NOW
    if kind is Kind.INITIATION:
        return Standing.LASTS if question.type is QuestionType.LIST else Standing.FACT
    if question.type is QuestionType.LIST:
        return Standing.LASTS if question.name in HISTORIES else Standing.NOW
    return Standing.FACT if question.name in FACTS else Standing.NOW


def rows_before(question: Question, kind: Kind, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of an approved answer with what was settled before the treatment, and no more.

    Only those that were chosen and scored then: a row that lacks a column is given anew whole.
    """
    columns = BEFORE.get(question.name, ())
    rows = answer.get("value")
    if kind is not Kind.CONTINUATION or not isinstance(rows, (list, tuple)):
        return []
    if not columns or not question.fields.keys() >= set(columns):
        return []
    return [
        {each: row[each] for each in columns}
        for row in rows
        if isinstance(row, Mapping)
        and not any(row.get(each) is None or row[each] is False for each in columns)
    ]


def still_serves(
    version: PolicyVersion,
    question: Question,
    kind: Kind,
    answer: Mapping[str, Any],
    approved: Approved | None,
    decision_to_treat: dt.date,
    birth_date: dt.date | None = None,
) -> Standing:
    """What one answer on record is worth: `standing_of`, and by its own day where it has one.

    A measurement that was taken after the approval which is continued answers the question, and so
    does a height that was measured at 18 or later. Of a policy that approves one episode, height
    and weight do that were measured within the time that it approves an episode for. "None to
    record" was said of its own day, and never lasts.
    """
    found = standing_of(question, kind)
    if answer.get("value") == []:
        return Standing.NOW
    if found is not Standing.NOW or not question.measured or is_of_a_dose(question.name):
        return found
    measured = _day(answer.get("measured_on"))
    if kind is Kind.INITIATION or approved is None or measured is None:
        return Standing.NOW
    if measured > decision_to_treat:
        return Standing.NOW
    lasts = (
        measured > approved.known_by
        or _is_of_the_episode(version, question, measured, decision_to_treat)
        or (question.name == _HEIGHT and _is_of_an_adult(measured, birth_date))
    )
    return Standing.LASTS if lasts else Standing.NOW


def _is_of_the_episode(
    version: PolicyVersion, question: Question, measured: dt.date, decision_to_treat: dt.date
) -> bool:
    terms = version.approval
    if terms.pattern != "episode" or question.name not in _BODY or not terms.lasts_days:
        return False
    return (decision_to_treat - measured).days <= terms.lasts_days


def _is_of_an_adult(measured: dt.date, birth_date: dt.date | None) -> bool:
    """Whether somebody had grown up on that day. Of an unknown birth date there is no telling."""
    if birth_date is None:
        return False
    born = (birth_date.year + _ADULT_YEARS, birth_date.month, birth_date.day)
    return (measured.year, measured.month, measured.day) >= born


def _day(stored: Any) -> dt.date | None:
    try:
        return dt.date.fromisoformat(stored) if isinstance(stored, str) else None
    except ValueError:
        return None
