"""One line of a run with all that its outcome rests on, and deciding it by hand."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response

from app.api.fields import IdPath
from app.api.line_decisions import (
    MatchBody,
    OverrideBody,
    RowPath,
    UndoBody,
    evidence_document,
)
from app.api.submissions import UuidPath, desk_of
from app.approvals.permissions import Action, can, check_can
from app.audit import Reading
from app.auth.sessions import Session
from app.db.work import Work
from app.reconciliation import deciding_lines, decision_store, evidence, service
from app.reconciliation.decision_store import DecisionRecord
from app.reconciliation.errors import StepNotPossible
from app.reconciliation.model import DecisionKind
from app.web.acting import act_once, body_of, fresh_name
from app.web.callers import caller_of, read_recorded
from app.web.desk.line_view import LineView, decision_rows, line_view
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(route_class=PageRoute, include_in_schema=False)

LISTED: Final = 100
_WHY: Final = "Say why, in up to 2,000 characters."
_REFERENCE: Final = (
    "Enter the approval's reference: PA and 13 letters or digits, such as PA7Q2M9XK4T0WZ3."
)


@router.get("/submissions/runs/{run}/lines/{row}")
def show(request: Request, session: SignedInBrowser, run: UuidPath, row: RowPath) -> Response:
    """The line: what it states, where it was looked for, every test, and what it came to."""
    return _shown(request, session, run, row)


@router.post("/submissions/runs/{run}/lines/{row}/match")
def match(
    request: Request, session: SignedInBrowser, run: UuidPath, row: RowPath, form: FormFields
) -> Response:
    """Say whose line it is; every other test is still made, in the next run."""
    check_csrf(session, form)
    check_can(caller_of(request, session), Action.DECIDE_LINE)
    typed = {
        "approval_reference": form.get("approval_reference", "").replace(" ", "").upper(),
        "reason": form.get("reason", "").strip(),
    }
    body, wrong = body_of(MatchBody, typed)
    if body is None:
        told = {"approval_reference": _REFERENCE, "reason": _WHY}
        faults = {f"match-{name}": told[name] for name in told if name in wrong}
        return _shown(request, session, run, row, faults, form)
    kind = DecisionKind.MATCH
    return _decide(request, session, form, run, row, kind, body.approval_reference, body.reason)


@router.post("/submissions/runs/{run}/lines/{row}/override")
def override(
    request: Request, session: SignedInBrowser, run: UuidPath, row: RowPath, form: FormFields
) -> Response:
    """Accept or query the whole line, in the next run; its outcome stays."""
    check_csrf(session, form)
    check_can(caller_of(request, session), Action.OVERRIDE_LINE)
    typed = {"kind": form.get("kind", ""), "reason": form.get("reason", "").strip()}
    body, wrong = body_of(OverrideBody, typed)
    if body is None:
        told = {"kind": "Choose whether the line is accepted or queried.", "reason": _WHY}
        faults = {f"override-{name}": told[name] for name in told if name in wrong}
        return _shown(request, session, run, row, faults, form)
    return _decide(request, session, form, run, row, DecisionKind(body.kind), None, body.reason)


@router.get("/line-decisions")
def list_decisions(request: Request, session: SignedInBrowser) -> Response:
    """The organisation's newest decisions by hand, undone ones too."""
    caller = caller_of(request, session)
    found = door_of(request).read(lambda work: deciding_lines.list_decisions(work, caller, LISTED))
    return page(
        request,
        "desk/decisions.html",
        session=session,
        rows=decision_rows(found, may_undo_all=can(caller, Action.OVERRIDE_LINE)),
        listed=LISTED,
        once=fresh_name(request),
        errors=[],
    )


@router.post("/line-decisions/{id}/undo")
def undo(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Undo one decision, and reconcile its submission again."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.DECIDE_LINE)
    body, _ = body_of(UndoBody, {"reason": form.get("reason", "").strip()})
    if body is None:
        found = door_of(request).read(
            lambda work: deciding_lines.list_decisions(work, caller, LISTED)
        )
        return page(
            request,
            "desk/decisions.html",
            status=422,
            session=session,
            rows=decision_rows(found, may_undo_all=can(caller, Action.OVERRIDE_LINE)),
            listed=LISTED,
            once=fresh_name(request),
            errors=[{"text": "Say why the decision is undone.", "href": f"#undo-{id}"}],
        )
    reason = body.reason

    def take(work: Work) -> str:
        _, job = deciding_lines.undo(work, caller, id, reason)
        return f"/submissions/jobs/{job}"

    return act_once(request, session, form, take)


def _decide(
    request: Request,
    session: Session,
    form: dict[str, str],
    run: str,
    row: int,
    kind: DecisionKind,
    reference: str | None,
    reason: str,
) -> Response:
    caller, desk, door = caller_of(request, session), desk_of(request), door_of(request)
    try:
        seen = door.read(
            lambda work: deciding_lines.look(work, desk, caller, run, row, kind, reference)
        )
        made = deciding_lines.draft(desk, caller, seen, row, kind, reference)

        def take(work: Work) -> str:
            _, job = deciding_lines.decide(work, caller, seen, row, made, reason)
            return f"/submissions/jobs/{job}"

        return act_once(request, session, form, take)
    except StepNotPossible as error:
        at = "match-approval_reference" if kind is DecisionKind.MATCH else "override-reason"
        return _shown(request, session, run, row, {at: str(error)}, form)


def _shown(
    request: Request,
    session: Session,
    run: str,
    row: int,
    faults: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.RECONCILE)

    def read(work: Work) -> tuple[tuple[LineView, DecisionRecord | None], Reading]:
        found = evidence.evidence_of(work, desk, caller, run, row, at_once=True)
        standing = None
        if found.decision is not None:
            key = found.decision.line_key
            standing = decision_store.standing(work, caller.organisation, key)
        document = evidence_document(caller, service.key_of(desk, caller), found)
        view = line_view(document, preparing=found.preparing)
        return (view, standing), Reading("run line read", names={"run": run, "row": row})

    view, standing = read_recorded(request, caller, read)
    told = dict(faults or {})
    may_decide = can(caller, Action.DECIDE_LINE)
    may_override = can(caller, Action.OVERRIDE_LINE)
    return page(
        request,
        "desk/line.html",
        status=422 if told else 200,
        session=session,
        run=run,
        view=view,
        standing=decision_rows((standing,), may_undo_all=may_override)[0] if standing else None,
        may={
            "match": may_decide and standing is None,
            "override": may_override and standing is None,
            "undo": may_decide,
        },
        once=fresh_name(request),
        typed=typed or {},
        faults=told,
        errors=[{"text": text, "href": f"#{at}"} for at, text in told.items()],
    )
