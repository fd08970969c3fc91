"""A correction before it is made: old and new beside each other, and what would come of it. Pure.

An approval is about who pays. No sentence here tells anyone to end a treatment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.api.requests_model import AnswerDocument, RequestDocument
from app.api.treatments_model import TreatmentDocument
from app.approvals.lifecycle import (
    REQUEST_TRANSITIONS,
    ApprovalState,
    RequestEvent,
    RequestState,
)
from app.policy import Kind, PolicyVersion, Question, label_of
from app.web.decision import Colour, outcome_of, state_colour, state_words
from app.web.form.fields import answer_words

_WITH_ANSWERS: Final = (Kind.INITIATION, Kind.CONTINUATION)
_CORRECTABLE: Final = frozenset(
    state for state, event in REQUEST_TRANSITIONS if event is RequestEvent.CORRECT
)
_AMENDABLE: Final = frozenset(
    state for state, event in REQUEST_TRANSITIONS if event is RequestEvent.AMEND
)
NOTHING_CHANGED: Final = "The answers are as they were. Change one, or leave the page."
NO_REASON: Final = "Say why the answers are corrected."
ON_RECORD: Final = (
    "The earlier answers and decisions stay on record. Where an answer changes after criteria were "
    "not met, the trust and the commissioner read in a report that it did."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A question that can be answered anew, with what stands there."""

    name: str
    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would be another: an answer, or a criterion's result."""

    label: str
    was: str
    would_be: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would come of a correction."""

    answers: tuple[Change, ...]
    findings: tuple[Change, ...]
    was: tuple[str, Colour]
    would_be: tuple[str, Colour]
    sentences: tuple[str, ...]
    reasons: tuple[str, ...]
    missing: tuple[str, ...]


def event_for(document: RequestDocument) -> RequestEvent | None:
    """Whether new answers amend the request or correct it now; None where neither can be."""
    if document.kind not in _WITH_ANSWERS:
        return None
    if document.state in _AMENDABLE:
        return RequestEvent.AMEND
    return RequestEvent.CORRECT if document.state in _CORRECTABLE else None


def choices(document: RequestDocument, version: PolicyVersion) -> tuple[Choice, ...]:
    """The questions of the request's form, in its order."""
    return tuple(
        Choice(each.name, each.label, _words(each, document.answers.get(each.name)))
        for each in version.questions.values()
        if document.kind in each.kinds
    )


def stored(document: RequestDocument) -> dict[str, Any]:
    """The answers as a form holds them, without where they came from."""
    return {
        name: {
            key: value
            for key, value in each.model_dump(mode="json").items()
            if key != "origin" and value is not None
        }
        for name, each in document.answers.items()
    }


def changed(
    document: RequestDocument, shown: Sequence[Question], typed: Mapping[str, Any]
) -> tuple[dict[str, Any], frozenset[str]]:
    """The answers that were given another value, and the names of those that were emptied."""
    given: dict[str, Any] = {}
    emptied = set()
    before = stored(document)
    for question in shown:
        old, new = before.get(question.name), typed.get(question.name)
        if new is None and old is not None:
            emptied.add(question.name)
        elif new is not None and answer_words(question, new) != answer_words(question, old):
            given[question.name] = new
    return given, frozenset(emptied)


def foreseen(
    version: PolicyVersion,
    before: tuple[RequestDocument, TreatmentDocument],
    after: tuple[RequestDocument, TreatmentDocument],
) -> Foreseen:
    """What differs between a request, with its treatment, before and after."""
    old, new = before[0], after[0]
    answers = (
        Change(
            question.label,
            _words(question, old.answers.get(name)),
            _words(question, new.answers.get(name)),
        )
        for name, question in version.questions.items()
    )
    outcome = outcome_of(new, version)
    return Foreseen(
        answers=tuple(each for each in answers if each.was != each.would_be),
        findings=tuple(_findings(version, old, new)),
        was=(state_words(old.state), state_colour(old.state)),
        would_be=(state_words(new.state), state_colour(new.state)),
        sentences=tuple(_sentences(before, after)),
        reasons=outcome.reasons[1:] if new.decisions[-1].reason else outcome.reasons,
        missing=tuple(label_of(version, each.name) for each in new.missing),
    )


def _words(question: Question, answer: AnswerDocument | None) -> str:
    return answer_words(question, None if answer is None else answer.model_dump(mode="json"))


def _findings(version: PolicyVersion, old: RequestDocument, new: RequestDocument) -> list[Change]:
    was = {row.criterion: row for row in outcome_of(old, version).findings}
    found = []
    for row in outcome_of(new, version).findings:
        earlier = was[row.criterion].result if row.criterion in was else "Not looked at"
        if earlier != row.result:
            found.append(Change(f"{row.criterion}: {row.text}", earlier, row.result))
    return found


def _sentences(
    before: tuple[RequestDocument, TreatmentDocument],
    after: tuple[RequestDocument, TreatmentDocument],
) -> list[str]:
    """What becomes of the approval, and who decides then."""
    old, new = before[0].state, after[0].state
    states = {each.reference: each.state for each in before[1].approvals}
    queried = [
        each.reference
        for each in after[1].approvals
        if each.state is ApprovalState.UNDER_QUERY
        and states.get(each.reference) is not ApprovalState.UNDER_QUERY
    ]
    said = [
        f"The approval {reference} goes under query. It covers supplies as before until the "
        "commissioner has resolved that."
        for reference in queried
    ]
    if old is RequestState.APPROVED and not queried:
        said.append("The approval stays as it is.")
    elif new is RequestState.APPROVED and old is not RequestState.APPROVED:
        said.append("An approval with its reference is given at once.")
    elif old is RequestState.DECLINED:
        said.append(
            "People declined the request, so only people can say otherwise. "
            + ("It goes to them again." if new is RequestState.REFERRED else "It stays declined.")
        )
    elif new is RequestState.MORE_INFORMATION_NEEDED:
        said.append("The request waits for the answers that are missing.")
    elif new is RequestState.REFERRED:
        said.append("People decide: the panel or the commissioner.")
    elif new is RequestState.AWAITING_AUTHORISATION:
        said.append("A pharmacist of the trust authorises it.")
    return said
