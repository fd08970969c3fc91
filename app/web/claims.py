"""Claiming a treatment that another hospital holds: for what, of whom and why, and what is told.

What is told is the API's document: the approval, its dates and the baseline. The patient's number
goes by POST; an address names a policy and nobody. A number that nobody has and a birth date that
does not fit are answered alike.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.checks import ExistenceBody
from app.api.claims import OBJECTED, ClaimDocument, claim_document
from app.approvals.claiming import claim
from app.approvals.library import Library
from app.approvals.permissions import Action, can, check_can
from app.auth.sessions import Session
from app.db.work import Work
from app.policy import PolicyVersion
from app.problems import NO_SUCH_ADDRESS, DoorProblem
from app.reference_data.drugs import load_drugs
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.web.acting import body_of, fresh_name, once
from app.web.callers import caller_of, this_office
from app.web.claims_view import baseline_rows, claimable, fact_pairs, fitting
from app.web.form import about
from app.web.form.about import Entry
from app.web.form.fields import errors_of
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.searching import SearchWords
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import PolicyPath

router = APIRouter(prefix="/claims", route_class=PageRoute, include_in_schema=False)

_NUMBER: Final = "Enter the 10 digits of the NHS number. The last digit checks the others."
_FAULTS: Final = {
    "nhs_number": _NUMBER,
    "birth_date": "Enter the date of birth, such as 15 3 1984.",
    "care_reason": "Say how your hospital cares for this patient.",
}
_ENTRIES: Final = (
    Entry(("nhs_number",), "text", "NHS number", "10 digits. Spaces do not matter."),
    Entry(("birth_date",), "day", "Date of birth", "For example, 15 3 1984. Both must fit."),
)


@router.get("")
def find(
    request: Request,
    session: SignedInBrowser,
    q: SearchWords = "",
) -> Response:
    """Which treatment it is: by letters of drug, brand or indication."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.DECLARE_CARE)
    searched = len(q.strip()) >= 2
    found = (
        door_of(request).read(
            lambda work: fitting(office.library_at(work), load_drugs(), q.split())
        )
        if searched
        else ()
    )
    return page(
        request, "claim_find.html", session=session, q=q, searched=searched, found=found, errors=[]
    )


@router.get("/{policy}")
def ask(request: Request, session: SignedInBrowser, policy: PolicyPath) -> Response:
    """Whose treatment, and how the hospital cares for them."""
    return _asked(request, session, policy, {}, {})


@router.post("/{policy}")
def send(
    request: Request, session: SignedInBrowser, policy: PolicyPath, form: FormFields
) -> Response:
    """Claim it, once for the form: the approval, its dates and the baseline, where there is one.

    What was told is kept with the form's name, as the API keeps its replies, so that a second
    click is told the same and the holder is told once.
    """
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.DECLARE_CARE)
    version = _version(request, policy)
    typed = about.put({}, _ENTRIES, form) | {"care_reason": form.get("care_reason", "").strip()}
    what = {"drug": version.drug, "indication": version.indication.key}
    body, unread = body_of(ExistenceBody, typed | what)
    wrong = {name: _FAULTS[name] for name in unread if name in _FAULTS}
    if body is not None:
        try:
            parse_nhs_number(body.nhs_number)
        except InvalidNhsNumber:
            wrong["nhs_number"] = _NUMBER
    if body is None or wrong:
        return _asked(request, session, policy, typed, wrong)

    def run(work: Work) -> str:
        who = (body.nhs_number, body.birth_date)
        found = claim(work, office, caller, *who, body.drug, body.indication, body.care_reason)
        # Beside what is told stands the treatment's id, by which an erasure finds the reply.
        treatment = None if found.approval is None else found.approval.treatment_id
        told = claim_document(found).model_dump(mode="json")
        return json.dumps({"treatment": treatment, "told": told})

    told = json.loads(once(request, session, form, run))["told"]
    document = ClaimDocument.model_validate(told, strict=False)
    library = door_of(request).read(office.library_at)
    return page(
        request,
        "claim_told.html",
        session=session,
        document=document,
        policy=policy,
        treatment=claimable(version, load_drugs()).text,
        facts=fact_pairs(document),
        baseline=baseline_rows(document, library, version),
        objected=document.advice == OBJECTED,
        may_start=can(caller, Action.PREPARE),
        may_break=can(caller, Action.BREAK_GLASS),
    )


def _version(request: Request, policy: str) -> PolicyVersion:
    """The newest version of a policy that may be used. Raises DoorProblem 404."""
    office = this_office(request)
    library: Library = door_of(request).read(office.library_at)
    if policy not in library.usable():
        raise DoorProblem(NO_SUCH_ADDRESS, "There is no such policy here.")
    return library.versions(policy)[-1]


def _asked(
    request: Request,
    session: Session,
    policy: str,
    typed: Mapping[str, Any],
    wrong: Mapping[str, str],
) -> Response:
    check_can(caller_of(request, session), Action.DECLARE_CARE)
    version = _version(request, policy)
    fields = about.fields(_ENTRIES, typed, wrong)
    errors = errors_of(fields)
    if "care_reason" in wrong:
        errors.append({"text": wrong["care_reason"], "href": "#care_reason"})
    return page(
        request,
        "claim.html",
        status=422 if wrong else 200,
        session=session,
        policy=policy,
        treatment=claimable(version, load_drugs()).text,
        fields=fields,
        words=typed.get("care_reason", ""),
        wrong=wrong,
        errors=errors,
        once=fresh_name(request),
    )
