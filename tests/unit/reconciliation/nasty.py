"""Random submissions and approvals that lie across each other, for comparing the engines.

Lines are built without a file, so that thousands are drawn in a minute; every value is one that the
intake gives. Two patients, two providers and two drugs make collisions the rule.
"""

import datetime as dt
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from app.reconciliation import (
    ContractLine,
    Coverage,
    LineOutcome,
    PendingRequest,
    PolicyHeld,
    Snapshot,
)
from app.reconciliation.engines.by_hand import approval_digest, coverages_of
from app.reconciliation.engines.index import index_snapshot
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import (
    DecisionKind,
    DoseLimit,
    Earlier,
    EarlierCharge,
    EarlierFee,
    EarlierSpaced,
    EarlierSupply,
    FieldFault,
    LineDecision,
    UsedQuantity,
)
from app.reconciliation.terms_model import (
    AgreedPrice,
    Basis,
    ContractTerm,
    ResponsiblePayer,
    SupplyTerm,
    SupplyTermKind,
    Terms,
)
from tests.unit.reconciliation.builders import OTHER_PATIENT, PATIENT, coverage, pending, policy

START = dt.date(2025, 4, 1)
PROVIDERS = ("DEMO1", "DEMO2", "DEMO101", "ZZ9")
DRUGS = ("TYSABRI 300mg", "natalizumab (tyruko)", "natalizumab", "natalizumab", "adalimumab")
OTHERS = ("NATALIZUMAB (FOC)", "delivery", "Frob", "")
FEES = ("delivery", "courier", "dispensing fee", "TYSABRI delivery charge", "nursing visit")
AMOUNTS = (
    *("1000", "1000", "1000", "250.005", "250.005", "0.01", "0", "333.33", "100000.12345678"),
    *("1000", "333.33", "-1000"),
)
#: Two routes of the table, a code that it does not know, a damaged one, words, and none.
ROUTES = (*(("47625008",) * 6), "34206005", "38239002", "38239001", "Subcutaneous", None)
QUANTITIES = ("1", "2.5", "3", "-1", "0", "7.125", None)


class Draw:
    """Choices from a seed. `Hypothesis` gives its own source of randomness."""

    def __init__(self, source: random.Random) -> None:
        self.source = source

    def one(self, *choices: Any) -> Any:
        return self.source.choice(choices)

    def maybe(self, value: Any, often: float = 0.5) -> Any:
        return value if self.source.random() < often else None

    def day(self, low: int = -60, high: int = 150) -> dt.date:
        return START + dt.timedelta(days=self.source.randint(low, high))

    def amount(self, *texts: str | None) -> Decimal | None:
        text = self.source.choice(texts)
        return None if text is None else Decimal(text)


def lines(draw: Draw, most: int = 12) -> tuple[ContractLine, ...]:
    """Lines that repeat, contradict, reverse and lack things."""
    drawn = [_line(draw) for _ in range(draw.source.randint(1, most))]
    for _ in range(draw.source.randint(0, 3)):
        drawn.append(_fee(draw, draw.source.choice(drawn)))
    for _ in range(draw.source.randint(0, 4)):
        drawn.append(draw.source.choice(drawn))
    for _ in range(draw.source.randint(0, 2)):
        charge = draw.source.choice(drawn)
        if charge.total_cost:
            drawn.append(rehashed(replace(charge, total_cost=-charge.total_cost)))
    draw.source.shuffle(drawn)
    return tuple(replace(line, row=row) for row, line in enumerate(drawn, 1))


