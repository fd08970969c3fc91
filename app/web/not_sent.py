"""A form that was not taken: what was typed is shown again, and nothing is done.

It came without a live session, or a field of it cannot be taken.

It goes back only to the browser that sent it, in the reply to the form itself; nothing is stored.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from app.web.rendering import page
from app.web.words import first_upper

#: What pages put into their forms themselves.
_OURS: Final = frozenset(
    {"csrf", "once", "version", "autosave", "add", "work_out", "from", "send", "kept", "forget"}
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
LONGEST_SHOWN: Final = 300_000  # characters of one field, as of a policy's text
#: Bytes of a form with a file that are read of somebody who is not known.
LARGEST_READ: Final = 1_000_000
_PATH: Final = re.compile(r"(/[A-Za-z0-9_.-]+){1,8}")
SIGNED_OUT: Final = "You were signed out before this was sent"
OTHER_SESSION: Final = "This page is from before you signed in"


async def not_sent(request: Request, title: str, status: int) -> Response:
    """The page that says so, with every text of the form to copy."""
    fields, files = await fields_of(request)
    return page(
        request,
        "not_sent.html",
        status=status,
        title=title,
        typed=typed_in(fields),
        files=files,
        again=title == OTHER_SESSION,
        page=page_of(request),
    )


def unfit_page(
    request: Request, wrong: Mapping[str, str], form: Mapping[str, str], *, file: bool
) -> Response:
    """The page that names each field that cannot be taken, with every text of the form to copy."""
    fields = [(name, _CONTROL.sub("", value)) for name, value in form.items()]
    return page(
        request,
        "unfit.html",
        status=400,
        wrong=[(_label(name), said) for name, said in wrong.items()],
        typed=typed_in(fields),
        file=file,
        page=page_of(request),
    )


async def fields_of(
    request: Request, largest: int = LARGEST_READ
) -> tuple[list[tuple[str, str]], bool]:
    """Name and text of each field of a form as it came, and whether a file came along.

    Of a form with a file of more bytes than `largest` nothing is read.
    """
    if request.headers.get("content-type", "").startswith("multipart/"):
        size = request.headers.get("content-length", "")
        if not (size.isascii() and size.isdigit() and int(size) <= largest):
            return [], True
    try:
        form = await request.form(max_fields=200, max_files=1)
    except HTTPException:  # of the framework: it is no form, or it is too large
        return [], False
    given = form.multi_items()
    texts = [(name, _CONTROL.sub("", value)) for name, value in given if isinstance(value, str)]
    return texts, any(isinstance(value, UploadFile) and value.filename for _, value in given)


def too_large(request: Request, detail: str) -> Response:
    """The page that says that a file was over the limit. Nothing of the form was read."""
    return page(
        request,
        "unfit.html",
        status=413,
        wrong=[("File", detail)],
        typed=[],
        file=True,
        page=page_of(request),
    )


def typed_in(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Label and text of each field that holds what somebody typed or chose."""
    return [
        (_label(name), value)
        for name, value in fields
        if value.strip()
        and len(value) <= LONGEST_SHOWN
        and name not in _OURS
        and not name.startswith("shown.")
    ]


def page_of(request: Request) -> str | None:
    """The page that held the form, as the browser tells; none of another site's."""
    told = urlsplit(request.headers.get("referer", ""))
    if f"{told.scheme}://{told.netloc}" != request.app.state.settings.origin():
        return None
    return told.path if _PATH.fullmatch(told.path) else None


def _label(name: str) -> str:
    return first_upper(re.sub(r"[._-]+", " ", name.removeprefix("a."))[:60]).strip()
