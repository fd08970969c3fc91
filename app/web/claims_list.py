"""The list of what other hospitals claimed of an organisation's own treatments."""

from typing import Final

from app.approvals import claiming
from app.web.listing import MOST, Asked, Listing, Part, Row, treatment_words, with_patients
from app.web.places import instant_of, parts_of, place_text
from app.web.words import instant_words


def _claims(asked: Asked, after: str | None, limit: int) -> Part:
    place = None if after is None else _claim_place(after)
    found = claiming.claims_of_own(asked.work, asked.caller, limit + 1, place)
    shown = found[:limit]
    named = asked.told.of_treatments({each.treatment_id for each in shown})
    rows = tuple(
        Row(
            treatment_words(asked.library, each.drug, each.policy, each.indication),
            f"/treatments/{each.treatment_id}",
            (each.organisation, instant_words(each.at)),
        )
        for each in shown
    )
    names = [named.get(each.treatment_id, "") for each in shown]
    return Part(
        *with_patients(("Treatment", "Claimed by", "On"), rows, names, "Not shown"),
        place_text(*shown[-1].place) if len(found) > limit else None,
    )


def _count_claims(asked: Asked) -> int:
    return claiming.count_claims(asked.work, asked.caller, MOST)


def _claim_place(text: str) -> claiming.Place:
    instant, treatment, organisation = parts_of(text, 3)
    return claiming.Place(instant_of(instant), treatment, organisation)


CLAIMS: Final = Listing(
    "claims",
    "Treatments of yours that another hospital claimed",
    f"None in the last {claiming.TOLD_FOR.days} days.",
    _claims,
    _count_claims,
)
