"""The reports over requests: overrides, products not chosen for best value, changed answers.

For a payer's analyst and a hospital's lead of medicines governance: of one policy or of all, of the
days that they choose, with the totals of all these days however many pages there are.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.approvals.best_value import asks_for_products_first, product_choices
from app.approvals.changed_answers import Place, newest_changed, place_of
from app.approvals.library import Library
from app.approvals.permissions import Action, check_can
from app.approvals.reporting import FEWEST, may_be_overridden, override_report
from app.auth.people import names_of
from app.db.work import Work
from app.policy import PolicyVersion
from app.web.callers import caller_of, this_office
from app.web.pages import PageRoute
from app.web.paging import ASKED_FOR, AfterQuery, one_page, place_in
from app.web.places import instant_of, parts_of
from app.web.reporting.asked import Asked, page_behind
from app.web.reporting.requests_view import (
    Rows,
    changed_rows,
    choice_key,
    choices_in_order,
    criteria_said,
    override_key,
    override_row,
    override_totals,
    overrides_in_order,
    product_row,
    product_totals,
    treatments_in,
)
from app.web.reporting.showing import Policies, Told, reported
from app.web.sign_in import SignedInBrowser

router = APIRouter(prefix="/reports", route_class=PageRoute, include_in_schema=False)

#: A place of a list whose rows are counts: their order, and the keys that tell them apart.
BehindQuery = Annotated[str | None, Query(pattern="^[0-9A-Za-z._~,-]+$", max_length=400)]


@router.get("/overrides")
def show_overrides(
    request: Request, session: SignedInBrowser, after: BehindQuery = None
) -> Response:
    """How often clinicians overrode a criterion, with which reasons, and how often it mattered."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.REPORT)

    def read(work: Work, asked: Asked) -> Told:
        library = office.library_at(work)
        found = override_report(work, library, caller, *asked.days, asked.policy)
        ordered = overrides_in_order(found.rows)
        shown = page_behind(ordered, override_key, asked.address(request.url.path), after)
        rows = tuple(override_row(each, library) for each in shown.rows)
        totals, said = override_totals(found), criteria_said(rows)
        return Told(Rows(rows, len(ordered), shown.onward, totals, shown.first, said))

    return reported(
        request,
        session,
        "reporting/overrides.html",
        read,
        lambda work: _policies(office.library_at(work), may_be_overridden),
        fewest=FEWEST,
    )


@router.get("/best-value")
def show_best_value(
    request: Request, session: SignedInBrowser, after: BehindQuery = None
) -> Response:
    """Which products were taken where a policy asks for others first, and with what reasons."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.REPORT)

    def read(work: Work, asked: Asked) -> Told:
        library = office.library_at(work)
        ordered = choices_in_order(
            product_choices(work, library, caller, *asked.days, asked.policy)
        )
        shown = page_behind(ordered, choice_key, asked.address(request.url.path), after)
        rows = tuple(product_row(each, library) for each in shown.rows)
        return Told(Rows(rows, len(ordered), shown.onward, product_totals(ordered), shown.first))

    return reported(
        request,
        session,
        "reporting/best_value.html",
        read,
        lambda work: _policies(office.library_at(work), asks_for_products_first),
    )


@router.get("/changed-answers")
def show_changed_answers(
    request: Request, session: SignedInBrowser, after: AfterQuery = None
) -> Response:
    """Which answers changed after criteria were not met, in what had failed; no answer is shown.

    That it was read is on record for each treatment whose request it named.
    """
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.REPORT)
    place = place_in(after, _place)

    def read(work: Work, asked: Asked) -> Told:
        found, many = newest_changed(
            work, caller, *asked.days, asked.policy, ASKED_FOR, after=place
        )
        shown, onward = one_page(found, place_of, asked.address(request.url.path), after)
        own = {each.by for each in shown if each.provider == caller.organisation}
        rows = changed_rows(shown, office.library_at(work), names_of(work, own))
        return Told(Rows(rows, many, onward), treatments_in(shown))

    return reported(
        request,
        session,
        "reporting/changed_answers.html",
        read,
        lambda work: _policies(office.library_at(work), lambda _: True),
    )


def _policies(library: Library, says: Callable[[PolicyVersion], bool]) -> Policies:
    """The policies of which something holds in some version, in the order of their titles."""
    found = (
        (policy, library.versions(policy)[-1].title)
        for policy in library.usable()
        if any(says(version) for version in library.versions(policy))
    )
    return sorted(found, key=lambda each: (each[1].casefold(), each[0]))


def _place(text: str) -> Place:
    """A place of the list of changed answers. Raises ValueError."""
    at, event = parts_of(text, 2)
    return Place(instant_of(at), int(event))
