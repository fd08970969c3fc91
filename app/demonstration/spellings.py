"""How lines name what they charge: spellings that real hospitals used, by drug and by kind.

The spellings are those of `demo_spellings.csv` (OpenSAFELY's released names, MIT licence).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from app.demonstration.chance import Chance
from app.demonstration.prices import Pack
from app.reference_data.data_files import read_rows
from app.reference_data.drugs import load_drugs


@dataclass(frozen=True, slots=True)
class Spellings:
    """Real spellings: of each drug's supplies, and of each other kind of charge."""

    supplies: Mapping[str, tuple[str, ...]]
    others: Mapping[str, tuple[str, ...]]
    charges: Mapping[tuple[str, str], tuple[str, ...]]  # kind and drug

    def of_supply(self, pack: Pack, product: str) -> tuple[str, ...]:
        """Those that a hospital could have used for this pack: no other brand, no other size."""
        return tuple(
            name
            for name in self.supplies[pack.drug]
            if _brand_of(name) in (None, product) and _names_size(name, pack)
        )


@cache
def load_spellings() -> Spellings:
    """The packaged spellings."""
    supplies: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    charges: dict[tuple[str, str], list[str]] = {}
    for row in read_rows("demo_spellings.csv", ("name", "drug", "about")):
        name, drug, about = row.required("name"), row.text("drug"), row.required("about")
        if about == "drug":
            supplies.setdefault(drug, []).append(name)
        else:
            others.setdefault(about, []).append(name)
            charges.setdefault((about, drug), []).append(name)
    return Spellings(
        {k: tuple(v) for k, v in supplies.items()},
        {k: tuple(v) for k, v in others.items()},
        {k: tuple(v) for k, v in charges.items()},
    )


def spelling(draw: Chance, pack: Pack, product: str) -> str:
    """A name for a supply: mostly a real spelling, at times the dictionary's own."""
    real = load_spellings().of_supply(pack, product)
    return draw.one_of(real) if real and draw.below(0.85) else pack.name


@cache
def _brand_of(name: str) -> str | None:
    return load_drugs().recognise(None, name, None).product


_SIZES: Final[Mapping[str, tuple[str, ...]]] = {
    "adalimumab": ("20mg", "40mg"),
    "natalizumab": (),
    "obeticholic-acid": ("5mg", "10mg"),
    "immunoglobulin": ("1g", "1.5g", "2g", "2.5g", "3.3g", "4g", "5g", "8g", "10g", "20g"),
}


def _names_size(name: str, pack: Pack) -> bool:
    """Whether the name states no size, or the pack's."""
    close = name.casefold().replace(" ", "")
    stated = {size for size in _SIZES[pack.drug] if _stands_in(size, close)}
    return not stated or pack.strength in stated


def _stands_in(size: str, text: str) -> bool:
    place = text.find(size)
    return place >= 0 and (place == 0 or not (text[place - 1].isdigit() or text[place - 1] == "."))
