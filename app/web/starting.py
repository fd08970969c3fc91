"""Starting a request: find the form by drug, brand or indication; then say who the patient is."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from app.approvals import drafting, store
from app.approvals.drafting import DraftRecord
from app.approvals.errors import DetailsNotAccepted
from app.approvals.library import Library
from app.approvals.office import Office
from app.approvals.permissions import Action, can, check_acts_for, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind, PolicyVersion
from app.reference_data.drugs import DrugDictionary, load_drugs
from app.reference_data.organisations import commissioners
from app.web.callers import caller_of, read_recorded, this_office
from app.web.form import about, paper
from app.web.form.fields import apart, errors_with, marked
from app.web.needs import NeedRow, drugs_called, need_rows
from app.web.origins import filled_in, patient_of
from app.web.pages import CONTROL, PageRoute, check_csrf, door_of, go, in_role, unfit
from app.web.rendering import page
from app.web.searching import SearchWords
from app.web.sign_in import FormFields, SignedInBrowser, WholeForm
from app.web.words import counted, day_words, first_upper

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PolicyPath = Annotated[str, Path(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
IdPath = Annotated[str, Path(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
OnPaper = Annotated[str, Query(pattern="^(yes)?$")]
#: The treatment whose patient the new request is for: nothing about them stands in an address.
TreatmentQuery = Annotated[
    str, Query(pattern="^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$", max_length=36)
]
_FEWEST: Final = 2  # letters to search for
_SHOWN: Final = 40
_NEEDS: Final = 10  # drugs of which it is said whether they need an approval
_MECHANISMS: Final = {
    "prior_approval": "Prior approval",
    "panel": "Panel decides",
    "notification": "Notification only",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A form that can be started, as the list tells of it."""

    policy: str
    title: str
    drug_key: str
    drug: str
    brands: tuple[str, ...]
    indication: str
    mechanism: str
    draft: bool
    closed: str | None  # why no new treatment starts under it
    found_by: str = ""  # the brands that the letters begin, as words


@router.get("/start")
def find_form(
    request: Request,
    session: SignedInBrowser,
    q: SearchWords = "",
    on_paper: OnPaper = "",
    payer: Annotated[str, Query(max_length=10, pattern="^[A-Z0-9]*$")] = "",
    treatment: TreatmentQuery = "",
) -> Response:
    """The forms whose drug, brand or indication has these letters; which drugs need an approval.

    `payer` pays for it; left out, who pays for the organisation's newest treatment.
    """
    caller = caller_of(request, session)
    check_can(caller, Action.PREPARE)
    office, day = this_office(request), door_of(request).moment().day
    words, searched = q.split(), len(q.strip()) >= _FEWEST
    drugs, payers = load_drugs(), commissioners(day)
    named = payer if payer in {code for code, _ in payers} else None

    def read(work: Work) -> tuple[list[Choice], tuple[NeedRow, ...], str | None]:
        pays = named or store.newest_commissioner(work, caller.organisation)
        if not searched:
            return [], (), pays
        held = [each for each in choices(office.library_at(work), drugs, day) if _fits(each, words)]
        called = drugs_called(drugs, words)
        asked = list(dict.fromkeys([*called, *(each.drug_key for each in held)]))
        return held, need_rows(work, office, drugs, asked[:_NEEDS], pays, day), pays

    found, needs, pays = door_of(request).read(read)
    return page(
        request,
        "start.html",
        session=session,
        q=q,
        on_paper=on_paper,
        searched=searched,
        needs=needs,
        payers=payers,
        pays=pays,
        payer_name=dict(payers).get(pays or "", pays),
        found=[replace(one, found_by=_found_by(one, words)) for one in found[:_SHOWN]],
        treatment=treatment,
        said=f"{counted(len(found), 'form')} found"
        + (f", the first {_SHOWN} shown" if len(found) > _SHOWN else ""),
    )


@router.get("/back-entry")
def back_entry(request: Request, session: SignedInBrowser) -> Response:
    """How a form that was signed on paper during downtime is entered, and where to begin."""
    caller = caller_of(request, session)
    check_can(caller, Action.PREPARE)
    return page(
        request,
        "back_entry.html",
        session=session,
        days=this_office(request).back_entry_days,
        may_submit=can(caller, Action.SUBMIT),
    )


@router.get("/start/{policy}")
def ask_patient(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyPath,
    on_paper: OnPaper = "",
    treatment: TreatmentQuery = "",
) -> Response:
    """Who the patient is, for this form; filled in where they are known from a treatment."""
    caller = caller_of(request, session)
    check_can(caller, Action.PREPARE)
    version = _newest(request, policy)
    given = _patient_of(request, caller, treatment) if treatment else {}
    return page(
        request,
        "form_about.html",
        session=session,
        title="Who is the patient?",
        policy_title=version.title,
        unverified=version.unverified,
        action=f"/start/{policy}",
        version=0,
        on_paper=on_paper,
        fields=apart(about.fields(about.patient_entries(), given, {}, filled_in(given))),
        errors=[],
        back=f"/start?q={version.drug}" + (f"&treatment={treatment}" if treatment else ""),
    )


