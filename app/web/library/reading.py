"""The library for anybody who is signed in: the list, a version, its form, cases and changes."""

from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from app.api.policies import KindOfRequest, PolicyKey, VersionNumber, WithOverlayOf
from app.approvals.adopting import adopters, adoptions_of
from app.approvals.library import Library
from app.approvals.notices import known
from app.approvals.office import adopted_number
from app.approvals.permissions import Action, can
from app.auth.sessions import Session
from app.authoring import proving
from app.db.work import Work
from app.policy import Kind, PolicyVersion
from app.policy.notices import in_force
from app.web.acting import fresh_name
from app.web.callers import caller_of, this_office
from app.web.form.fields import question_fields
from app.web.form.steps import steps_of
from app.web.library import catalogue, view
from app.web.library.adopting_view import adoption_rows, may_end
from app.web.library.catalogue import STATUSES, Asked, Entry, area_words, areas_of
from app.web.library.room import room_of
from app.web.pages import PageRoute, door_of, go
from app.web.rendering import page
from app.web.searching import SearchWords
from app.web.sign_in import SignedInBrowser

router = APIRouter(prefix="/library", route_class=PageRoute, include_in_schema=False)

ON_A_PAGE: Final = 50
OtherVersion = Annotated[
    str | None, Query(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[1-9][0-9]?)?$", max_length=20)
]


@dataclass(frozen=True, slots=True)
class Row:
    """One policy of the list."""

    href: str
    title: str
    drug: str
    area: str
    standing: catalogue.Standing
    checked: catalogue.Checked | None
    versions: int
    adopted: str


