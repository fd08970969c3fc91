"""Answers that were begun and not sent: to what a panel asked, or as a correction of a request.

Kept as the form holds them, unchecked, one row for each request, so that no lost session or closed
browser loses them; a colleague who may send them finds them too. What is sent goes from here.
Audit events count the fields and never tell them.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from app.approvals import store
from app.approvals.drafting import storable
from app.approvals.errors import TransitionNotAllowed
from app.approvals.lifecycle import REQUEST_TRANSITIONS, RequestEvent
from app.approvals.model import RequestRecord
from app.approvals.permissions import Action, check_acts_for, check_can
from app.audit import Event
from app.audit.log import record
from app.auth.model import Caller
from app.db.tables import begun_answers as begun
from app.db.work import Work

#: What stands beside the answers: why they are corrected.
REASON: Final = "reason"
_TAKES: Final = {RequestEvent.AMEND: Action.AMEND, RequestEvent.CORRECT: Action.CORRECT}


@dataclass(frozen=True, slots=True)
class BegunAnswers:
    """The fields of a request's form as typed; `version` is the row's own, not the request's.

    `shown.x` says that question x was on the page; `a.x` and its parts hold its answer.
    """

    request_id: str
    organisation: str
    form: Mapping[str, str]
    changed_by: str
    changed_at: dt.datetime
    version: int

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions that were on the page when it was kept."""
        return tuple(name.removeprefix("shown.") for name in self.form if name.startswith("shown."))


def find_begun(work: Work, request: RequestRecord) -> BegunAnswers | None:
    """What was begun for a request of the caller's own, if anything."""
    query = sa.select(begun).where(
        begun.c.request_id == request.id, begun.c.organisation == request.provider
    )
    row = work.connection.execute(query).one_or_none()
    return None if row is None else BegunAnswers(**row._mapping)


def keep(
    work: Work, caller: Caller, request_id: str, form: Mapping[str, str], expected: int
) -> BegunAnswers:
    """Keep the fields of a page; what was kept of other questions stays beside them.

    `expected` is the version of the row that the page was made of, 0 where there was none. Raises
    VersionMismatch, NotAllowed, NotFound, and TransitionNotAllowed where the request takes no
    answers as it stands.
    """
    request = _own(work, caller, request_id)
    before = find_begun(work, request)
    store.check_version(0 if before is None else before.version, expected)
    fields = fields_of(form)
    shown = {name.removeprefix("shown.") for name in fields if name.startswith("shown.")}
    others = {} if before is None else _without(before.form, shown)
    kept = others | fields
    if before is not None and kept == before.form:
        return before
    made = BegunAnswers(
        request_id=request.id,
        organisation=request.provider,
        form=storable("answers", kept),
        changed_by=caller.id,
        changed_at=work.moment.instant,
        version=expected + 1,
    )
    values = {column.name: getattr(made, column.name) for column in begun.columns}
    if before is None:
        work.connection.execute(sa.insert(begun).values(**values))
    else:
        work.connection.execute(
            sa.update(begun).where(begun.c.request_id == request.id).values(**values)
        )
    _audit(work, caller, request, "answers begun", {"version": made.version, **_content(kept)})
    return made


def forget(work: Work, caller: Caller, request_id: str) -> None:
    """Put away what was begun: nobody means to send it. It is gone."""
    request = _own(work, caller, request_id)
    if find_begun(work, request) is not None:
        _delete(work, request)
        _audit(work, caller, request, "begun answers put away", {})


def was_sent(work: Work, request: RequestRecord, questions: Collection[str]) -> None:
    """The answers to these questions were sent: they go, and with the last of them the row.

    In the transaction that sends them, whose own events tell of it.
    """
    before = find_begun(work, request)
    if before is None:
        return
    left = _without(before.form, questions)
    left.pop(REASON, None)
    if not any(name.startswith("shown.") for name in left):
        _delete(work, request)
        return
    work.connection.execute(
        sa.update(begun)
        .where(begun.c.request_id == request.id)
        .values(form=left, version=before.version + 1)
    )


def end(work: Work, request: RequestRecord) -> None:
    """The request takes no more answers: nothing that was begun for it is kept."""
    _delete(work, request)


def fields_of(form: Mapping[str, str]) -> dict[str, str]:
    """What of a posted form is kept: the answers, which questions were shown, and the reason."""
    return {
        name: value
        for name, value in form.items()
        if name.startswith(("a.", "shown.")) or name == REASON
    }


def _own(work: Work, caller: Caller, request_id: str) -> RequestRecord:
    check_can(caller, Action.AMEND)
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.AMEND, request.provider)
    takes = (event for event in _TAKES if (request.state, event) in REQUEST_TRANSITIONS)
    event = next(takes, None)
    if event is None:
        raise TransitionNotAllowed("The request takes no answers as it stands. Read what is next.")
    check_can(caller, _TAKES[event])
    return request


def _without(form: Mapping[str, str], questions: Collection[str]) -> dict[str, str]:
    return {name: value for name, value in form.items() if _question(name) not in questions}


def _question(name: str) -> str:
    """The question that a field of a form belongs to: `a.relapses.0.on-day` is of `relapses`."""
    return name.partition(".")[2].partition(".")[0].partition("-")[0]


def _delete(work: Work, request: RequestRecord) -> None:
    work.connection.execute(sa.delete(begun).where(begun.c.request_id == request.id))


def _content(form: Mapping[str, str]) -> dict[str, Any]:
    return {"filled": sum(bool(v.strip()) for k, v in form.items() if k.startswith("a."))}


def _audit(
    work: Work, caller: Caller, request: RequestRecord, action: str, content: Mapping[str, Any]
) -> None:
    treatment = store.find_treatment(work, caller, request.treatment_id)
    event = Event(
        action,
        "request",
        request.id,
        treatment_id=request.treatment_id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        after=dict(content),
    )
    record(work, caller.actor(), event)
