"""What the demonstration charges: INVENTED demonstration prices, near published list prices.

They are no hospital's prices and no framework's. List prices that they lie near, in the fact
sheets: Humira 40 mg £352.14 for one; natalizumab 300 mg £1,130; obeticholic acid £2,384.04 for 30
tablets of either strength; immunoglobulin about £34 a gram. The codes and names are those of the
packaged drug dictionary.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Pack:
    """One thing that is counted on an invoice: a pen, a vial, 30 tablets."""

    drug: str
    code: str
    name: str
    strength: str
    volume: str
    size: str
    unit: str
    route: str


PACKS: Final[Mapping[str, Pack]] = {
    "pen 0.8": Pack(
        "adalimumab", "11236911000001103",
        "Adalimumab 40mg/0.8ml solution for injection pre-filled disposable devices",
        "40mg", "0.8ml", "2", "pen", "Subcutaneous",
    ),
    "pen 0.4": Pack(
        "adalimumab", "32888111000001102",
        "Adalimumab 40mg/0.4ml solution for injection pre-filled disposable devices",
        "40mg", "0.4ml", "2", "pen", "Subcutaneous",
    ),
    "vial": Pack(
        "natalizumab", "36030311000001108",
        "Natalizumab 300mg/15ml solution for infusion vials",
        "300mg", "15ml", "1", "vial", "Intravenous",
    ),
    "tablets 5": Pack(
        "obeticholic-acid", "34000711000001106", "Obeticholic acid 5mg tablets",
        "5mg", "", "30", "pack", "Oral",
    ),
    "tablets 10": Pack(
        "obeticholic-acid", "34001111000001104", "Obeticholic acid 10mg tablets",
        "10mg", "", "30", "pack", "Oral",
    ),
    "5 g": Pack(
        "immunoglobulin", "15145311000001107",
        "Normal immunoglobulin human 5g/50ml solution for infusion vials",
        "5g", "50ml", "1", "vial", "Intravenous",
    ),
    "10 g": Pack(
        "immunoglobulin", "15145411000001100",
        "Normal immunoglobulin human 10g/100ml solution for infusion vials",
        "10g", "100ml", "1", "vial", "Intravenous",
    ),
    "20 g": Pack(
        "immunoglobulin", "15145611000001102",
        "Normal immunoglobulin human 20g/200ml solution for infusion vials",
        "20g", "200ml", "1", "vial", "Intravenous",
    ),
}  # fmt: skip

_BY_PRODUCT: Final[Mapping[str, Decimal]] = {
    "humira": Decimal("352.14"),
    "amgevita": Decimal("158.40"),
    "imraldi": Decimal("149.95"),
    "hyrimoz": Decimal("151.20"),
    "yuflyma": Decimal("144.60"),
    "idacio": Decimal("139.75"),
    "tysabri": Decimal("1130.00"),
    "tyruko": Decimal("1017.00"),
    "ocaliva": Decimal("2384.04"),
}
_PER_GRAM: Final[Mapping[str, Decimal]] = {
    "privigen": Decimal("33.80"),
    "octagam": Decimal("34.25"),
    "gamunex": Decimal("33.10"),
    "kiovig": Decimal("35.05"),
}
DELIVERY: Final = Decimal("38.50")
VAT: Final = Decimal("1.20")


def supplier_price(pack: Pack, product: str) -> Decimal:
    """The invented price of one unit of the pack before on-costs, without VAT, in pounds."""
    if pack.drug == "immunoglobulin":
        return _PER_GRAM[product] * Decimal(pack.strength.removesuffix("g"))
    return _BY_PRODUCT[product]
