"""What a form says beside the policy's questions: the patient, and the treatment. Pure.

Each page is a few fields of the request's body; `put` writes what was typed into a draft's form,
exactly as the API takes it, and `fields` shows what stands there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.policy import Kind, PolicyVersion
from app.web.form.fields import Control, Field, Known
from app.web.form.typed import day_parts, typed_day

PATIENT, TREATMENT = "patient", "treatment"
_SEXES: Final = (
    ("female", "Female"),
    ("male", "Male"),
    ("indeterminate", "Indeterminate"),
    ("not known", "Not known"),
)
_NO_NUMBER: Final = (
    ("newborn", "A newborn without a number yet"),
    ("unregistered", "Not registered with the NHS"),
    ("overseas", "From overseas"),
    ("withheld", "Identity withheld"),
)
_ORIGINS: Final = (
    ("free of charge", "Free of charge from the manufacturer"),
    ("EAMS", "Early access to medicines scheme"),
    ("trial", "A clinical trial"),
    ("private", "Privately"),
    ("overseas", "Overseas"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of the body: where it stands, how it is asked, and whether it may stay empty."""

    path: tuple[str, ...]
    control: Control
    label: str
    hint: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    optional: bool = False

    @property
    def name(self) -> str:
        """Its name in the browser's form."""
        return ".".join(self.path)


#: Asked where the request goes to the commissioner outside the policy.
CASE: Final = Entry(
    ("details", "note"),
    "text",
    "The case for funding outside the policy",
    "Why this patient, and not others like them. Put no patient's name in it.",
)


def patient_entries() -> tuple[Entry, ...]:
    """The patient: an NHS number, or the reason for having none."""
    at = ("patient",)
    return (
        Entry(
            (*at, "nhs_number"),
            "text",
            "NHS number",
            "10 digits, such as 999 000 0018. Spaces do not matter.",
        ),
        Entry((*at, "birth_date"), "day", "Date of birth", "For example, 15 3 1984."),
        Entry((*at, "sex"), "one of", "Sex", options=_SEXES),
        Entry((*at, "local_id"), "text", "Hospital number", optional=True),
        Entry(
            (*at, "no_nhs_number_reason"),
            "one of",
            "Why there is no NHS number",
            "Only if you left the NHS number empty.",
            _NO_NUMBER,
            optional=True,
        ),
    )


def treatment_entries(
    version: PolicyVersion,
    kind: Kind,
    commissioners: Sequence[tuple[str, str]],
    products: Mapping[str, str],
    drugs: Mapping[str, str],
) -> tuple[Entry, ...]:
    """The treatment. `commissioners`, `products` and `drugs` are keys with their names."""
    terms, details = version.approval, ("details",)
    found = [
        Entry(
            ("decision_to_treat",),
            "day",
            "Day of the decision to treat",
            "The policy text in force on this day decides.",
        )
    ]
    if kind is Kind.INITIATION:
        found.append(
            Entry(("commissioner",), "one of", "Who pays for it", options=tuple(commissioners))
        )
    if terms.products:
        named = tuple((key, products.get(key, key)) for key in terms.products)
        found.append(Entry((*details, "product"), "one of", "Product", None, named, optional=True))
    if terms.best_value is not None:
        found.append(
            Entry(
                (*details, "product_reason"),
                "one of",
                "Why another product than the one to be used first",
                "Only if you chose another product.",
                tuple(terms.best_value.reasons.items()),
                optional=True,
            )
        )
    if kind is Kind.INITIATION:
        found += _first_request(version, drugs)
    found.append(
        Entry(
            (*details, "registry_id"),
            "text",
            "The patient's number in the disease registry or database",
            "If the policy reports to one.",
            optional=True,
        )
    )
    return tuple(found)


def _first_request(version: PolicyVersion, drugs: Mapping[str, str]) -> list[Entry]:
    terms, details = version.approval, ("details",)
    found = [
        Entry(
            ("first_dose",),
            "day",
            "Day of the first dose",
            "Only if it has been given already.",
            optional=True,
        )
    ]
    if terms.retrospective_reasons:
        found.append(
            Entry(
                ("retrospective_reason",),
                "one of",
                "Why the form comes after the first dose",
                None,
                tuple(terms.retrospective_reasons.items()),
                optional=True,
            )
        )
    barred = sorted({drug for each in terms.barred_with for drug in each.drugs})
    if barred:
        found.append(
            Entry(
                (*details, "switching_from"),
                "one of",
                "The drug that the patient switches from",
                "Only if your approval for it is to end when this one begins.",
                tuple((key, drugs.get(key, key)) for key in barred),
                optional=True,
            )
        )
    if terms.conversion is not None:
        found += [
            Entry(
                (*details, "started_under"),
                "one of",
                "Who paid until now, if the treatment began outside NHS funding",
                None,
                _ORIGINS,
                optional=True,
            ),
            Entry(
                (*details, "started_on"),
                "day",
                "Day of the first dose under that funding",
                None,
                optional=True,
            ),
        ]
    return found


def put(
    form: Mapping[str, Any], entries: Sequence[Entry], posted: Mapping[str, str]
) -> dict[str, Any]:
    """The draft's form with what was typed on this page; what was emptied is taken out."""
    made: dict[str, Any] = {**form}
    for entry in entries:
        if entry.control == "day":
            value = typed_day(entry.name, posted)
        else:
            value = posted.get(entry.name, "").strip() or None
        *above, last = entry.path
        place = made
        for part in above:
            inner = place.get(part)
            place[part] = dict(inner) if isinstance(inner, Mapping) else {}
            place = place[part]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return made


def stored(form: Mapping[str, Any], entry: Entry) -> Any:
    """What stands in the draft for an entry; None: nothing."""
    place: Any = form
    for part in entry.path:
        place = place.get(part) if isinstance(place, Mapping) else None
    return place


def fields(
    entries: Sequence[Entry],
    form: Mapping[str, Any],
    wrong: Mapping[str, str],
    known: Mapping[str, Known] | None = None,
) -> tuple[Field, ...]:
    """The fields of the page, with what is wrong, and what is on record, by entry name."""
    told = known or {}
    return tuple(
        _field(each, stored(form, each), wrong.get(each.name), told.get(each.name))
        for each in entries
    )


def _field(entry: Entry, value: Any, error: str | None, known: Known | None) -> Field:
    is_day = entry.control == "day"
    return Field(
        name=entry.name,
        id=f"{entry.name}-day" if is_day else entry.name,
        control=entry.control,
        label=entry.label,
        hint=entry.hint,
        value="" if is_day or value is None else str(value),
        options=entry.options,
        parts=day_parts(value) if is_day else {},
        error=error,
        known=known,
        optional=entry.optional,
    )
