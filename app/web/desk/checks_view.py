"""What would come of a supply, or of a draft file, if it were invoiced today: in words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from app.policy import Kind
from app.reconciliation.advice import Advice
from app.reconciliation.kept_checks import ChallengedRow, KeptCheck
from app.reconciliation.model import LineOutcome
from app.reconciliation.wording import REMEDIES
from app.reference_data.drugs import load_drugs
from app.web.decision import Colour
from app.web.desk.common import TEST_COLOURS, drug_words, outcome_colour
from app.web.form.about import Entry
from app.web.form.fields import NO, YES
from app.web.words import day_words, first_upper, instant_words, number_words, pounds

_FORMS: Final[dict[Kind, str]] = {
    Kind.INITIATION: "Start a request",
    Kind.CONTINUATION: "Open the treatment and continue it",
    Kind.SWITCH: "Open the treatment and switch it",
    Kind.RESUME: "Open the treatment and resume it",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would come of one supply. `form` is where the request that would mend it begins."""

    heading: str
    colour: Colour
    outcome: str
    reason: str
    remedy: str
    form: tuple[str, str] | None
    facts: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, str, Colour, str], ...]


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """The lines of a draft with one outcome, and what that asks for."""

    outcome: str
    colour: Colour
    lines: int
    total: Decimal
    queried: Decimal
    remedy: str


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line that would be challenged. It names no patient."""

    row: int
    day: str
    drug: str
    total: Decimal | None
    queried: Decimal
    outcome: str
    colour: Colour
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What would have come of a draft file when it was checked, with a page of the lines that would
    be challenged. `shown` says which; the addresses lead to others, where there are any."""

    file_name: str
    notes: tuple[str, ...]
    when: str
    lines: int
    challenged: int
    total: Decimal
    accepted: Decimal
    queried: Decimal
    outcomes: tuple[OutcomeRow, ...]
    rows: tuple[LineRow, ...]
    shown: str
    first: bool
    next_after: int | None


_TRUTH: Final = ((YES, "Yes"), (NO, "No"))


def entries(commissioners: Sequence[tuple[str, str]]) -> tuple[Entry, ...]:
    """The fields of one planned supply; what is not known may stay empty."""
    return (
        Entry(("nhs_number",), "text", "NHS number", "10 digits. Spaces do not matter."),
        Entry(("birth_date",), "day", "Date of birth", "For example, 15 3 1984."),
        Entry(("local_id",), "text", "Hospital number", optional=True),
        Entry(
            ("drug",),
            "text",
            "Drug and strength",
            "As your pharmacy writes it, such as Humira 40mg pen, or its dm+d code.",
        ),
        Entry(("supply_date",), "day", "Day of the supply", "For example, 15 6 2026."),
        Entry(("quantity",), "number", "Quantity"),
        Entry(("unit",), "text", "Unit of the quantity", "Such as pen, vial or mg.", optional=True),
        Entry(("total",), "text", "What you would charge, in pounds", optional=True),
        Entry(("unit_price",), "text", "Price of one unit, in pounds", optional=True),
        Entry(("strength",), "text", "Strength", "Such as 40 mg.", optional=True),
        Entry(("vat_charged",), "yes or no", "Is VAT in the price?", options=_TRUTH, optional=True),
        Entry(("homecare",), "yes or no", "Is it homecare?", options=_TRUTH, optional=True),
        Entry(
            ("home_delivery_charge",),
            "text",
            "What of it is for the delivery, in pounds",
            "Within what you would charge.",
            optional=True,
        ),
        Entry(("commissioner",), "one of", "Who pays", options=tuple(commissioners), optional=True),
        Entry(("reference",), "text", "Approval reference", optional=True),
        Entry(("indication_code",), "text", "SNOMED CT code of the indication", optional=True),
        Entry(
            ("care_reason",),
            "text",
            "Why you care for this patient",
            "Fill this in to be told whether another hospital holds an approval. It is kept in the "
            "audit record.",
            optional=True,
        ),
    )


