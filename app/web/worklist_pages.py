"""A list of the home page, to its end: one page after the other, by the place of the last row."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.reading import read_recorded
from app.approvals.errors import NotFound
from app.approvals.permissions import Action, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.problems import BAD_REQUEST, DoorProblem
from app.web.callers import caller_of, this_office
from app.web.home_patients import Told
from app.web.listing import MOST, Asked, Listing, Part
from app.web.pages import PageRoute
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser
from app.web.worklists import listings_for

router = APIRouter(prefix="/worklists", route_class=PageRoute, include_in_schema=False)

ON_A_PAGE: Final = 50
NamePath = Annotated[str, Path(pattern="^[a-z]+(-[a-z]+)*$", max_length=30)]
AfterQuery = Annotated[str | None, Query(pattern="^[0-9A-Za-z_-]+$", max_length=80)]


@router.get("/{name}")
def show(
    request: Request, session: SignedInBrowser, name: NamePath, after: AfterQuery = None
) -> Response:
    """One page of a list, from behind a place on; in its heading how many rows it has in all."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.READ)
    listing = _listing(caller, name)

    def read(work: Work) -> tuple[tuple[Part, int], tuple[Reading, ...]]:
        told = Told(work, caller, name)
        asked = Asked(work, office.library_at(work), caller, told)
        try:
            part = listing.read(asked, after, ON_A_PAGE)
        except ValueError:
            raise DoorProblem(
                BAD_REQUEST, "The address names no place of this list. Begin at its first page."
            ) from None
        whole = after is None and part.next is None
        many = len(part.rows) if whole else listing.count(asked)
        return (part, many), told.readings()

    part, many = read_recorded(request, caller, read)
    return page(
        request,
        "worklist.html",
        session=session,
        title=listing.title,
        empty=listing.empty if after is None else "No more.",
        part=part,
        here=f"/worklists/{name}",
        begins=after is None,
        number=f"{many:,}{' or more' if many >= MOST else ''}",
    )


def _listing(caller: Caller, name: str) -> Listing:
    """The list of that name, if the caller's role has one. Raises NotFound."""
    found = next((each for each in listings_for(caller) if each.name == name), None)
    if found is None:
        raise NotFound("worklist")
    return found
