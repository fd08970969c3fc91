"""Pages for anybody: what the service is, help, accessibility and cookies."""

from fastapi import APIRouter, Request, Response

from app.web.pages import PageRoute
from app.web.rendering import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/about")
def about(request: Request) -> Response:
    """What the service is for."""
    return page(request, "about.html")


@router.get("/help")
def help_(request: Request) -> Response:
    """How it is used, by whom."""
    return page(request, "help.html")


@router.get("/accessibility")
def accessibility(request: Request) -> Response:
    """What was done so that everybody can use it, and what is known not to work."""
    return page(request, "accessibility.html")


@router.get("/cookies")
def cookies(request: Request) -> Response:
    """Which cookies are set, and why."""
    return page(request, "cookies.html")
