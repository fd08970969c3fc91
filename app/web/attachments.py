"""A request's attachments: adding one, taking one away, and reading one."""

import hashlib
from typing import Final

from fastapi import APIRouter, Request, Response

from app.api.routing import UPLOAD
from app.api.scanning import check_file
from app.approvals import attaching, store
from app.approvals.attaching import LONGEST_TITLE, Attachment, attachments_of
from app.approvals.attachment_kinds import ENDINGS, LARGEST
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import RequestRecord
from app.approvals.permissions import Action, check_acts_for, check_can
from app.audit import Reading
from app.auth.sessions import Session
from app.db.work import Work
from app.web.acting import UploadedForm, act_once, fresh_name
from app.web.callers import caller_of, read_recorded
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath

router = APIRouter(prefix="/requests", route_class=PageRoute, include_in_schema=False)

_WHO: Final = "Say who may read it."
_KINDS: Final = {
    "application/pdf": "PDF",
    "image/png": "Picture (PNG)",
    "image/jpeg": "Picture (JPEG)",
}
_WHY: Final = "Say why it is taken away."
_OVER: Final = f"The file is over {LARGEST // 2**20} MB. Choose a smaller one: nothing was sent."


@router.get("/{id}/attachments")
def list_files(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """What is attached, and the form to attach more."""
    return _listed(request, session, id, {}, {})


@router.post("/{id}/attachments", openapi_extra=UPLOAD)
def attach(request: Request, session: SignedInBrowser, id: IdPath, sent: UploadedForm) -> Response:
    """Attach a file, once."""
    form, data = sent.form, sent.data  # the file's own name may be a patient's: it is not kept
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.ATTACH)
    if sent.over:
        return _listed(request, session, id, form, {"file": _OVER}, 413)
    if form.get("shared") not in ("yes", "no"):
        return _listed(request, session, id, form, {"shared": _WHO})

    def run(work: Work) -> str:
        title, shared = form.get("title", "").strip(), form["shared"] == "yes"
        attaching.attach(work, caller, id, title, data, shared=shared)
        return f"/requests/{id}/attachments"

    named = {**form, "file": hashlib.sha256(data).hexdigest()}
    try:
        check_file(request, data)
        return act_once(request, session, named, run)
    except DetailsNotAccepted as error:
        return _listed(request, session, id, form, {error.field: str(error)})


@router.get("/{id}/attachments/{attachment}")
def read_file(
    request: Request, session: SignedInBrowser, id: IdPath, attachment: IdPath
) -> Response:
    """The file to take away. Browsers neither show it here nor guess what it is."""
    caller = caller_of(request, session)

    def read(work: Work) -> tuple[tuple[Attachment, bytes], Reading]:
        found = attaching.content_of(work, caller, id, attachment)
        treatment = store.find_request(work, caller, id).treatment_id
        return found, Reading("attachment read", treatment, id, names={"attachment": attachment})

    known, content = read_recorded(request, caller, read)
    name = f"attachment-{known.number}.{ENDINGS[known.media_type]}"
    return Response(
        content,
        media_type=known.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Security-Policy": (
                "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
            ),
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.post("/{id}/attachments/{attachment}/remove")
def take_away(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    attachment: IdPath,
    form: FormFields,
) -> Response:
    """Erase a file that should not be there, with the reason on record."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.ATTACH)
    reason = form.get("reason", "").strip()
    if not reason:
        return _listed(request, session, id, {}, {f"reason-{attachment}": _WHY})

    def run(work: Work) -> str:
        attaching.take_away(work, caller, id, attachment, reason)
        return f"/requests/{id}/attachments"

    return act_once(request, session, form, run)


def _listed(
    request: Request,
    session: Session,
    id: str,
    typed: dict[str, str],
    wrong: dict[str, str],
    status: int = 422,
) -> Response:
    caller = caller_of(request, session)
    check_can(caller, Action.ATTACH)

    def read(work: Work) -> tuple[RequestRecord, tuple[Attachment, ...]]:
        found = store.find_request(work, caller, id)
        check_acts_for(caller, Action.ATTACH, found.provider)
        return found, attachments_of(work, caller, id)

    found, files = door_of(request).read(read)
    return page(
        request,
        "attachments.html",
        status=status if wrong else 200,
        session=session,
        id=id,
        files=files,
        closed=found.state in attaching.CLOSED,
        full=len(files) >= attaching.MOST,
        most=attaching.MOST,
        longest=LONGEST_TITLE,
        largest=LARGEST // 2**20,
        largest_bytes=LARGEST,
        kinds=_KINDS,
        too_large=_OVER,
        typed=typed,
        wrong=wrong,
        once=fresh_name(request),
        errors=[
            {"text": said, "href": f"#{'shared-no' if name == 'shared' else name}"}
            for name, said in wrong.items()
        ],
    )
