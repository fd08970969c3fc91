"""One report on a page: of the days, and of the policy, that its address says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from app.approvals.errors import DetailsNotAccepted
from app.audit import Reading
from app.auth.sessions import Session
from app.db.work import Work
from app.web.callers import caller_of, read_recorded
from app.web.pages import door_of
from app.web.rendering import page
from app.web.reporting.asked import Asked, asked_of, periods
from app.web.reporting.view import period_words

Policies = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """What a report says, and the treatments that it is about: of counts, none."""

    rows: Any
    treatments: tuple[str, ...] = ()


def reported(
    request: Request,
    session: Session,
    template: str,
    read: Callable[[Work, Asked], Told],
    policies: Callable[[Work], Policies] = lambda _: (),
    **values: Any,
) -> Response:
    """The report, or what is wrong with its days or its policy.

    `policies`: those that a reader may choose from, by key and title; none where it has no choice.
    """
    caller, today = caller_of(request, session), door_of(request).moment().day

    def answer(work: Work) -> tuple[tuple[Any, ...], tuple[Reading, ...]]:
        choice = policies(work)
        asked = asked_of(request.query_params, today, choice)
        if asked.faults:
            return (asked, choice, asked.faults, None), ()
        try:
            told = read(work, asked)
        except DetailsNotAccepted as error:
            return (asked, choice, {error.field: str(error)}, None), ()
        return (asked, choice, {}, told.rows), _on_record(told)

    asked, choice, faults, rows = read_recorded(request, caller, answer)
    path = request.url.path
    return page(
        request,
        template,
        status=422 if faults else 200,
        session=session,
        path=path,
        rows=rows,
        period="" if faults else period_words(asked.first, asked.last),
        policy=asked.policy,
        policies=choice,
        policy_title=dict(choice).get(asked.policy or ""),
        periods=() if asked.has_wrong_days else periods(path, asked, today),
        parts=asked.parts,
        faults=faults,
        errors=[{"text": text, "href": _FIELDS[name]} for name, text in faults.items()],
        **values,
    )


_FIELDS = {"from": "#from-day", "to": "#to-day", "policy": "#policy"}


def _on_record(told: Told) -> tuple[Reading, ...]:
    """What is put on record of a reading: a report of counts names nobody."""
    if not told.treatments:
        return ()
    return (Reading("changed answers reported", names={"treatments": list(told.treatments)}),)
