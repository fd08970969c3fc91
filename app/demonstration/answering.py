"""Until a request is answered: what is asked of hospital, panel, pharmacist and commissioner."""

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from app.approvals.lifecycle import RequestState
from app.approvals.model import Route
from app.demonstration.chance import Chance
from app.demonstration.clerk import Case
from app.demonstration.clinic import Illness
from app.demonstration.habits import Content, Habits
from app.demonstration.prices import PACKS, supplier_price

#: A story of paperwork: yields the next day on which it has to act.
Story = Iterator[dt.date]
Days = dt.timedelta
_QUESTION: Final = "Which treatments were tried before, and for how long?"


def until_answered(case: Case, habits: Habits, draw: Chance, given: Mapping[str, Any]) -> Story:
    """Whatever is asked of hospital, panel, pharmacist and commissioner, until nothing is."""
    asked = False
    while True:
        state, today = case.state, case.clerk.today
        if state is RequestState.MORE_INFORMATION_NEEDED:
            if habits.content is Content.ASKED_AND_SILENT:
                return
            yield today + Days(draw.between(2, 12))
            case.amend(given)
        elif state is RequestState.RETURNED:
            yield today + Days(draw.between(3, 15))
            case.amend(given)
        elif state is RequestState.REFERRED and case.request.route is not Route.POLICY:
            yield today + Days(draw.between(10, 30))
            _fund(case)
        elif state is RequestState.REFERRED:
            if habits.content is Content.PANEL_WAITS:
                return
            yield today + Days(draw.between(2, 6 if case.course.illness is Illness.ITP else 18))
            if habits.content is Content.PANEL_DECLINES:
                case.panel_declines("The alternatives have not been tried (demonstration).")
            elif habits.content is Content.PANEL_RETURNS and not asked:
                asked = True
                case.panel_asks(_QUESTION)
            else:
                case.panel_approves("Agreed at the panel's meeting (demonstration).")
        elif state is RequestState.AWAITING_AUTHORISATION:
            yield today + Days(draw.between(1, 4))
            case.authorise()
        else:
            return


def _fund(case: Case) -> None:
    """Individual funding for a year and a half, at about today's price and for a small quantity."""
    course = case.course
    pack = next(pack for pack in PACKS.values() if pack.drug == course.service.drug)
    price = supplier_price(pack, course.product) * Decimal("1.005")
    most = Decimal(10 if pack.unit == "pen" else 5)
    last = case.clerk.today + Days(545)
    case.funded(last, price.quantize(Decimal("0.01")), most, pack.unit)