def _line(draw: Draw) -> ContractLine:
    if draw.source.random() < 0.03:
        why = FieldFault("row", "", "the cells do not stand under their headers")
        return ContractLine(1, _digest(str(draw.source.random())), (), shifted=True, faults=(why,))
    dated = draw.source.random() < 0.85
    month = draw.maybe(draw.source.randint(1, 4), 0.9)
    values: dict[str, Any] = {
        "financial_year": "202526" if month else None,
        "financial_month": month,
        "provider": draw.one(*PROVIDERS, "DEMO1", "DEMO1", None),
        "commissioner": draw.one("DEMQ1", "DEMQ2", None),
        "nhs_number": draw.one(PATIENT, PATIENT, OTHER_PATIENT, None),
        "local_patient_id": draw.one("L001", "L001", "L002", None),
        "withheld_reason": draw.maybe("02", 0.1),
        "birth_date": draw.one(dt.date(1980, 2, 3), None, dt.date(1999, 9, 9)),
        "supply_date": draw.day() if dated else None,
        "delivery_date": draw.maybe(draw.day(), 0.3),
        "invoice_date": draw.maybe(draw.day(), 0.3),
        "indication_code": draw.one(None, None, "426373005", "24700007"),
        "route": draw.one(*ROUTES),
        "drug_code": draw.one(None, None, "12345678"),
        "drug_name": draw.one(*DRUGS, *DRUGS, *DRUGS, *DRUGS, *OTHERS),
        "quantity": draw.amount(*QUANTITIES),
        "unit": draw.one("vial", "vial", "vial", "Vial.", "mg", None),
        "strength": draw.one("300mg", "300 MG", "150mg", None),
        "reference": draw.one(None, None, "PA1", "PA2", "OLD9", "NOBODYS"),
        "unit_price": draw.amount("1000", "1000", "799.99", "800", "0", None, "1250.5"),
        "home_delivery_charge": draw.amount("0", "10", None, "-3"),
        "vat_charged": draw.one(True, False, None),
        "total_cost": draw.amount(*AMOUNTS, *AMOUNTS, None),
        "point_of_delivery": draw.one("DRUG", "DEVICE"),
        "dispensing_route": draw.one("4", "4", "1", None),
    }
    return rehashed(ContractLine(1, "", (), **values))


def _fee(draw: Draw, of: ContractLine) -> ContractLine:
    """A fee on a line of its own, most for the supply of another line."""
    if of.shifted:
        return of
    moved = of.supply_date and of.supply_date + dt.timedelta(days=draw.one(0, 0, 0, 3, -9))
    return rehashed(
        replace(
            of,
            supply_date=moved,
            drug_name=draw.one(*FEES),
            drug_code=None,
            total_cost=draw.amount("5", "9.99", "10.01", "10.005", "33.333", "0", None),
            home_delivery_charge=None,
            local_patient_id=draw.one(of.local_patient_id, of.local_patient_id, "L001", None),
        )
    )


def _credit_of(fee: ContractLine) -> ContractLine:
    """The fee taken back whole."""
    total = fee.total_cost
    return rehashed(replace(fee, drug_name=f"{fee.drug_name} credit", total_cost=total and -total))


def rehashed(line: ContractLine) -> ContractLine:
    """The line with its content's hash, as the intake makes it."""
    names = [f.name for f in fields(line) if f.name not in ("row", "content_hash", "raw")]
    if line.supply_date or line.delivery_date or line.invoice_date:
        names = [name for name in names if not name.startswith("financial_")]
    return replace(line, content_hash=_digest(repr([getattr(line, name) for name in names])))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def snapshot(draw: Draw, most: int = 8) -> Snapshot:
    """Approvals that nest and overlap, with waiting requests and policies."""
    return Snapshot(
        tuple(_coverage(draw) for _ in range(draw.source.randint(0, most))),
        tuple(_pending(draw) for _ in range(draw.source.randint(0, 2))),
        tuple(_policy(draw) for _ in range(draw.source.randint(1, 4))),
        START + dt.timedelta(days=120),
        terms=_terms(draw),
        layout="drplcm-v3",
    )


