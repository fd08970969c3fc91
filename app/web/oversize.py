"""A form whose file is over the limit: the words that stand before the file are read all the same.

Pages put their file last, so these are all of them. Nothing of the file is read.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.types import Message

from app.api.middleware import WHOLE_BODY

#: Bytes read at most: every field of such a form at its longest, and a file's first piece.
_MOST: Final = 262_144


async def words_before_file(request: Request) -> Mapping[str, str]:
    """Name and text of each field before the form's file; empty where that cannot be told."""
    receive = request.scope.get(WHOLE_BODY)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if receive is None or kind != b"multipart/form-data" or not boundary:
        return {}
    body = b""
    while len(body) < _MOST and b"filename=" not in body:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return await _fields(request, _before_file(body[:_MOST], b"--" + boundary))


def _before_file(body: bytes, line: bytes) -> bytes:
    """The whole parts in front of the first file, closed as a form of their own."""
    kept = []
    for part in body.split(line)[1:-1]:
        if b"filename=" in part.partition(b"\r\n\r\n")[0]:
            break
        kept.append(line + part)
    return b"".join(kept) + line + b"--\r\n"


async def _fields(request: Request, body: bytes) -> Mapping[str, str]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        form = await Request(request.scope, receive).form(max_fields=20, max_files=0)
    except HTTPException:  # of the framework: it is no form
        return {}
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
