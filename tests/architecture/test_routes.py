"""Some routers are held against a call first, which must change nothing but the time."""

import re

import pytest
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from app.main import MOST_CALLED, PAGES, ROUTERS

EARLY = [
    (method, compile_path(route.path)[0], route.path)
    for router in MOST_CALLED
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
]


def taken_by(method: str, template: str) -> str | None:
    """The route of an early router that an address of this route would go to."""
    address = re.sub(r"\{[^}]*\}", "0", template)
    return next((path for its, fits, path in EARLY if its == method and fits.match(address)), None)


def test_no_early_router_takes_a_call_that_is_another_routers() -> None:
    others = [
        (method, route.path)
        for router in (*ROUTERS, *PAGES)
        if router not in MOST_CALLED
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]
    assert len(others) > 300
    assert [each for each in others if taken_by(*each) is not None] == []


@pytest.mark.parametrize(
    ("method", "template"),
    [("POST", "/v1/requests"), ("GET", "/v1/requests/newest"), ("POST", "/v1/requests/{id}/amend")],
)
def test_an_address_that_an_early_router_knows_is_told(method: str, template: str) -> None:
    assert taken_by(method, template) is not None