def _terms(draw: Draw) -> Terms:
    """Contract terms that are silent, disagree and end; and rows of who pays."""
    contracts = tuple(
        ContractTerm(
            commissioner=draw.one("DEMQ1", "DEMQ2"),
            provider=draw.one("DEMO1", "DEMO2"),
            drug=draw.one("natalizumab", "adalimumab", "*"),
            basis=draw.one(Basis.PASS_THROUGH, Basis.PASS_THROUGH, Basis.BLOCK),
            from_=draw.maybe(draw.day(), 0.5),
            to=draw.maybe(draw.day(), 0.3),
            source="nasty",
            demonstration=True,
        )
        for _ in range(draw.source.randint(0, 2))
    )
    among = frozenset({"DEMQ1", "DEMQ2"})
    payer = ResponsiblePayer(
        "DEMQ1", "natalizumab", among, "DEMQ2", draw.day(), None, "nasty", True
    )
    prices = draw.one((), tuple(_price(draw) for _ in range(draw.source.randint(1, 6))))
    supplies = tuple(_supply(draw) for _ in range(draw.source.randint(0, 5)))
    supplies += draw.one((), tuple(map(_of_all, AGREED.items())))
    return Terms(contracts, draw.one((), (payer,)), prices=prices, supplies=supplies)


def _supply(draw: Draw) -> SupplyTerm:
    """Charges for deliveries and tolerances that clash, end and lie in each other."""
    kind = draw.one(*SupplyTermKind)
    return SupplyTerm(
        commissioner=draw.one("DEMQ1", "DEMQ1", "DEMQ2"),
        kind=kind,
        amount=draw.amount("0", "5", "9.99", "10", "33.333"),
        from_=draw.maybe(draw.day(), 0.5),
        to=draw.maybe(draw.day(60, 200), 0.3),
        source="nasty",
        demonstration=True,
        provider=draw.one(None, None, "DEMO1"),
        drug=draw.one(None, "natalizumab"),
    )


AGREED = {
    SupplyTermKind.HOME_DELIVERY: "10",
    SupplyTermKind.DISPENSING_FEE: "5",
    SupplyTermKind.SERVICE_FEE: "9.99",
    SupplyTermKind.FEE_DAYS: "3",
    SupplyTermKind.DAYS_EARLY: "2",
    SupplyTermKind.AFTER_STOP: "14",
    SupplyTermKind.AFTER_DEATH: "7",
    SupplyTermKind.INVOICE_DAYS: "14",
}


def _of_all(agreed: tuple[SupplyTermKind, str]) -> SupplyTerm:
    """A term of every drug and provider, always."""
    return SupplyTerm("DEMQ1", agreed[0], Decimal(agreed[1]), None, None, "nasty", True)


def _calm(draw: Draw) -> tuple[tuple[ContractLine, ...], tuple[Coverage, ...]]:
    """Supplies that stand on one approval, days apart, with their fees and a credit or two."""
    whole = _clean(draw)
    drawn: list[ContractLine] = []
    for _ in range(draw.source.randint(1, 5)):
        day = START + dt.timedelta(days=draw.one(0, 10, 26, 27, 28, 40, 55))
        quantity = draw.amount("1", "1", "0.5", "2", None)
        supply = rehashed(replace(whole, supply_date=day, quantity=quantity))
        fees = [_fee(draw, supply) for _ in range(draw.source.randint(0, 2))]
        drawn += [supply, *fees, *(_credit_of(each) for each in fees if draw.one(0, 0, 1))]
        if draw.source.random() < 0.15:
            drawn.append(rehashed(replace(supply, total_cost=Decimal(-1000))))
    draw.source.shuffle(drawn)
    held = coverage(
        product=None,
        products=frozenset(),
        to=None,
        max_supply_days=draw.one(28, 56, None),
        dose_limits=(DoseLimit(START, None, Decimal(1), "vial", Decimal(28)),),
        quantity_cap=draw.amount(None, None, "3"),
        quantity_unit="vial",
    )
    return tuple(replace(line, row=row) for row, line in enumerate(drawn, 1)), (held,)


