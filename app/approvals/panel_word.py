"""What a panel has spoken on, people decide: no correction, amendment or new form goes past it.

A panel sees more than the criteria do: who asks, the letters, what was said before. Once it has
declined, asked or voted, that answers now meet every criterion is an argument to put to it, and
not a decision (ADR 76). Each function gives reasons, in words, that send a request to people.
"""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Row, and_, exists, select

from app.approvals import added, patients, store
from app.approvals.doses_given import OVERTURNED
from app.approvals.interests import STOOD_ASIDE
from app.approvals.model import PatientRecord, RequestRecord
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.policy import Kind, PolicyVersion

_RETURNED: Final = "returned"
#: What the panel said last → what it did with a request.
_DID: Final = {
    "approved": "approved this request on other answers",
    "declined": "declined this request",
    OVERTURNED: "overturned this urgent start",
    _RETURNED: "returned this request with a question",
}
#: What leaves a patient's earlier form without the panel's approval.
_NOT_APPROVED: Final = {
    "declined": "declined it",
    OVERTURNED: "overturned its urgent start",
    _RETURNED: "returned it with a question",
}
VOTED: Final = (
    "A member of the panel has voted on this request. What its members have begun to decide, they "
    "decide on changed answers too."
)


def revised_for_people(work: Work, request: RequestRecord) -> tuple[str, ...]:
    """Why people must decide changed answers of a request: a panel has spoken on it.

    To declare an interest and stand aside says nothing of the request.
    """
    said = [
        each
        for each in store.decisions_of(work, request.id)
        if each.made_by == "panel" and each.outcome != STOOD_ASIDE
    ]
    if said:
        day = london_day(said[-1].decided_at)
        return (
            f"A panel {_DID[said[-1].outcome]} on {day:%-d %B %Y}. What a panel has spoken on, it "
            "decides again when answers change.",
        )
    v = tables.panel_vote.c
    with work.beyond_scope():  # only whether there is one, which the feed of changes tells too
        voted = work.connection.execute(select(exists().where(v.request_id == request.id)))
        return (VOTED,) if voted.scalar_one() else ()


def new_form_for_people(
    work: Work,
    person: PatientRecord | None,
    version: PolicyVersion,
    kind: Kind,
    provider: str,
) -> tuple[str, ...]:
    """Why people must decide a new form: of the patient's last one, the panel did not approve.

    Of this provider's forms for the policy, any version of it, and of this kind; withdrawn ones
    and those entered in error count. What the panel approved later, it has answered.
    """
    if person is None or added.is_new_person(work, person.id):
        return ()
    same = patients.same_person(work, person.canonical_id)
    treatments = [
        each.id
        for each in store.treatments_for(work, same, version.drug, version.indication.key)
        if each.provider == provider and added.of_treatment(work, each.id) is None
    ]
    last = _last_word(work, treatments, version.policy, kind) if treatments else None
    if last is None or last.outcome not in _NOT_APPROVED:
        return ()
    return (
        f"An earlier form of this patient for this policy was before a panel, which "
        f"{_NOT_APPROVED[last.outcome]} on {london_day(last.decided_at):%-d %B %Y}. It decides on "
        "the new form too.",
    )


def _last_word(
    work: Work, treatments: Collection[str], policy: str, kind: Kind
) -> Row[Any, Any] | None:
    d, r = tables.decision.c, tables.request.c
    query = (
        select(d.outcome, d.decided_at)
        .join_from(tables.decision, tables.request, r.id == d.request_id)
        .where(
            and_(
                r.treatment_id.in_(treatments),
                r.policy == policy,
                r.kind == kind,
                d.made_by == "panel",
                d.outcome != STOOD_ASIDE,
            )
        )
        .order_by(d.decided_at.desc(), d.number.desc())
        .limit(1)
    )
    return work.connection.execute(query).one_or_none()
