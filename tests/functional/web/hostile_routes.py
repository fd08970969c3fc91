"""Everything of an address that a page reads: its query parameters and the parts of its path.

They are read from the routes themselves, so that a new one is known without being told of.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.api.matrix_pages import PAGE_ROUTES

_PARTS: Final = ("day", "month", "year")
_DAYS: Final = tuple(f"{name}-{part}" for name in ("from", "to") for part in _PARTS)
_REPORTS: Final = ("break-glass", "identifier-access", "overrides", "best-value", "changed-answers")
#: Query parameters that a page reads without declaring them.
BY_HAND: Final[dict[str, tuple[str, ...]]] = {
    "GET /minutes": _DAYS,
    "GET /audit/requests/{id}": _DAYS,
    "GET /audit/treatments/{id}": _DAYS,
    "GET /sign-in/callback": ("state", "iss", "code"),
    "GET /drafts/{id}/{step}": ("from",),
    **{f"GET /reports/{name}": (*_DAYS, "policy") for name in _REPORTS},
}
#: Modules of `app/web` that read a query so.
READ_BY_HAND: Final = {
    "app/web/auditing/pages.py",
    "app/web/desk/challenges.py",  # hands on what it declares
    "app/web/draft_pages.py",
    "app/web/minutes.py",
    "app/web/reporting/showing.py",
    "app/web/sign_in.py",
}


def _routes(routes: Iterable[Any]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (inner := getattr(route, "original_router", None)) is not None:
            yield from _routes(inner.routes)


def _dependants(dependant: Any) -> Iterator[Any]:
    yield dependant
    for each in dependant.dependencies:
        yield from _dependants(each)


def parameters(application: FastAPI, kind: str) -> dict[str, set[str]]:
    """Route of a page → its parameters of a kind, `query` or `path`."""
    found: dict[str, set[str]] = {}
    for route in _routes(application.routes):
        for method in route.methods:
            name = f"{method} {route.path}"
            if name in PAGE_ROUTES:
                fields = (getattr(each, f"{kind}_params") for each in _dependants(route.dependant))
                found[name] = {field.alias for group in fields for field in group}
    assert set(found) == set(PAGE_ROUTES), "every page is among the routes"
    return found


def queries(application: FastAPI) -> dict[str, set[str]]:
    """Route of a page → every query parameter that it reads."""
    found = parameters(application, "query")
    return {name: names | set(BY_HAND.get(name, ())) for name, names in found.items()}


def readers_of_queries(root: Path) -> set[str]:
    """The modules of the pages that read a query without declaring what they read."""
    return {
        str(file.relative_to(root))
        for file in (root / "app" / "web").rglob("*.py")
        if any(
            isinstance(node, ast.Attribute) and node.attr == "query_params"
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        )
    }


def route_of(method: str, path: str) -> str | None:
    """The page's route that an address belongs to; the plainest that fits, as the router has it."""
    fitting = [
        route
        for route in PAGE_ROUTES
        if route.startswith(f"{method} ")
        and re.fullmatch(re.sub(r"\{\w+(:path)?\}", "[^/]+", route.split(" ")[1]), path)
    ]
    return min(fitting, key=lambda route: route.count("{"), default=None)
