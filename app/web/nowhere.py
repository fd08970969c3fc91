"""An address with no page at it, as a browser opens one: a page that says so, and how to go on.

Programs are answered in problem+json, as everywhere.
"""

from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from app.api import replies
from app.problems import METHOD_NOT_ALLOWED, NO_SUCH_ADDRESS, DoorProblem
from app.web.pages import refusal

#: Where programs call. What a browser opens there is answered as they are.
_OF_PROGRAMS: Final = ("/v1/", "/oauth2/", "/openapi", "/metrics", "/livez", "/readyz", "/assets/")
_NO_PAGE: Final = {
    404: DoorProblem(
        NO_SUCH_ADDRESS,
        "There is no page at this address: part of it was cut off or changed. Go back, and open "
        "the page by its link.",
    ),
    405: DoorProblem(
        METHOD_NOT_ALLOWED,
        "This address takes what a form sends, and holds no page. Go back, open the page by its "
        "link, and use its form.",
    ),
}


async def shown(request: Request, error: Exception) -> Response:
    """The page of it for a browser, the API's reply for anybody else."""
    assert isinstance(error, HTTPException)
    reply: Response = await replies.on_http(request, error)
    told = _NO_PAGE.get(error.status_code)
    path = request.url.path
    if told is None or path.startswith(_OF_PROGRAMS) or not _is_browser(request):
        return reply
    told_page = refusal(request, told)
    if "allow" in reply.headers:
        told_page.headers["allow"] = reply.headers["allow"]
    return told_page


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def install(app: FastAPI) -> None:
    """Register it, after what the API registers for the same."""
    app.add_exception_handler(HTTPException, shown)