@router.post("/start/{policy}")
def begin(
    request: Request, session: SignedInBrowser, policy: PolicyPath, form: WholeForm
) -> Response:
    """Keep the patient as a draft of this form; what can't be read is kept and told.

    While it is typed, the first saving makes the draft, and the page goes on with that one.
    """
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.PREPARE)
    if wrong := unfit(form):
        return _asked_again(request, session, policy, form, wrong)
    typed = about.put({}, about.patient_entries(), form)
    if form.get("on_paper") == "yes":
        typed = paper.begun(typed)

    def run(work: Work) -> DraftRecord:
        if policy not in office.library_at(work).policies():
            raise DetailsNotAccepted("policy", "The library holds no such form. Choose another.")
        if not paper.is_paper(typed):
            typed["decision_to_treat"] = work.moment.day.isoformat()
        payer = store.usual_commissioner(work, caller.organisation, policy)
        if payer is not None:
            typed["commissioner"] = payer
        return drafting.prepare(
            work,
            caller,
            kind=Kind.INITIATION,
            policy=policy,
            treatment_id=None,
            form=typed,
            answers={},
        )

    made = in_role(request, session, run)
    if form.get("autosave") == "yes":
        at = f"/drafts/{made.id}/{about.PATIENT}"
        return JSONResponse({"version": made.version, "action": at})
    return go(f"/drafts/{made.id}/begun")


def _asked_again(
    request: Request,
    session: SignedInBrowser,
    policy: str,
    form: dict[str, str],
    wrong: dict[str, str],
) -> Response:
    """The page again with every word of it, and what cannot be taken."""
    plain = {name: CONTROL.sub("", value) for name, value in form.items()}
    entries = about.patient_entries()
    given = about.put({}, entries, plain)
    fields = marked(about.fields(entries, given, {}), wrong, plain)
    errors = errors_with(fields, wrong)
    if form.get("autosave") == "yes":
        return JSONResponse({"said": f"Not saved. {errors[0]['text']}"}, 400)
    version = _newest(request, policy)
    return page(
        request,
        "form_about.html",
        status=422,
        session=session,
        title="Who is the patient?",
        policy_title=version.title,
        unverified=version.unverified,
        action=f"/start/{policy}",
        version=0,
        on_paper=plain.get("on_paper", ""),
        fields=apart(fields),
        errors=errors,
        back=f"/start?q={version.drug}",
    )


@router.post("/treatments/{id}/requests")
def begin_later(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Begin a continuation of a treatment; its open draft is taken up where there is one."""
    check_csrf(session, form)
    caller = caller_of(request, session)

    def run(work: Work) -> DraftRecord:
        treatment = store.find_treatment(work, caller, id)
        check_acts_for(caller, Action.PREPARE, treatment.provider)
        for each in drafting.open_drafts_of(work, caller, {id}):
            if each.kind is Kind.CONTINUATION:
                return each
        return drafting.prepare(
            work,
            caller,
            kind=Kind.CONTINUATION,
            policy=None,
            treatment_id=id,
            form={"decision_to_treat": work.moment.day.isoformat()},
            answers={},
        )

    made = in_role(request, session, run)
    return go(f"/drafts/{made.id}")


def choices(library: Library, drugs: DrugDictionary, day: dt.date) -> Iterator[Choice]:
    """Every form in force on a day, by title."""
    newest = (_in_force(library, policy, day) for policy in library.usable())
    held = [version for version in newest if version is not None]
    for version in sorted(held, key=lambda each: each.title.lower()):
        known = drugs.drugs.get(version.drug)
        yield Choice(
            policy=version.policy,
            title=version.title,
            drug_key=version.drug,
            drug=known.name if known else version.drug,
            brands=tuple(product.name for product in known.products) if known else (),
            indication=version.indication.term,
            mechanism=_MECHANISMS[version.mechanism],
            draft=version.unverified,
            closed=_closed(version, day),
        )


def _patient_of(request: Request, caller: Caller, treatment: str) -> dict[str, Any]:
    def read(work: Work) -> tuple[dict[str, Any], Reading]:
        return patient_of(work, caller, treatment), Reading("treatment read", treatment)

    return read_recorded(request, caller, read)


def _fits(one: Choice, words: list[str]) -> bool:
    """Whether each of the words is at the beginning of one of the form's."""
    text = f" {one.drug} {' '.join(one.brands)} {one.indication} {one.title} {one.policy}".lower()
    text = text.replace("-", " ").replace("(", " ").replace(",", " ")
    return all(f" {word.lower()}" in text for word in words)


def _found_by(one: Choice, words: list[str]) -> str:
    """Every brand that one of the words begins: whoever types “hu” may mean any of them."""
    starts = tuple(word.lower() for word in words)
    return ", ".join(brand for brand in one.brands if brand.lower().startswith(starts))


def _in_force(library: Library, policy: str, day: dt.date) -> PolicyVersion | None:
    return next((v for v in reversed(library.versions(policy)) if v.in_force.from_ <= day), None)


def _closed(version: PolicyVersion, day: dt.date) -> str | None:
    last = version.in_force.last_new_start
    if last is not None and last < day:
        return f"No new treatments after {day_words(last)}."
    if version.new_starts is not None:
        verb = "go to people" if version.new_starts.decide == "refer" else "are not funded"
        return f"New treatments {verb}: {first_upper(version.new_starts.reason)}"
    return None


def _newest(request: Request, policy: str) -> PolicyVersion:
    office: Office = this_office(request)
    day = door_of(request).moment().day

    def read(work: Work) -> PolicyVersion:
        library = office.library_at(work)
        found = _in_force(library, policy, day)
        return found or library.versions(policy)[0]

    return door_of(request).read(read)