def as_body(typed: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed as the API takes it."""
    answers = {YES: True, NO: False}
    return {
        name: answers.get(value, value) if name in _YES_OR_NO else value
        for name, value in typed.items()
    }


_YES_OR_NO: Final = frozenset({"homecare", "vat_charged"})

#: What is wrong with a field that the check cannot read, by its name.
FAULTS: Final[dict[str, str]] = {
    "nhs_number": "Enter 10 digits, such as 999 000 0018, or leave it empty.",
    "birth_date": "Enter a real day, such as 15 3 1984.",
    "local_id": "Enter the number of at most 20 letters and digits.",
    "drug": "Enter the drug's name, such as Humira 40mg pen. It may have no other signs "
    "than . , / % ( ) + and -.",
    "supply_date": "Enter the day of the supply, such as 15 6 2026.",
    "quantity": "Enter a number above zero, such as 2.",
    "unit": "Enter a unit of at most 20 letters.",
    "total": "Enter an amount above zero without the pound sign, such as 352.14.",
    "unit_price": "Enter an amount above zero without the pound sign, such as 176.07.",
    "strength": "Enter at most 100 letters and digits, such as 40 mg.",
    "vat_charged": "Choose yes or no.",
    "homecare": "Choose yes or no.",
    "home_delivery_charge": "Enter an amount above zero without the pound sign, such as 25.00.",
    "commissioner": "Choose one of the list.",
    "reference": "Enter letters and digits, at most 17.",
    "indication_code": "Enter the code of 6 to 18 digits.",
    "care_reason": "Enter at most 2,000 characters.",
}


def verdict_of(advice: Advice) -> Verdict:
    """What to tell of one planned supply."""
    item = advice.item
    heading, colour = _heading(advice)
    line = item.line
    quantity = "" if line.quantity is None else f"{line.quantity:f} {line.unit or ''}".strip()
    facts = (
        ("Drug, as it was recognised", drug_words(item.recognition.drug)),
        ("Day of the supply", day_words(line.supply_date)),
        ("Quantity", quantity),
        ("Charged", pounds(line.total_cost) if line.total_cost else ""),
        ("Would be queried", pounds(item.queried) if item.queried else ""),
        ("Approval reference", item.reference or ""),
        ("Its continuation is due by", day_words(advice.due) if advice.due else ""),
    )
    return Verdict(
        heading=heading,
        colour=colour,
        outcome=first_upper(item.outcome.value),
        reason=item.reason,
        remedy=item.remedy,
        form=_form(advice),
        facts=tuple((key, value) for key, value in facts if value),
        tests=tuple(
            (
                first_upper(each.name.replace("_", " ")),
                first_upper(each.result.value),
                TEST_COLOURS[each.result],
                first_upper(each.detail),
            )
            for each in item.tests
        ),
    )


def _heading(advice: Advice) -> tuple[str, Colour]:
    if advice.challenged:
        return "It would be challenged", "orange"
    if advice.item.outcome is LineOutcome.AWAITING_DECISION:
        return "It would wait: a request or a query is not decided yet", "blue"
    return "It would not be challenged", "green"


def _form(advice: Advice) -> tuple[str, str] | None:
    """The words and the address of the form that would mend it, where there is one here."""
    kind, treatment = advice.form, advice.item.treatment_id
    if kind not in _FORMS:
        return None
    if kind is not Kind.INITIATION:
        return (_FORMS[kind], f"/treatments/{treatment}") if treatment else None
    known = load_drugs().drugs.get(advice.item.recognition.drug or "")
    query = f"?{urlencode({'q': known.name})}" if known else ""
    return _FORMS[kind], f"/start{query}"


def file_verdict(kept: KeptCheck, after: int) -> FileVerdict:
    """What to tell of a draft file: by outcome, and the challenged lines after so many."""
    whole, rows = kept.whole, kept.rows(after)
    last = after + len(rows)
    return FileVerdict(
        file_name=kept.file_name,
        notes=kept.notes,
        when=instant_words(kept.at),
        lines=whole.lines,
        challenged=kept.challenged,
        total=whole.total,
        accepted=whole.accepted,
        queried=whole.queried,
        outcomes=tuple(
            OutcomeRow(
                first_upper(each.key),
                outcome_colour(each.key),
                each.lines,
                each.total,
                each.queried,
                REMEDIES[LineOutcome(each.key)],
            )
            for each in kept.outcomes
        ),
        rows=tuple(map(_line, rows)),
        shown=f"{number_words(after + 1)} to {number_words(last)}" if rows else "",
        first=after == 0,
        next_after=last if rows and last < kept.challenged else None,
    )


def _line(each: ChallengedRow) -> LineRow:
    return LineRow(
        row=each.row,
        day=day_words(each.day),
        drug=drug_words(each.drug),
        total=each.total,
        queried=each.queried,
        outcome=first_upper(each.outcome.value),
        colour=outcome_colour(each.outcome.value),
        reason=each.reason,
        remedy=each.remedy,
    )
