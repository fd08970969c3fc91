"""A patient's timeline: what happened to their treatments and what was measured, in order of time.

It is put together of what the reader may see of each treatment by itself (`views`), and so tells
nobody more than the pages of these do.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.approvals import patients
from app.approvals.courses import Course, Form, courses_of
from app.approvals.happenings import Entry, happenings
from app.approvals.lifecycle import RequestState
from app.approvals.model import PatientRecord, RequestRecord, TreatmentView
from app.approvals.office import Office
from app.approvals.permissions import PROVIDER_ROLES
from app.approvals.replaying import version_of_request
from app.approvals.timeline_store import answers_of, begun_by, decisions_of, erased_at, others_of
from app.approvals.views import treatment_view
from app.auth.model import Caller
from app.db.work import Work
from app.policy import PolicyVersion

#: So many treatments, and of all of them so many steps and forms, the newest; more are told of.
MOST_TREATMENTS: Final = 8
MOST_ENTRIES: Final = 300
MOST_FORMS: Final = 200


@dataclass(frozen=True, slots=True)
class Timeline:
    """The timeline as one reader sees it; the first treatment is the one that was asked for.

    `treatments_left_out` and `entries_left_out`: there are more than are told. `erased_at`: values
    of until then are not shown, since what is kept of the patient was erased then; `has_ended`: nor
    are any, since nobody knows any more who it was.
    """

    patient: PatientRecord
    treatments: tuple[TreatmentView, ...]
    treatments_left_out: bool
    entries: tuple[Entry, ...]
    entries_left_out: bool
    courses: tuple[Course, ...]
    has_ended: bool
    erased_at: dt.datetime | None


def timeline(work: Work, office: Office, caller: Caller, treatment_id: str) -> Timeline:
    """The timeline of the patient of a treatment. Raises NotAllowed, or NotFound outside of the
    caller's scope."""
    asked = treatment_view(work, caller, treatment_id)
    person = asked.patient
    others = others_of(work, caller, asked.treatment, person, MOST_TREATMENTS)
    views = (
        asked,
        *(treatment_view(work, caller, other) for other in others[: MOST_TREATMENTS - 1]),
    )
    requests = _newest(views)
    versions = _versions(work, office, requests)
    entries = _entries(work, caller, person, views, requests, versions)
    erased = erased_at(work, person)
    told = () if person.has_ended else [r for r in requests if _is_told(r, erased)]
    return Timeline(
        patient=person,
        treatments=views,
        treatments_left_out=len(others) >= MOST_TREATMENTS,
        entries=entries[-MOST_ENTRIES:],
        entries_left_out=len(entries) > MOST_ENTRIES or _count(views) > len(requests),
        courses=courses_of(_forms(work, told, versions)),
        has_ended=person.has_ended,
        erased_at=erased,
    )


def _newest(views: Sequence[TreatmentView]) -> list[RequestRecord]:
    """The newest requests of all the treatments, oldest first."""
    every = [each for view in views for each in view.requests]
    return sorted(every, key=lambda each: (each.submitted_at, each.id))[-MOST_FORMS:]


def _count(views: Sequence[TreatmentView]) -> int:
    return sum(len(view.requests) for view in views)


def _versions(
    work: Work, office: Office, requests: Sequence[RequestRecord]
) -> Mapping[str, PolicyVersion]:
    """Request → the version that decided it. Many requests share one, which is found once."""
    library = office.library_at(work)
    by_hash: dict[tuple[str, str | None], PolicyVersion] = {}
    for each in requests:
        key = (each.policy_hash, each.overlay_hash)
        if key not in by_hash:
            by_hash[key] = version_of_request(work, library, each)
    return {each.id: by_hash[each.policy_hash, each.overlay_hash] for each in requests}


def _entries(
    work: Work,
    caller: Caller,
    person: PatientRecord,
    views: Sequence[TreatmentView],
    requests: Sequence[RequestRecord],
    versions: Mapping[str, PolicyVersion],
) -> tuple[Entry, ...]:
    decided = decisions_of(work, [each.id for each in requests])
    begun = [v.treatment.id for v in views if v.treatment.first_dose is not None]
    stated = begun_by(work, begun) if begun else {}
    # The day of death is the care team's to know, as on a patient's record.
    died_on = patients.day_of_death(work, person) if caller.role in PROVIDER_ROLES else None
    return happenings(views, requests, decided, stated, versions, died_on)


def _is_told(request: RequestRecord, erased: dt.datetime | None) -> bool:
    """Whether what a form states is drawn together with others."""
    in_error = request.state is RequestState.ENTERED_IN_ERROR
    return not in_error and (erased is None or request.submitted_at > erased)


def _forms(
    work: Work, requests: Sequence[RequestRecord], versions: Mapping[str, PolicyVersion]
) -> Iterator[Form]:
    answers = answers_of(work, requests)
    for each in requests:
        if each.id in answers:
            yield Form(
                each.id, each.treatment_id, each.decision_to_treat, versions[each.id],
                answers[each.id],
            )  # fmt: skip
