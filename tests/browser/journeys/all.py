"""The list of all journeys: those in the demonstration, and those on a service of their own."""

from tests.browser.journeys import (
    asking,
    beginning,
    care,
    desk,
    funding,
    held_up,
    library,
    office,
    paper,
    paying,
    person,
    refusing,
    request_reports,
    two_members,
    urgent,
)
from tests.browser.journeys.model import Journey

JOURNEYS: tuple[Journey, ...] = (
    *asking.JOURNEYS,
    *beginning.JOURNEYS,
    *care.JOURNEYS,
    *desk.JOURNEYS,
    *funding.JOURNEYS,
    *library.JOURNEYS,
    *office.JOURNEYS,
    *paper.JOURNEYS,
    *paying.JOURNEYS,
    *person.JOURNEYS,
    *request_reports.JOURNEYS,
    *refusing.JOURNEYS,
    *urgent.JOURNEYS,
)
#: Walked by `test_own_service.py`.
OWN: tuple[Journey, ...] = (*two_members.JOURNEYS, *held_up.JOURNEYS)
EVERY: tuple[Journey, ...] = (*JOURNEYS, *OWN)
