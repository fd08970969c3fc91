"""Strength, form and pack as written in a drug's name. Numbers stay text, so nothing is rounded."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.reference_data.data_files import read_rows
from app.reference_data.text import plain, words_of

_NUMBER = r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+"
_UNITS = {
    "mg": "mg",
    "mgs": "mg",
    "milligram": "mg",
    "milligrams": "mg",
    "g": "g",
    "gm": "g",
    "gram": "g",
    "grams": "g",
    "mcg": "microgram",
    "ug": "microgram",
    "microgram": "microgram",
    "micrograms": "microgram",
    "ng": "nanogram",
    "nanogram": "nanogram",
    "nanograms": "nanogram",
    "unit": "units",
    "units": "units",
    "iu": "units",
    "million units": "million units",
    "million unit": "million units",
    "megaunits": "million units",
    "mega units": "million units",
    "mega unit": "million units",
    "mmol": "mmol",
}
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_AMOUNT = re.compile(
    rf"(?<![0-9.,])(?P<number>{_NUMBER})\s*(?P<unit>{_UNIT})(?![a-z])"
    rf"(?:\s*(?:/|-|\bin\b)\s*(?P<volume>{_NUMBER})?\s*(?P<per>mls?|litres?|l)(?![a-z]))?"
)
# A unit glued to the next word ("40mgPEN") still ends the amount.
_GLUED = re.compile(r"(?<=[0-9])\s*(mg|mcg|g|ml)(?=(?:tab|cap|pen|inj|vial|pfs|syr|in[0-9]))")
_PERCENT = re.compile(rf"(?<![0-9.,])(?P<number>{_NUMBER})\s*%")
_DILUENTS = frozenset({"0.9", "0.45", "0.18"})
_PACKS = (
    re.compile(r"[(\[<]\s*x?\s*([0-9]{1,3})\s*[)\]>]"),
    re.compile(
        r"(?<![0-9.])([0-9]{1,3})\s*(?:tabs?|tablets?|caps?|capsules?|vials?|bottles?|syringes?"
        r"|pens?|amps?|ampoules?|sachets?|pre-filled disposable injections?)\s*(?:\)|pack|$)"
    ),
    re.compile(r"(?<![a-z0-9])x\s*([0-9]{1,3})(?![0-9.]|\s*(?:mg|g|ml))"),
    re.compile(r"(?<![0-9.])([0-9]{1,3})\s*x\s*[0-9]"),
)


@dataclass(frozen=True, slots=True)
class FormTable:
    """Dosage forms by the words that name them, longest first."""

    rows: tuple[tuple[tuple[str, ...], str], ...]

    @property
    def words(self) -> frozenset[str]:
        """Every word that occurs in a form."""
        return frozenset(word for words, _ in self.rows for word in words)

    def find(self, words: tuple[str, ...]) -> str | None:
        """The form named by the longest run of words; the earlier row wins a tie."""
        for pattern, form in self.rows:
            size = len(pattern)
            if any(words[at : at + size] == pattern for at in range(len(words) - size + 1)):
                return form
        return None


def load_forms() -> FormTable:
    """The packaged table of dosage forms."""
    rows = [
        (words_of(row.required("words")), row.required("form"))
        for row in read_rows("forms.csv", ("words", "form"))
    ]
    return FormTable(tuple(sorted(rows, key=lambda row: -len(row[0]))))


def strength_of(name: str) -> str | None:
    """The strength as `40mg/0.8ml`, `10mg` or `10%`, or None.

    A percentage counts only where no amount is written, and the common diluents' never do.
    """
    text = _GLUED.sub(r"\1 ", plain(name))
    amount = _AMOUNT.search(text)
    if amount:
        return _written_amount(amount)
    percents: Iterable[str] = (found["number"] for found in _PERCENT.finditer(text))
    return next((f"{number}%" for number in percents if number not in _DILUENTS), None)


def _written_amount(amount: re.Match[str]) -> str:
    """One spelling for each amount: canonical units, no spaces, no thousands commas."""
    text = amount["number"].replace(",", "") + _UNITS[amount["unit"]]
    if amount["per"]:
        volume = (amount["volume"] or "").replace(",", "")
        text += f"/{volume}{'ml' if amount['per'].startswith('ml') else 'l'}"
    return text


def pack_of(name: str) -> str | None:
    """The number of items in the pack where the name states one (`(2)`, `x1`, `30 tablets`)."""
    text = plain(name)
    for pattern in _PACKS:
        found = pattern.search(text)
        if found:
            return found[1]
    return None