def _clean(draw: Draw) -> ContractLine:
    """A clean supply of natalizumab of the first patient."""
    return ContractLine(
        1,
        "",
        (),
        provider="DEMO1",
        commissioner="DEMQ1",
        nhs_number=draw.one(PATIENT, PATIENT, None),
        local_patient_id="L001",
        supply_date=START,
        drug_name="natalizumab",
        unit="vial",
        unit_price=Decimal(1000),
        total_cost=Decimal(1000),
        home_delivery_charge=draw.amount("0", "0", None, "8"),
        dispensing_route="4",
    )


def _price(draw: Draw) -> AgreedPrice:
    """Prices of two frameworks that clash, follow each other, run off and lie in each other."""
    begins = draw.maybe(draw.day(), 0.6)
    ends = draw.maybe((begins or START) + dt.timedelta(days=draw.one(0, 10, 40, 90)), 0.6)
    return AgreedPrice(
        commissioner=draw.one("DEMQ1", "DEMQ1", "DEMQ2"),
        framework=draw.one("north", "south"),
        drug=draw.one("natalizumab", "natalizumab", "adalimumab"),
        unit=draw.one("vial", "vial", "VIAL", "mg"),
        price=draw.amount("790", "799.99", "1000", "0", "1200.12345678", "1250"),
        from_=begins,
        to=ends,
        source="nasty",
        demonstration=True,
        provider=draw.one(None, None, "DEMO1"),
        drug_code=draw.one(None, None, None, "12345678"),
        product=draw.one(None, None, "tysabri"),
        strength=draw.one(None, None, None, "300 mg"),
        run_off_days=draw.one(0, 0, 14, 60),
        tolerance_percent=draw.amount("0", "0", "2.5", "0.333"),
        tolerance_pence=draw.amount("0", "0", "1", "50"),
    )


def _coverage(draw: Draw) -> Coverage:
    begins = draw.day(-200, 100)
    ends = draw.maybe(begins + dt.timedelta(days=draw.one(5, 30, 90, 365, 400)), 0.85)
    chosen: dict[str, Any] = {
        "treatment_id": draw.one("T1", "T2", "T3"),
        "approval_reference": draw.one("PA1", "PA2", "PA-3", None),
        "legacy_references": draw.one((), ("OLD9",), ("OLD-9", "PA1")),
        "nhs_number": draw.one(PATIENT, PATIENT, OTHER_PATIENT, None),
        "local_ids": draw.one(
            frozenset(), frozenset({("demo1", "l0 01")}), frozenset({("DEMO2", "L002")})
        ),
        "birth_date": draw.one(dt.date(1980, 2, 3), None),
        "drug": draw.one("natalizumab", "natalizumab", "adalimumab"),
        "from_": begins,
        "to": ends,
        "grace_to": draw.maybe(ends + dt.timedelta(days=28) if ends else None, 0.3),
        "provider": draw.one("DEMO1", "DEMO1", "DEMO2", "DEMO101"),
        "supplying_providers": draw.one(
            frozenset(), frozenset({"DEMO2"}), frozenset({"DEMO2", "ZZ9"})
        ),
        "status": draw.one("live", "live", "ended", "withdrawn", "imported"),
        "indication_snomed": draw.one("426373005", None),
        "late": draw.source.random() < 0.3,
        "under_query": draw.source.random() < 0.1,
        "interchangeable": draw.one(True, False),
        "product": draw.one("tysabri", "tyruko", None),
        "products": draw.one(frozenset(), frozenset({"tysabri", "tyruko"})),
        "funding_origin": draw.one("NHS", "nhs", "NHS", "NHS", "NHS", "trial"),
        "continuation_due": draw.maybe(draw.day(), 0.3),
        "continuation_submitted": draw.one(True, False),
        "unit_price_cap": draw.amount(None, "800", "799.995"),
        "price_unit": draw.one("vial", "vial", "VIAL", None),
        "quantity_cap": draw.amount(None, "2", "5.5", "0"),
        "quantity_unit": draw.one("vial", "vial", "mg", None),
        "paused": draw.one((), (), ((START, START),), ((START, None),), _pause(draw)),
        "max_supply_days": draw.one(None, 28, 90),
        "dose_limits": draw.one((), _doses(draw)),
        "stopped": ends is not None and draw.source.random() < 0.3,
        "died_on": draw.maybe(draw.day(), 0.2),
        "route": draw.one(*ROUTES, *ROUTES, "intravenous"),
        "start_by": draw.maybe(draw.day(-120, 40), 0.5),
        "first_dose": draw.maybe(draw.day(-120, 150), 0.6),
        "commissioner": draw.one("DEMQ1", "DEMQ1", "DEMQ2", "DEMS1"),
    }
    return coverage(**chosen)


