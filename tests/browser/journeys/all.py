"""The list of all journeys."""

from tests.browser.journeys import (
    asking,
    care,
    desk,
    library,
    office,
    paper,
    paying,
    person,
    urgent,
)
from tests.browser.journeys.model import Journey

JOURNEYS: tuple[Journey, ...] = (
    *asking.JOURNEYS,
    *care.JOURNEYS,
    *desk.JOURNEYS,
    *library.JOURNEYS,
    *office.JOURNEYS,
    *paper.JOURNEYS,
    *paying.JOURNEYS,
    *person.JOURNEYS,
    *urgent.JOURNEYS,
)
