"""What happened to treatments, as entries in order of time. Pure."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from app.approvals.model import (
    RequestRecord,
    SegmentRecord,
    TreatmentRecord,
    TreatmentView,
)
from app.clock import london_day
from app.policy import PolicyVersion


class Happened(StrEnum):
    """What an entry tells of."""

    SENT = "request sent"
    DECIDED = "request decided"
    APPROVED = "approval"
    BEGUN = "first dose"
    NOT_STARTED = "never started"
    PAUSED = "paused"
    ELSEWHERE = "paid for by others"
    TRANSFERRED = "transferred"
    PAYER_CHANGED = "payer changed"
    STOPPED = "stopped"
    DIED = "patient died"


#: In which order what happened on one day is told.
_ORDER: Final = {each: place for place, each in enumerate(Happened)}


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision in short: without its findings."""

    request_id: str
    number: int
    made_by: str
    outcome: str
    decided_at: dt.datetime


@dataclass(frozen=True, slots=True)
class StatedBy:
    """Who said that treatment began: of which organisation, in which role, and when."""

    organisation: str
    role: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened; what a kind of entry does not tell is None.

    `to_day` is the last day of what lasts. `before` is the provider or payer before a change.
    `stated_by` is the organisation that recorded a first dose, `by` its role; of a decision `by`
    is who made it.
    """

    day: dt.date
    what: Happened
    treatment_id: str | None
    drug: str | None
    at: dt.datetime | None = None
    to_day: dt.date | None = None
    request_id: str | None = None
    request_kind: str | None = None
    request_state: str | None = None
    outcome: str | None = None
    by: str | None = None
    stated_by: str | None = None
    reference: str | None = None
    basis: str | None = None
    state: str | None = None
    policy: str | None = None
    policy_version: str | None = None
    policy_title: str | None = None
    policy_unverified: bool | None = None
    provider: str | None = None
    commissioner: str | None = None
    before: str | None = None
    reason: str | None = None


def happenings(
    views: Sequence[TreatmentView],
    requests: Sequence[RequestRecord],
    decided: Mapping[str, Sequence[Decided]],
    stated: Mapping[str, StatedBy],
    versions: Mapping[str, PolicyVersion],
    died_on: dt.date | None,
) -> tuple[Entry, ...]:
    """Every entry, the earliest first. `versions` are those that decided, by request."""
    treatments = {view.treatment.id: view.treatment for view in views}
    found = [
        entry
        for each in requests
        for entry in _of_request(each, treatments[each.treatment_id].drug, decided, versions)
    ]
    for view in views:
        found += _of_treatment(view, stated.get(view.treatment.id))
    if died_on is not None:
        found.append(Entry(died_on, Happened.DIED, None, None))
    return tuple(sorted(found, key=_place))


def _place(entry: Entry) -> tuple[dt.date, int, str, str]:
    at = entry.at.isoformat() if entry.at and entry.what is Happened.DECIDED else ""
    return entry.day, _ORDER[entry.what], at, entry.treatment_id or ""


def _of_request(
    request: RequestRecord,
    drug: str,
    decided: Mapping[str, Sequence[Decided]],
    versions: Mapping[str, PolicyVersion],
) -> Iterator[Entry]:
    version = versions.get(request.id)

    def entry(what: Happened, at: dt.datetime, outcome: str | None, by: str | None) -> Entry:
        return Entry(
            london_day(at),
            what,
            request.treatment_id,
            drug,
            at=at,
            request_id=request.id,
            request_kind=request.kind.value,
            request_state=request.state.value,
            outcome=outcome,
            by=by,
            policy=request.policy,
            policy_version=request.policy_version,
            policy_title=None if version is None else version.title,
            policy_unverified=None if version is None else version.unverified,
            provider=request.provider,
            commissioner=request.commissioner,
        )

    yield entry(Happened.SENT, request.submitted_at, None, None)
    for each in decided.get(request.id, ()):
        yield entry(Happened.DECIDED, each.decided_at, each.outcome, each.made_by)


def _of_treatment(view: TreatmentView, stated: StatedBy | None) -> Iterator[Entry]:
    treatment = view.treatment
    if treatment.first_dose is not None:
        yield Entry(
            treatment.first_dose,
            Happened.BEGUN,
            treatment.id,
            treatment.drug,
            at=None if stated is None else stated.at,
            by=None if stated is None else stated.role,
            stated_by=None if stated is None else stated.organisation,
        )
    if treatment.not_started_on is not None:
        yield Entry(treatment.not_started_on, Happened.NOT_STARTED, treatment.id, treatment.drug)
    for approval in view.approvals:
        yield Entry(
            approval.covers_from,
            Happened.APPROVED,
            treatment.id,
            treatment.drug,
            at=approval.issued_at,
            to_day=approval.covers_to,
            request_id=approval.request_id,
            reference=approval.reference,
            basis=approval.basis.value,
            state=approval.state.value,
            provider=approval.provider,
            commissioner=approval.commissioner,
        )
    yield from _of_segments(treatment, view.segments)
    if treatment.stopped_on is not None:
        yield Entry(
            treatment.stopped_on,
            Happened.STOPPED,
            treatment.id,
            treatment.drug,
            reason=treatment.stop_reason,
        )


_LASTING: Final = {"pause": Happened.PAUSED, "elsewhere": Happened.ELSEWHERE}


def _of_segments(treatment: TreatmentRecord, segments: Sequence[SegmentRecord]) -> Iterator[Entry]:
    for each in segments:
        what = _LASTING.get(each.kind)
        if what is not None:
            to_day = _until_stopped(treatment, each) if each.kind == "pause" else each.to_day
            yield Entry(each.from_day, what, treatment.id, treatment.drug, to_day=to_day)
    covered = [each for each in segments if each.kind == "coverage"]
    for before, after in pairwise(covered):
        if before.provider != after.provider:
            yield _turn(treatment, after, Happened.TRANSFERRED, before.provider)
        if before.commissioner != after.commissioner:
            yield _turn(treatment, after, Happened.PAYER_CHANGED, before.commissioner)


def _until_stopped(treatment: TreatmentRecord, pause: SegmentRecord) -> dt.date | None:
    """A pause that nobody ended is over when the treatment is; its segment stays as recorded."""
    stopped = treatment.stopped_on
    if stopped is None or stopped < pause.from_day:
        return pause.to_day
    return min(pause.to_day or stopped, stopped)


def _turn(treatment: TreatmentRecord, after: SegmentRecord, what: Happened, before: str) -> Entry:
    return Entry(
        after.from_day,
        what,
        treatment.id,
        treatment.drug,
        provider=after.provider,
        commissioner=after.commissioner,
        before=before,
    )