def _pause(draw: Draw) -> tuple[tuple[dt.date, dt.date], ...]:
    begins = draw.day()
    return ((begins, begins + dt.timedelta(days=10)),)


def _doses(draw: Draw) -> tuple[DoseLimit, ...]:
    turn = draw.day()
    first = DoseLimit(
        START - dt.timedelta(days=300), turn, Decimal(1), "vial", Decimal(28), "start"
    )
    then = DoseLimit(turn, None, draw.one(Decimal(1), Decimal("0.5")), "vial", Decimal(28))
    return draw.one((first, then), (first,), (then, replace(then, unit="mg")))


def _pending(draw: Draw) -> PendingRequest:
    return pending(
        request_id=draw.one("R1", "R2"),
        nhs_number=draw.one(PATIENT, OTHER_PATIENT, None),
        local_ids=draw.one(frozenset(), frozenset({("DEMO1", "L001")})),
        kind=draw.one("initiation", "transfer", "transfer", "stop"),
        provider=draw.one("DEMO1", "DEMO2"),
        drug=draw.one("natalizumab", "natalizumab", "adalimumab"),
        submitted_on=draw.day(),
    )


def _policy(draw: Draw) -> PolicyHeld:
    return policy(
        draw.one("natalizumab", "natalizumab", "adalimumab"),
        approval_required=draw.one(True, True, True, True, False),
        from_=draw.one(dt.date(2020, 1, 1), draw.day()),
        to=draw.maybe(draw.day(100, 300), 0.3),
        commissioner=draw.one(None, None, "DEMQ1"),
    )


def one_case(source: random.Random) -> tuple[tuple[ContractLine, ...], Snapshot]:
    """A submission and the approvals that it is matched against."""
    draw = Draw(source)
    drawn, held = lines(draw), snapshot(draw)
    if source.random() < 0.25:
        drawn, coverages = _calm(draw)
        held = replace(held, coverages=coverages)
    return drawn, held


def tied_case(source: random.Random) -> tuple[tuple[ContractLine, ...], Snapshot]:
    """Supplies of one patient on one day or two that compete for what an approval has left.

    Some are stated twice; credits give back an amount that several of them have.
    """
    draw = Draw(source)
    whole, held = _clean(draw), snapshot(draw)
    drawn: list[ContractLine] = []
    for _ in range(draw.source.randint(2, 6)):
        changes: dict[str, Any] = {
            "supply_date": START + dt.timedelta(days=draw.one(0, 0, 0, 1)),
            "quantity": draw.amount("1", "0.5", "2", "1.125", None),
            "total_cost": draw.amount("1000", "1000", "333.33"),
            "unit_price": draw.amount("1000", "799.99", None),
            "reference": draw.one(None, "PA1"),
        }
        drawn.append(rehashed(replace(whole, **changes)))
    drawn += [draw.source.choice(drawn) for _ in range(draw.source.randint(0, 3))]
    for _ in range(draw.source.randint(0, 2)):
        of = draw.source.choice(drawn)
        drawn.append(rehashed(replace(of, total_cost=-(of.total_cost or Decimal(1)))))
    draw.source.shuffle(drawn)
    capped = coverage(
        approval_reference="PA1",
        product=None,
        products=frozenset(),
        quantity_cap=draw.amount("2", "3", "1.5"),
        quantity_unit="vial",
        unit_price_cap=draw.amount(None, "800"),
        price_unit="vial",
    )
    lines_ = tuple(replace(line, row=row) for row, line in enumerate(drawn, 1))
    return lines_, replace(held, coverages=(capped,))


