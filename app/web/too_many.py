"""A step too many in a minute: the page that says when to go on, and loses nothing of what came.

A form comes back in the page, to be sent again as it was by one button. It goes back only to the
browser that sent it; nothing is stored and nothing is done. A file cannot come back so.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from fastapi import Request, Response

from app.api.callers import door_of
from app.problems import DoorProblem
from app.web.not_sent import fields_of, page_of, typed_in
from app.web.rendering import page

_LONDON = ZoneInfo("Europe/London")


class TooManySteps(DoorProblem):
    """A signed-in person went on faster than the settings let one. Tells when, in Retry-After."""


async def too_many(request: Request, error: TooManySteps) -> Response:
    """The page for it, with Retry-After; of a form, with all that it held."""
    seconds = int(error.headers["Retry-After"])
    until = door_of(request).now() + dt.timedelta(seconds=seconds)
    sent = request.method == "POST"
    largest = request.app.state.settings.max_body_bytes
    fields, files = await fields_of(request, largest) if sent else ([], False)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    reply = page(
        request,
        "too_many.html",
        status=error.kind.status,
        most=request.app.state.settings.requests_per_minute_of_people,
        seconds=seconds,
        until=f"{until.astimezone(_LONDON):%H:%M:%S}",
        sent=sent,
        files=files,
        here=here,
        page=page_of(request),
        fields=fields,
        typed=typed_in(fields),
    )
    reply.headers.update(error.headers)
    return reply
