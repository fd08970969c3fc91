"""Every use case against another organisation, and the trail that each one leaves."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from app.approvals import (
    amending,
    changing,
    correcting,
    patients,
    reviewing,
    searching,
    starting,
    submitting,
)
from app.approvals.errors import DetailsNotAccepted, NotFound
from app.approvals.lifecycle import ApprovalEvent
from app.approvals.model import Basis, FollowUpCommand, RequestDetails, StopReason
from app.approvals.office import PHARMACIST_AUTHORISATION
from app.approvals.permissions import PROVIDER_ROLES, WITHOUT_PATIENTS
from app.approvals.views import request_view, treatment_view
from app.audit import request_trail
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.policy import Kind
from tests.world import (
    AUTHOR,
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    OTHER_COMMISSIONER,
    PHARMACIST,
    TRIAL_ANSWERS,
    TRIAL_REVIEW,
    World,
    person,
)

D = dt.date
STRANGERS = [
    *(person(role, "DEMO2") for role in Role if role not in WITHOUT_PATIENTS),
    OTHER_COMMISSIONER,
    person(Role.PANEL_MEMBER, "DEMP1"),
    AUTHOR,
]
FUNDING = reviewing.FundingDecision(
    Basis.INDIVIDUAL_FUNDING, "IFR/1", D(2026, 6, 15), None, "terms", "reason"
)


def use_cases(world: World) -> dict[str, Callable[[Caller], Callable[[Any], Any]]]:
    """Each use case on an object of DEMO1 and DEMQ1, by whoever calls."""
    approved = world.trial()
    t, r = approved.request.treatment_id, approved.request.id
    p = world.treatment(t).treatment.patient_id
    reference = approved.approval.reference
    office = world.office

    def follow(kind: Kind, **details: Any) -> FollowUpCommand:
        answers = TRIAL_REVIEW if kind is Kind.CONTINUATION else {}
        given = RequestDetails(from_day=D(2026, 6, 15), **details)
        return FollowUpCommand(t, kind, D(2026, 6, 15), answers, given)

    changes = {
        Kind.SWITCH: {"product": "tysabri"},
        Kind.TRANSFER: {"to_provider": "DEMO3"},
        Kind.PAUSE: {},
        Kind.RESUME: {},
        Kind.STOP: {"stop_reason": StopReason.OTHER},
    }
    cases: dict[str, Callable[[Caller], Callable[[Any], Any]]] = {
        str(kind): lambda c, k=kind, d=details: (
            lambda w: changing.submit_change(w, office, c, follow(k, **d))
        )
        for kind, details in changes.items()
    }
    continuation = follow(Kind.CONTINUATION)
    none: frozenset[str] = frozenset()
    cases |= {
        "continuation": lambda c: (
            lambda w: submitting.submit_continuation(w, office, c, continuation)
        ),
        "amend": lambda c: lambda w: amending.amend(w, office, c, r, {}, 2),
        "withdraw": lambda c: lambda w: amending.withdraw(w, c, r, "x", 2),
        "escalate": lambda c: lambda w: amending.escalate(w, c, r, "x", 2),
        "correct": lambda c: lambda w: correcting.correct(w, office, c, r, {}, none, "x", 2),
        "enter in error": lambda c: lambda w: correcting.enter_in_error(w, c, r, "x", 2),
        "authorise": lambda c: lambda w: reviewing.authorise(w, office, c, r, 2),
        "refuse": lambda c: lambda w: reviewing.refuse_authorisation(w, c, r, "x", 2),
        "panel approve": lambda c: lambda w: reviewing.panel_approve(w, office, c, r, "x", none, 2),
        "panel decline": lambda c: lambda w: reviewing.panel_decline(w, office, c, r, "x", 2),
        "panel overturn": lambda c: (
            lambda w: reviewing.overturn(w, office, c, r, reviewing.Ruling("x", paid=True), 2)
        ),
        "declare interest": lambda c: lambda w: reviewing.declare_interest(w, c, r, "x", 2),
        "panel return": lambda c: lambda w: reviewing.panel_return(w, c, r, "x", 2),
        "fund": lambda c: lambda w: reviewing.record_funding(w, office, c, r, FUNDING, 2),
        "resolve": lambda c: (
            lambda w: reviewing.resolve_query(w, c, reference, ApprovalEvent.WITHDRAW, "x", 1)
        ),
        "consent": lambda c: lambda w: reviewing.consent(w, office, c, r, 2),
        "refuse consent": lambda c: lambda w: reviewing.refuse_consent(w, c, r, "x", 2),
        "first dose": lambda c: (
            lambda w: starting.record_first_dose(w, office, c, t, D(2026, 6, 15), 1)
        ),
        "not started": lambda c: lambda w: starting.record_not_started(w, c, t, "x", 1),
        "link": lambda c: lambda w: patients.link(w, c, p, p, "x"),
        "unlink": lambda c: lambda w: patients.unlink(w, c, p, "x"),
        "nhs number": lambda c: lambda w: patients.record_nhs_number(w, c, p, "9990000018", "x"),
        "read request": lambda c: lambda w: request_view(w, c, r),
        "read treatment": lambda c: lambda w: treatment_view(w, c, t),
    }
    return cases


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda c: f"{c.role} of {c.organisation}")
def test_no_use_case_reaches_another_organisations_patient(wide: World, stranger: Caller) -> None:
    for name, use_case in use_cases(wide).items():
        with pytest.raises((NotFound, NotAllowed)) as refusal:
            wide.do(use_case(stranger))
        assert "9990" not in str(refusal.value), name
    view = wide.treatment(_treatment(wide))
    assert len(view.requests) == 1
    assert len(view.segments) == 1
    assert view.treatment.version == 1


def _treatment(world: World) -> str:
    page = world.do(lambda w: searching.search(w, CLINICIAN, searching.SearchQuery()))
    return page.hits[0].treatment.id


@pytest.mark.parametrize("stranger", STRANGERS[:-1], ids=lambda c: f"{c.role} {c.organisation}")
def test_a_search_finds_only_ones_own(wide: World, stranger: Caller) -> None:
    view = wide.trial()
    for query in (
        searching.SearchQuery(),
        searching.SearchQuery(
            nhs_number=wide.treatment(view.request.treatment_id).patient.nhs_number
        ),
        searching.SearchQuery(drug="natalizumab", provider="DEMO1"),
        searching.SearchQuery(local_id="H000001"),
        searching.SearchQuery(approval_state="live", review_due_by=D(2030, 1, 1)),
        searching.SearchQuery(request_state="approved"),
    ):
        own = wide.do(lambda w, q=query: searching.search(w, CLINICIAN, q))
        assert [hit.references for hit in own.hits] == [(view.approval.reference,)]
        if stranger.role in WITHOUT_PATIENTS:
            continue
        if (query.nhs_number or query.local_id) and stranger.role not in PROVIDER_ROLES:
            # Who pays or decides does not look people up; who validates invoices says why.
            with pytest.raises((NotAllowed, DetailsNotAccepted)):
                wide.do(lambda w, q=query: searching.search(w, stranger, q))
            continue
        found = wide.do(lambda w, q=query: searching.search(w, stranger, q))
        assert found.hits == ()


def test_a_hospital_that_handed_over_finds_only_its_own_part(wide: World) -> None:
    view = wide.trial()
    treatment = view.request.treatment_id
    asked = wide.change(treatment, Kind.TRANSFER, to_provider="DEMO2", from_day=D(2026, 6, 20))
    wide.do(lambda w: reviewing.consent(w, wide.office, OTHER_CLINICIAN, asked.request.id, 2))
    wide.on(D(2027, 6, 1))
    new = wide.carry_on(treatment, OTHER_CLINICIAN)
    old = wide.do(lambda w: searching.search(w, CLINICIAN, searching.SearchQuery())).hits[0]
    assert old.references == (view.approval.reference,)
    assert old.covered_to == D(2026, 6, 19)
    now = wide.do(lambda w: searching.search(w, OTHER_CLINICIAN, searching.SearchQuery())).hits[0]
    assert set(now.references) == {view.approval.reference, new.approval.reference}


def test_another_hospital_learns_no_more_than_that_an_approval_exists(wide: World) -> None:
    view = wide.trial()
    number = wide.treatment(view.request.treatment_id).patient.nhs_number

    def ask(birth_date: dt.date, caller: Caller) -> searching.Existence:
        return wide.do(
            lambda w: searching.approval_exists(
                w, caller, number, birth_date, "natalizumab", "invented", "in clinic"
            )
        )

    found = ask(D(1970, 1, 1), OTHER_CLINICIAN)
    assert (found.exists, found.own) == (True, False)
    assert view.approval.reference not in found.advice
    assert "DEMO1" not in found.advice
    assert ask(D(1970, 1, 1), CLINICIAN).own
    assert not ask(D(1970, 1, 2), OTHER_CLINICIAN).exists


def test_every_step_of_a_request_is_in_its_trail(wide: World) -> None:
    wide.set("DEMO1", PHARMACIST_AUTHORISATION, True)
    view = wide.trial(answers={**TRIAL_ANSWERS, "usual": False})
    request_id, treatment = view.request.id, view.request.treatment_id
    office = wide.office
    none: frozenset[str] = frozenset()
    wide.do(lambda w: reviewing.panel_return(w, COMMISSIONER, request_id, "why?", 2))
    wide.do(lambda w: amending.amend(w, office, CLINICIAN, request_id, {"score": "7.0"}, 3))
    wide.do(lambda w: reviewing.panel_approve(w, office, COMMISSIONER, request_id, "ok", none, 4))
    wide.do(lambda w: reviewing.refuse_authorisation(w, PHARMACIST, request_id, "dose?", 5))
    wide.do(lambda w: amending.amend(w, office, CLINICIAN, request_id, {"usual": True}, 6))
    wide.do(lambda w: reviewing.panel_approve(w, office, COMMISSIONER, request_id, "ok", none, 7))
    done = wide.do(lambda w: reviewing.authorise(w, office, PHARMACIST, request_id, 8))
    wide.first_dose(treatment, D(2026, 6, 15))
    wide.do(
        lambda w: correcting.correct(
            w, office, CLINICIAN, request_id, {"score": "1.0"}, none, "typing", 9
        )
    )
    wide.do(
        lambda w: reviewing.resolve_query(
            w, COMMISSIONER, done.approval.reference, ApprovalEvent.UPHOLD, "fine", 2
        )
    )
    wide.do(lambda w: correcting.enter_in_error(w, CLINICIAN, request_id, "wrong", 10))
    actions = [e.action for e in wide.do(lambda w: request_trail(w, request_id))]
    for action in (
        "initiation submitted",
        "decision: referred",
        "request: submit",
        "request: panel returns",
        "request: amend",
        "request: panel approves",
        "request: refuse authorisation",
        "decision: approved",
        "request: authorise",
        "approval issued",
        "first dose recorded",
        "request: correct",
        "approval under query",
        "approval: uphold",
        "request: mark entered in error",
    ):
        assert action in actions
    assert actions.count("approval under query") == 2
    stop = wide.change(treatment, Kind.STOP, from_day=D(2026, 6, 15), stop_reason=StopReason.DIED)
    stopped = [e.action for e in wide.do(lambda w: request_trail(w, stop.request.id))]
    assert {"stop submitted", "treatment stopped", "approval ended"} <= set(stopped)
