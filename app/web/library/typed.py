"""A form with a policy's text in it: pasted, or as a file."""

from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from app.auth.sessions import Session
from app.problems import BAD_REQUEST, NOT_ALLOWED, DoorProblem
from app.web.pages import LONGEST_FIELD, signed_in

TEXT: Final = "text"
#: Longer than any text that is kept, so that a page can say what is wrong; `BodyLimit` ends it.
_LARGEST_PART: Final = 16 * 1024 * 1024


async def text_form(
    request: Request, _session: Annotated[Session, Depends(signed_in)]
) -> dict[str, str]:
    """A form's fields, each once; the file's text, where one came, stands in for what was typed.

    Raises DoorProblem for a form of another site, or anything that is no form of ours. A file that
    is not UTF-8 gives a NUL, which no text that is kept holds.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin != request.app.state.settings.origin():
        raise DoorProblem(NOT_ALLOWED, "The form came from another site, so it was not taken.")
    found: dict[str, str] = {}
    sent = b""
    async with request.form(max_fields=20, max_files=1, max_part_size=_LARGEST_PART) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                sent = await value.read()
            elif name in found or (name != TEXT and len(value) > LONGEST_FIELD):
                raise DoorProblem(BAD_REQUEST, "Part of the form cannot be read. Fill it again.")
            else:
                found[name] = value
    if sent:
        found[TEXT] = _decoded(sent)
    found[TEXT] = found.get(TEXT, "").replace("\r\n", "\n").replace("\r", "\n")
    return found


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "\x00"


TextForm = Annotated[dict[str, str], Depends(text_form)]