@router.get("")
def list_policies(
    request: Request,
    session: SignedInBrowser,
    q: SearchWords = "",
    area: Annotated[str, Query(max_length=40)] = "",
    status: Annotated[str, Query(max_length=20)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=1000)] = 1,
) -> Response:
    """Every policy by area, narrowed by words, area and status, a page at a time."""
    caller, office, room = caller_of(request, session), this_office(request), room_of(request)
    asked = Asked(q, area, status if status in STATUSES else "")

    def read(work: Work) -> tuple[list[Row], int, tuple[tuple[str, str], ...]]:
        library, day = office.library_at(work), work.moment.day
        entries = room.catalogue.entries(library)
        notices = known(work, library)
        found = catalogue.narrowed(entries, asked, notices, day)
        shown = found[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
        adopted = adoptions_of(work, [each.policy for each in shown])
        rows = []
        for each in shown:
            current = each.on(day)
            held = adopters(adopted, each.policy, day)
            who = catalogue.adopted_words(held, caller.organisation, current)
            stands = catalogue.standing(current, notices, day)
            rows.append(_row(each, current, who, stands))
        return rows, len(found), areas_of(entries)

    rows, total, areas = door_of(request).read(read)
    return page(
        request,
        "library/list.html",
        session=session,
        rows=rows,
        total=total,
        asked=asked,
        areas=areas,
        statuses=list(STATUSES.items()),
        shown=_which(number, len(rows), total),
        before=_address(asked, number - 1) if number > 1 else None,
        after=_address(asked, number + 1) if number * ON_A_PAGE < total else None,
    )


def _which(number: int, rows: int, total: int) -> str:
    """Which of the policies a page shows; nothing where it shows all of them, or none."""
    first = (number - 1) * ON_A_PAGE + 1
    return f"{first} to {first + rows - 1}" if 0 < rows < total else ""


def _row(
    entry: Entry,
    current: PolicyVersion | None,
    adopted: str,
    standing: catalogue.Standing,
) -> Row:
    return Row(
        href=f"/library/{entry.policy}",
        title=entry.title,
        drug=entry.drug,
        area=area_words(entry.area),
        standing=standing,
        checked=None if current is None else catalogue.checked(current),
        versions=len(entry.versions),
        adopted=adopted,
    )


def _address(asked: Asked, number: int) -> str:
    given = {"q": asked.words, "area": asked.area, "status": asked.status, "page": str(number)}
    return f"/library?{urlencode({name: value for name, value in given.items() if value})}"


@router.get("/{policy}")
def show_policy(request: Request, session: SignedInBrowser, policy: PolicyKey) -> Response:
    """The version that is in force today; before the first, that one."""
    caller_of(request, session)
    library = door_of(request).read(this_office(request).library_at)
    held, day = library.versions(policy), door_of(request).moment().day
    in_force_now = [each for each in held if each.in_force.from_ <= day] or list(held[:1])
    return go(f"/library/{policy}/{in_force_now[-1].version}")


@router.get("/{policy}/{version}")
def show_version(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyKey,
    version: VersionNumber,
    commissioner: WithOverlayOf = None,
) -> Response:
    """One version in full: readable, with its sources, terms, history, adoption and proofs."""
    caller, office, room = caller_of(request, session), this_office(request), room_of(request)

    def read(work: Work) -> dict[str, Any]:
        library, day = office.library_at(work), work.moment.day
        found = library.shown(policy, version, commissioner)
        held, notices = library.versions(policy), known(work, library)
        holding = in_force(notices, found.drug, policy, day)
        taken = adoptions_of(work, [policy])
        number = adopted_number(found if found.overlay is None else found.overlay)
        own = found.overlay is None or commissioner == caller.organisation
        newer = held[-1] if held[-1].version != found.version else None
        return dict(
            version=found,
            at=f"/library/{policy}/{version}",
            overlaid=commissioner if found.overlay is not None else None,
            head=view.head_rows(
                found,
                area_words(room.catalogue.area(policy)),
                room.catalogue.drug_name(found.drug),
            ),
            standing=catalogue.standing(found, notices, day),
            checked=catalogue.checked(found),
            newer=newer,
            notices=view.notice_rows(holding),
            sections=view.sections(found),
            worked_out=view.text_of(found, "Values worked out", room.catalogue.drug_in_text),
            terms=view.text_of(found, "Approval", room.catalogue.drug_in_text),
            sources=view.sources(found),
            forms=view.forms(found),
            history=view.history(held, found),
            overlays=view.overlay_rows(library.overlays(policy)),
            adoptions=adoption_rows(taken, caller.organisation, day),
            proving=proving.waiting_proof(work, caller.organisation, found.hash) is not None,
            proof=None if found.overlay else proving.stored_proof(work, found.hash),
            may={
                "adopt": can(caller, Action.ADOPT) and own,
                "end": can(caller, Action.ADOPT)
                and own
                and may_end(taken, caller.organisation, number, day),
                "write": can(caller, Action.WRITE_POLICY),
                "replay": can(caller, Action.REPLAY),
            },
            once=fresh_name(request),
            today=day,
        )

    return page(request, "library/version.html", session=session, **door_of(request).read(read))


@router.get("/{policy}/{version}/form")
def show_form(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyKey,
    version: VersionNumber,
    kind: KindOfRequest = Kind.INITIATION,
    commissioner: WithOverlayOf = None,
) -> Response:
    """The form of one kind of request as a clinician will see it; nothing can be sent."""
    found = _shown(request, session, policy, version, commissioner)
    steps = [
        (step.title, [(b.criterion, question_fields(b.questions, {})) for b in step.blocks])
        for step in steps_of(found, kind)
    ]
    return page(
        request,
        "library/form.html",
        session=session,
        version=found,
        at=f"/library/{policy}/{version}",
        steps=steps,
        forms=view.forms(found),
        kind=kind.value,
        title=view.KINDS.get(kind, "The form"),
    )


@router.get("/{policy}/{version}/cases")
def show_cases(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyKey,
    version: VersionNumber,
    commissioner: WithOverlayOf = None,
) -> Response:
    """The worked cases of a version, each decided now."""
    found = _shown(request, session, policy, version, commissioner)
    rows = room_of(request).cases.of(found)
    return page(
        request,
        "library/cases.html",
        session=session,
        version=found,
        at=f"/library/{policy}/{version}",
        rows=rows,
        failed=sum(bool(row.differences) for row in rows),
    )


@router.get("/{policy}/{version}/changes")
def show_changes(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyKey,
    version: VersionNumber,
    since: OtherVersion = None,
) -> Response:
    """What changed to this version from another, by default from the one before it, and whom of
    its patients that lets pass or holds back."""
    caller, library = caller_of(request, session), _library(request)
    held = library.versions(policy)
    found = library.get(policy, version)
    place = held.index(found)
    other = library.get(policy, since) if since else held[place - 1] if place else None

    def read(work: Work) -> tuple[proving.StoredProof | None, bool]:
        if other is None:
            return None, False
        pair = proving.pair_of(other, found)
        waits = proving.waiting_proof(work, caller.organisation, pair) is not None
        return proving.stored_proof(work, pair), waits

    proof, waits = door_of(request).read(read)
    return page(
        request,
        "library/changes.html",
        session=session,
        version=found,
        at=f"/library/{policy}/{version}",
        other=other,
        groups=() if other is None else view.change_groups(other, found),
        versions=[each.version for each in reversed(held) if each is not found],
        proof=proof,
        proving=waits,
        may_prove=can(caller, Action.WRITE_POLICY),
        once=fresh_name(request),
    )


def _library(request: Request) -> Library:
    return door_of(request).read(this_office(request).library_at)


def _shown(
    request: Request, session: Session, policy: str, version: str, commissioner: str | None
) -> PolicyVersion:
    caller_of(request, session)
    return _library(request).shown(policy, version, commissioner)