def packed(source: random.Random, cases: int) -> tuple[tuple[ContractLine, ...], Snapshot]:
    """Many cases as one submission that share their policies and no patient, id or reference."""
    return packed_of(source, [one_case(source) for _ in range(cases)])


def packed_of(
    source: random.Random, cases: Sequence[tuple[tuple[ContractLine, ...], Snapshot]]
) -> tuple[tuple[ContractLine, ...], Snapshot]:
    """These cases as one submission, one after the other; with decisions and earlier lines."""
    together, snap = pack(cases)
    draw = Draw(source)
    decisions = decisions_drawn(draw, together, snap)
    return together, replace(snap, decisions=decisions, earlier=_earlier(draw, together, snap))


def _earlier(draw: Draw, lines_: Sequence[ContractLine], snap: Snapshot) -> Earlier:
    """What earlier submissions said of some approvals, lines and credits."""
    references = sorted({c.approval_reference for c in snap.coverages if c.approval_reference})
    used = tuple(
        UsedQuantity(ref, draw.one("vial", "vial", "mg"), Decimal(draw.one("1", "2.125", "40")))
        for ref in draw.source.sample(references, len(references) // 3)
    )
    charges = tuple(
        _charge(draw, line, used)
        for line in lines_
        if line.total_cost and (line.total_cost < 0 or draw.source.random() < 0.05)
        for _ in range(draw.one(0, 0, 1, 2))
    )
    hashes = [line.content_hash for line in lines_]
    fees = [line for line in lines_ if line.drug_name in FEES and line.provider]
    charged = draw.source.sample(fees, len(fees) // 3)
    supplies = tuple(_supplied_before(draw, of) for of in charged)
    paid = tuple(
        _fee_before(draw, n, of)
        for n, of in enumerate(charged)
        if "home delivery" in supplies[n].paid
    )
    stated = frozenset(draw.source.sample(hashes, len(hashes) // 12))
    # Some state the same as a charge or a fee that stands, and that a credit may give back.
    stated |= {each.content_hash for each in (*charges, *paid)} & set(hashes)
    spaced = tuple(
        EarlierSpaced(draw.one("T1", "T2", "T3"), draw.day(), draw.one(None, 0, 14, 28), charge)
        for charge in draw.one((), (None,), (None, 0), (0, 1))
    )
    return Earlier(used, charges, stated, supplies, spaced, paid)


def _supplied_before(draw: Draw, fee: ContractLine) -> EarlierSupply:
    """A supply that the fee may be for, of an earlier submission."""
    first = (fee.supply_date or draw.day()) - dt.timedelta(days=draw.one(0, 0, 2, 9))
    return EarlierSupply(
        content_hash=_digest(str(draw.source.random())),
        nhs_number=draw.one(fee.nhs_number, fee.nhs_number, None),
        local_patient_id=draw.one(fee.local_patient_id, None),
        provider=fee.provider,
        commissioner=draw.one("DEMQ1", "DEMQ2"),
        drug=draw.one("natalizumab", "natalizumab", "adalimumab"),
        first=first,
        last=first + dt.timedelta(days=draw.one(0, 0, 29)),
        paid=draw.one(frozenset(), frozenset(), frozenset({"home delivery"})),
        charge=draw.one(None, None, 0),
    )


def _fee_before(draw: Draw, supply: int, fee: ContractLine) -> EarlierFee:
    """What an earlier supply was paid for: most such as a credit of the fee gives back."""
    return EarlierFee(
        nhs_number=draw.one(fee.nhs_number, fee.nhs_number, None),
        local_patient_id=draw.one(fee.local_patient_id, None),
        reference=draw.one(fee.reference, None),
        provider=draw.one(fee.provider, fee.provider, "DEMO2"),
        commissioner=draw.one(fee.commissioner, fee.commissioner, "DEMQ2"),
        drug=draw.one(None, None, "natalizumab"),
        sort="home delivery",
        amount=abs(fee.total_cost or Decimal(5)),
        day=draw.maybe(fee.supply_date),
        supply=draw.one(supply, supply, None),
        content_hash=draw.one(fee.content_hash, ""),
    )


def _charge(draw: Draw, line: ContractLine, used: Sequence[UsedQuantity]) -> EarlierCharge:
    """A charge that a credit, or a line that is none, may seem to give back."""
    took = draw.maybe(draw.source.choice(used), 0.5) if used else None
    return EarlierCharge(
        content_hash=draw.one(_digest(str(draw.source.random())), line.content_hash),
        nhs_number=draw.one(line.nhs_number, line.nhs_number, None),
        local_patient_id=draw.one(line.local_patient_id, None),
        reference=draw.one(line.reference, None),
        provider=draw.one("DEMO1", "DEMO1", "DEMO2", None),
        drug=draw.one("natalizumab", "natalizumab", "adalimumab"),
        amount=abs(line.total_cost or Decimal(1)),
        day=draw.maybe(draw.day()),
        uses=took and replace(took, quantity=Decimal(1)),
    )


Case = tuple[tuple[ContractLine, ...], Snapshot]


def pack(cases: Sequence[Case]) -> Case:
    """Cases as one, each with patients, ids and references of its own; the first one's policies."""
    apart = [_apart(number, *case) for number, case in enumerate(cases)]
    together = tuple(line for its_lines, _ in apart for line in its_lines)
    charges, supplies, spaced, fees = [], [], [], []
    for _, its in apart:
        fees += [
            each if each.supply is None else replace(each, supply=each.supply + len(supplies))
            for each in its.earlier.fees
        ]
        supplies += [_after(each, len(charges)) for each in its.earlier.supplies]
        spaced += [_after(each, len(charges)) for each in its.earlier.spaced]
        charges += its.earlier.charges
    return together, replace(
        cases[0][1],
        coverages=tuple(each for _, its in apart for each in its.coverages),
        pending=tuple(each for _, its in apart for each in its.pending),
        decisions=tuple(each for _, its in apart for each in its.decisions),
        earlier=Earlier(
            tuple(each for _, its in apart for each in its.earlier.used),
            tuple(charges),
            frozenset(each for _, its in apart for each in its.earlier.stated),
            tuple(supplies),
            tuple(spaced),
            tuple(fees),
        ),
    )


def _after(each: Any, others: int) -> Any:
    """What is said of a charge, with so many charges put before it."""
    return each if each.charge is None else replace(each, charge=each.charge + others)


OUTCOMES = (
    *(
        LineOutcome.MATCHED,
        LineOutcome.NO_APPROVAL,
        LineOutcome.OVER_PRICE,
        LineOutcome.NO_POLICY_HELD,
    ),
    *(LineOutcome.NOT_A_DRUG_LINE, LineOutcome.DUPLICATE_LINE, LineOutcome.OVER_QUANTITY),
)


def decisions_drawn(
    draw: Draw, lines_: Sequence[ContractLine], snap: Snapshot
) -> tuple[LineDecision, ...]:
    """Decisions by hand on some lines; some of them stale, some impossible."""
    index = index_snapshot(snap)
    keys = sorted(set(filter(None, keys_of(lines_))))
    references = [c.approval_reference for c in snap.coverages if c.approval_reference]
    made = []
    for key in draw.source.sample(keys, len(keys) // 8):
        kind = draw.one(DecisionKind.MATCH, DecisionKind.ACCEPT, DecisionKind.QUERY)
        if kind is not DecisionKind.MATCH or not references:
            kind = draw.one(DecisionKind.ACCEPT, DecisionKind.QUERY)
            made.append(LineDecision(key, kind, draw.one(*OUTCOMES)))
            continue
        named = draw.source.choice(references)
        terms = approval_digest(coverages_of(index, named))
        made.append(
            LineDecision(key, kind, draw.one(*OUTCOMES), named, draw.one(terms, terms, "changed"))
        )
    return tuple(made)


def _apart(
    number: int, lines_: tuple[ContractLine, ...], snap: Snapshot
) -> tuple[tuple[ContractLine, ...], Snapshot]:
    """A case with patients, local ids and references of its own."""

    def own(text: str | None) -> str | None:
        return None if text is None else f"{text}Z{number}"

    def ids(pairs: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return frozenset((org, f"{local}Z{number}") for org, local in pairs)

    moved = tuple(
        rehashed(
            replace(
                line,
                nhs_number=own(line.nhs_number),
                local_patient_id=own(line.local_patient_id),
                reference=own(line.reference),
            )
        )
        for line in lines_
    )
    hashes = {was.content_hash: now.content_hash for was, now in zip(lines_, moved, strict=True)}

    def used(one: UsedQuantity) -> UsedQuantity:
        return replace(one, approval_reference=f"{one.approval_reference}Z{number}")

    earlier = Earlier(
        tuple(map(used, snap.earlier.used)),
        tuple(
            replace(
                each,
                nhs_number=own(each.nhs_number),
                local_patient_id=own(each.local_patient_id),
                reference=own(each.reference),
                uses=each.uses and used(each.uses),
                content_hash=hashes.get(each.content_hash, each.content_hash),
            )
            for each in snap.earlier.charges
        ),
        frozenset(hashes[each] for each in snap.earlier.stated),
        tuple(
            replace(
                each,
                nhs_number=own(each.nhs_number),
                local_patient_id=own(each.local_patient_id),
            )
            for each in snap.earlier.supplies
        ),
        snap.earlier.spaced,
        tuple(
            replace(
                each,
                nhs_number=own(each.nhs_number),
                local_patient_id=own(each.local_patient_id),
                reference=own(each.reference),
                content_hash=hashes.get(each.content_hash, each.content_hash),
            )
            for each in snap.earlier.fees
        ),
    )
    held = replace(
        snap,
        earlier=earlier,
        coverages=tuple(
            replace(
                each,
                nhs_number=own(each.nhs_number),
                local_ids=ids(each.local_ids),
                approval_reference=own(each.approval_reference),
                legacy_references=tuple(f"{ref}Z{number}" for ref in each.legacy_references),
            )
            for each in snap.coverages
        ),
        pending=tuple(
            replace(each, nhs_number=own(each.nhs_number), local_ids=ids(each.local_ids))
            for each in snap.pending
        ),
    )
    keys = dict(zip(keys_of(lines_), keys_of(moved), strict=True))
    decisions = tuple(_decided_of(each, keys, own, held) for each in snap.decisions)
    return moved, replace(held, decisions=decisions)


def _decided_of(
    decision: LineDecision,
    keys: Mapping[str, str],
    own: Callable[[str | None], str | None],
    held: Snapshot,
) -> LineDecision:
    """The same decision on the line and the approval as they are named now."""
    reference = own(decision.approval_reference)
    named = coverages_of(index_snapshot(held), reference) if reference else ()
    digest = approval_digest(named) if reference else None
    key = keys[decision.line_key]
    return replace(decision, line_key=key, approval_reference=reference, approval_digest=digest)
