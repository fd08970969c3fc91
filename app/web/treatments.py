"""Finding a patient's treatments, and a treatment's page: what is covered, asked and due."""

import datetime as dt
from itertools import pairwise
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.policies_model import DRAFT
from app.api.treatments_model import SegmentDocument, TreatmentDocument, treatment_document
from app.approvals import starting, store
from app.approvals.claiming import Claimed, claimed
from app.approvals.errors import DetailsNotAccepted
from app.approvals.permissions import Action, can, check_can
from app.approvals.searching import SearchQuery, search
from app.approvals.views import treatment_view
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind, PolicyVersion
from app.reference_data.drugs import load_drugs
from app.web.acting import act_once, fresh_name
from app.web.callers import caller_of, read_recorded, this_office, version_in
from app.web.changing import Change, changes_for
from app.web.decision import state_colour, state_words
from app.web.desk.common import organisation_words
from app.web.doses_given import paid_only
from app.web.filling import as_day
from app.web.form.typed import typed_day
from app.web.pages import PageRoute, check_csrf, door_of, go
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath
from app.web.words import day_words

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_NEITHER: Final = "Enter the NHS number, or your hospital's number."


@router.get("/patients")
def ask(request: Request, session: SignedInBrowser) -> Response:
    """Whom to look for. Numbers go by POST, so that none stands in an address."""
    caller = caller_of(request, session)
    check_can(caller, Action.READ)
    return page(
        request,
        "patients.html",
        session=session,
        number="",
        errors=[],
        hits=None,
        **_ways_on(caller),
    )


@router.post("/patients")
def find(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """The treatments of one patient that the organisation may see. The search is audited."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.READ)
    number = form.get("number", "").strip()
    digits = number.replace(" ", "").replace("-", "")
    is_nhs = len(digits) == 10 and digits.isascii() and digits.isdigit()
    if not number:
        return _asked_again(request, session, number, _NEITHER)
    query = SearchQuery(nhs_number=number if is_nhs else None, local_id=None if is_nhs else number)
    try:
        hits = door_of(request).transact(lambda work: search(work, caller, query).hits)
    except DetailsNotAccepted as error:
        return _asked_again(request, session, number, str(error))
    if len(hits) == 1:
        return go(f"/treatments/{hits[0].treatment.id}")
    return page(
        request,
        "patients.html",
        session=session,
        number=number,
        errors=[],
        hits=hits,
        **_ways_on(caller),
        drugs={key: drug.name for key, drug in load_drugs().drugs.items()},
    )


@router.get("/treatments/{id}")
def show(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    record: Annotated[str, Query(pattern="^(first-dose)?$")] = "",
) -> Response:
    """A treatment as it stands, with what is due; `record` opens the form of its first dose."""
    caller, office = caller_of(request, session), this_office(request)

    def read(
        work: Work,
    ) -> tuple[
        tuple[TreatmentDocument, PolicyVersion | None, dt.date, tuple[Claimed, ...]], Reading
    ]:
        document = treatment_document(work, office, caller, treatment_view(work, caller, id))
        library = office.library_at(work)
        held = library.versions(document.policy) if document.policy in library.usable() else ()
        version = held[-1] if held else None
        claims = claimed(work, caller, id)
        return (document, version, work.moment.day, claims), Reading("treatment read", id)

    document, version, today, claims = read_recorded(request, caller, read)
    own = document.provider == caller.organisation
    drug = load_drugs().drugs.get(document.drug)
    return page(
        request,
        "treatment.html",
        session=session,
        document=document,
        payers=payers_words(document),
        drug=drug.name if drug else document.drug,
        indication=version.indication.term if version else document.indication,
        policy_title=version.title if version else document.policy,
        draft=DRAFT if version and version.unverified else None,
        products={each.key: each.name for each in drug.products} if drug else {},
        today=today,
        changes=_changes(request, caller, document),
        claims=[{"who": organisation_words(each.organisation), "at": each.at} for each in claims],
        state_words=state_words,
        state_colour=state_colour,
        may={
            "continue": own
            and can(caller, Action.PREPARE)
            and document.stopped_on is None
            and not paid_only(document),
            "another": own
            and can(caller, Action.PREPARE)
            and document.patient.birth_year is not None,
            "person": own
            and can(caller, Action.RECORD_OBJECTION)
            and document.patient.birth_year is not None,
            "check": own and can(caller, Action.CHECK_SUPPLY),
            "start": own
            and can(caller, Action.RECORD_START)
            and document.first_dose is None
            and bool(document.approvals)
            and not paid_only(document),
        },
        record=record,
        once=fresh_name(request),
        errors=[],
    )


def payers_words(document: TreatmentDocument) -> str:
    """Who pays, and from which day on where that changed."""
    days = [each for each in document.segments if each.kind == "coverage"]
    turns = [(b.commissioner, b.from_day) for a, b in pairwise(days) if _other_payer(a, b)]
    if not turns:
        return document.commissioner
    return ", ".join(
        [days[0].commissioner, *(f"{payer} from {day_words(day)}" for payer, day in turns)]
    )


def _other_payer(before: SegmentDocument, after: SegmentDocument) -> bool:
    return before.commissioner != after.commissioner


def _changes(request: Request, caller: Caller, document: TreatmentDocument) -> tuple[Change, ...]:
    """The changes that may be recorded; where only doses given are paid, nothing runs to change."""
    if document.stopped_on is not None:
        return ()
    found = changes_for(request, caller, document.provider, document.drug)
    recorded = (Kind.STOP.value, Kind.PAUSE.value, Kind.RESUME.value)
    return tuple(each for each in found if each.kind in recorded or not paid_only(document))


@router.post("/treatments/{id}/first-dose")
def record_start(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Record the day of the first dose."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.RECORD_START)
    day, office = as_day(typed_day("first_dose", form)), this_office(request)

    def run(work: Work) -> str:
        store.find_treatment(work, caller, id)
        if day is None:
            raise DetailsNotAccepted(
                "first_dose", "Enter the day of the first dose, such as 5 6 2026."
            )
        starting.record_first_dose(work, office, caller, id, day, version_in(form))
        return f"/treatments/{id}"

    return act_once(request, session, form, run)


def _asked_again(request: Request, session: SignedInBrowser, number: str, said: str) -> Response:
    errors = [{"text": said, "href": "#number"}]
    return page(
        request,
        "patients.html",
        status=422,
        session=session,
        number=number,
        errors=errors,
        hits=None,
        wrong=said,
        **_ways_on(caller_of(request, session)),
    )


def _ways_on(caller: Caller) -> dict[str, bool]:
    """Where a search may go on to, beyond the organisation's own."""
    return {
        "may_claim": can(caller, Action.DECLARE_CARE),
        "may_break": can(caller, Action.BREAK_GLASS),
    }
