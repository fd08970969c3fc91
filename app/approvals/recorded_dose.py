"""The dose that a treatment was last approved at, for a continuation to confirm by one choice.

Nothing is proposed or filled in: whoever fills in the form says that the dose is still this one, or
types another. `known_answers.serves` keeps a dose out of what is proposed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from app.approvals import store
from app.approvals.known_answers import is_same_question
from app.approvals.lifecycle import RequestState
from app.approvals.model import RequestRecord, TreatmentRecord
from app.approvals.office import Office
from app.approvals.permissions import Action, check_can
from app.approvals.replaying import version_of_request
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind, PolicyVersion, questions_for

_ASKED: Final = (Kind.INITIATION, Kind.CONTINUATION)
#: After one of these the answers of earlier requests may tell a dose that is given no more.
_CHANGES: Final = (Kind.DOSE_CHANGE, Kind.SWITCH)
_PARTS: Final = ("value", "unit")
#: A dose of the treatment whose question begins with another word; a loading dose was once.
_DOSES: Final = frozenset({"course_dose_mg", "daily_dose_mg", "monthly_dose_g"})
#: What begins with the word and tells how the patient was: it is asked anew.
_NO_DOSE: Final = frozenset({"dose_raised_on_outcome"})


@dataclass(frozen=True, slots=True)
class RecordedDose:
    """The answers about the dose, by question, and the approved request that gave them."""

    answers: Mapping[str, Mapping[str, Any]]
    request: RequestRecord


def is_of_the_dose(question: str) -> bool:
    """Whether a question asks for the dose or its interval, and not how many doses were given."""
    if question in _NO_DOSE:
        return False
    return question in _DOSES or question.split("_")[0] == "dose"


def recorded_dose(
    work: Work, office: Office, caller: Caller, treatment: TreatmentRecord, version: PolicyVersion
) -> RecordedDose | None:
    """The dose of the treatment's newest approved request, if a continuation asks for the same.

    None where any question about the dose was not asked then word for word, where the request
    stated another dose beside its answers, where the dose or the product was changed since, and
    where the request was another organisation's.
    """
    check_can(caller, Action.CHECK)
    newest = next(
        (
            each
            for each in reversed(store.requests_of(work, caller, treatment.id))
            if each.state is RequestState.APPROVED and each.kind in (*_ASKED, *_CHANGES)
        ),
        None,
    )
    if newest is None or newest.kind in _CHANGES:
        return None
    if newest.provider != caller.organisation:
        return None
    asked = [e for e in questions_for(version, Kind.CONTINUATION) if is_of_the_dose(e.name)]
    under = version_of_request(work, office.library_at(work), newest)
    given = store.revisions_of(work, newest.id)[-1].answers
    found: dict[str, Mapping[str, Any]] = {}
    for question in asked:
        answer = given.get(question.name)
        if answer is None or not is_same_question(question, under.questions.get(question.name)):
            return None
        found[question.name] = {p: answer[p] for p in _PARTS if answer.get(p) is not None}
    if not found or not _agrees(newest.details.get("dose"), found.values()):
        return None
    return RecordedDose(found, newest)


def _agrees(stated: Mapping[str, Any] | None, answers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the dose stated with the request, if any was, is the one of the answers."""
    if not stated:
        return True
    wanted = [(stated.get("amount"), stated.get("unit"))]
    if stated.get("every_days") is not None:
        wanted.append((stated["every_days"], "days"))
    given = {(_number(each.get("value")), each.get("unit")) for each in answers}
    return all((_number(amount), unit) in given for amount, unit in wanted)


def _number(value: Any) -> Decimal | None:
    """A stored number, however it is written: 40, "40" and "40.0" are one."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None
