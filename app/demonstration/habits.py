"""How well the paperwork of each treatment is done. Drawn apart from what happened clinically."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from app.approvals.model import FundingOrigin
from app.demonstration.chance import Chance, chance
from app.demonstration.clinic import Course, Illness

T = TypeVar("T")


class Form(StrEnum):
    """When the first form is sent."""

    ON_TIME = "on time"
    LATE = "after the first dose, for no permitted reason"
    URGENT = "after the first dose, for a permitted reason"
    NEVER = "never"


class Content(StrEnum):
    """What the first form says, and what becomes of it."""

    MEETS = "meets the criteria"
    ASKED_AND_ANSWERED = "lacks an answer, given when asked"
    ASKED_AND_SILENT = "lacks an answer, never given"
    FAILS = "does not meet the criteria"
    PANEL_APPROVES = "referred and approved"
    PANEL_DECLINES = "referred and declined"
    PANEL_RETURNS = "referred, returned with a question, answered and approved"
    PANEL_WAITS = "referred and waiting"
    INDIVIDUAL = "individual funding"


class Review(StrEnum):
    """How continuations are sent."""

    ON_TIME = "on time"
    LATE = "late"
    NEVER = "never"
    INCOMPLETE = "incomplete, never completed"


class Afterwards(StrEnum):
    """What turns out to be wrong with the first form later."""

    NOTHING = "nothing"
    CORRECTED = "corrected, under query"
    UPHELD = "corrected, upheld"
    WITHDRAWN = "corrected, withdrawn"
    IN_ERROR = "entered in error"


class Identity(StrEnum):
    """How the form names the patient."""

    NUMBER = "NHS number"
    NO_NUMBER = "hospital number only"
    LATER = "hospital number, NHS number recorded later"


_NO_YES: Final = frozenset(
    {Content.FAILS, Content.PANEL_DECLINES, Content.PANEL_WAITS, Content.ASKED_AND_SILENT}
)


@dataclass(frozen=True, slots=True)
class Habits:
    """The paperwork of one treatment."""

    form: Form = Form.ON_TIME
    content: Content = Content.MEETS
    review: Review = Review.ON_TIME
    afterwards: Afterwards = Afterwards.NOTHING
    identity: Identity = Identity.NUMBER
    funding: FundingOrigin = FundingOrigin.NHS
    tells: bool = True  # switches, doses, moves, pauses and stops are reported
    heeds: bool = True  # nothing is given where the answer is no, or is still to come

    @property
    def waits_in_vain(self) -> bool:
        """Whether the answer to the first form is no, or never comes."""
        return self.content in _NO_YES and self.form is not Form.NEVER

    @property
    def given_without_a_yes(self) -> bool:
        """Whether the hospital treats all the same."""
        return self.waits_in_vain and not self.heeds

    @property
    def at_fault(self) -> bool:
        """Whether something of the paperwork would have to be mended."""
        return (
            self.form in (Form.LATE, Form.NEVER)
            or self.given_without_a_yes
            or self.review is not Review.ON_TIME
            or self.afterwards is not Afterwards.NOTHING
            or not self.tells
        )


_FORMS: Final[Mapping[Illness, Mapping[Form, int]]] = {
    Illness.RA: {Form.NEVER: 5, Form.LATE: 5},
    Illness.RRMS: {Form.NEVER: 2, Form.LATE: 3},
    Illness.PBC: {Form.NEVER: 1, Form.LATE: 2},
    Illness.ITP: {Form.NEVER: 5, Form.LATE: 5, Form.URGENT: 16},
    Illness.PSA: {Form.NEVER: 3},
    Illness.CIDP: {Form.NEVER: 2},
}
_C = Content
_CONTENTS: Final[Mapping[Illness, Mapping[Content, int]]] = {
    Illness.RA: {_C.ASKED_AND_ANSWERED: 5, _C.ASKED_AND_SILENT: 2, _C.FAILS: 4,
                 _C.PANEL_APPROVES: 2, _C.PANEL_DECLINES: 1, _C.PANEL_RETURNS: 1,
                 _C.PANEL_WAITS: 1, _C.INDIVIDUAL: 6},
    Illness.RRMS: {_C.ASKED_AND_ANSWERED: 4, _C.ASKED_AND_SILENT: 1, _C.FAILS: 3,
                   _C.INDIVIDUAL: 3},
    Illness.PBC: {_C.ASKED_AND_ANSWERED: 2, _C.PANEL_APPROVES: 22, _C.PANEL_RETURNS: 3,
                  _C.PANEL_DECLINES: 2, _C.PANEL_WAITS: 2},
    Illness.ITP: {_C.ASKED_AND_ANSWERED: 5, _C.ASKED_AND_SILENT: 2, _C.FAILS: 3,
                  _C.PANEL_APPROVES: 3, _C.PANEL_DECLINES: 2, _C.PANEL_RETURNS: 2,
                  _C.PANEL_WAITS: 2},
    Illness.PSA: {},
    Illness.CIDP: {},
}  # fmt: skip
_REVIEWS: Final[Mapping[Review, int]] = {Review.LATE: 6, Review.NEVER: 8, Review.INCOMPLETE: 3}
_A = Afterwards
_AFTERWARDS: Final[Mapping[Afterwards, int]] = {
    _A.CORRECTED: 3, _A.UPHELD: 1, _A.WITHDRAWN: 1, _A.IN_ERROR: 2,
}  # fmt: skip
_IDENTITIES: Final[Mapping[Identity, int]] = {Identity.NO_NUMBER: 4, Identity.LATER: 3}
_FUNDING: Final[Mapping[FundingOrigin, int]] = {
    FundingOrigin.FREE_OF_CHARGE: 2,
    FundingOrigin.TRIAL: 1,
}


def make_habits(seed: int, courses: Sequence[Course]) -> Mapping[int, Habits]:
    """The habits of each course, by its number."""
    habits: dict[int, Habits] = {}
    for illness in Illness:
        own = [c for c in courses if c.illness is illness]
        habits |= _of_illness(chance(seed, f"habits {illness}"), illness, own)
    return habits


def _of_illness(draw: Chance, illness: Illness, own: Sequence[Course]) -> dict[int, Habits]:
    many = len(own)
    forms = draw.deck(_filled(_FORMS[illness], Form.ON_TIME, many))
    contents = draw.deck(_filled(_CONTENTS[illness], Content.MEETS, many))
    reviews = draw.deck(_scaled(_REVIEWS, Review.ON_TIME, many))
    afterwards = draw.deck(_scaled(_AFTERWARDS, Afterwards.NOTHING, many))
    identities = draw.deck(_scaled(_IDENTITIES, Identity.NUMBER, many))
    funding = draw.deck(_scaled(_FUNDING, FundingOrigin.NHS, many))
    told = {course.number: draw.below(0.8) for course in own}
    # Those who move are told of by turns, so that both are always seen.
    movers = [course for course in own if course.move is not None]
    told |= {course.number: place % 2 == 1 for place, course in enumerate(movers)}
    return {
        course.number: Habits(
            form=forms[place],
            content=contents[place],
            review=reviews[place],
            afterwards=afterwards[place],
            identity=identities[place],
            funding=funding[place],
            tells=told[course.number],
            heeds=draw.below(0.75),
        )
        for place, course in enumerate(own)
    }


def _filled(counts: Mapping[T, int], usual: T, many: int) -> dict[T, int]:
    return {**counts, usual: many - sum(counts.values())}


def _scaled(counts: Mapping[T, int], usual: T, many: int) -> dict[T, int]:
    """The counts are for sixty patients."""
    scaled = {key: count * many // 60 for key, count in counts.items()}
    return {**scaled, usual: many - sum(scaled.values())}
