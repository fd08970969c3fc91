"""The words of reconciliation as frozen types: lines, coverages, outcomes. No logic that decides.

Dates are days in Europe/London; money is Decimal in pounds, exact and never rounded here.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from app.reconciliation.terms_model import NO_TERMS, Terms
from app.reference_data.drugs import Recognition


class LineKind(StrEnum):
    """What a line charges for, told before it is matched."""

    DRUG = "drug"
    FEE = "fee or delivery"
    DEVICE = "device or consumable"
    CREDIT = "credit or rebate"
    FREE_OF_CHARGE = "free of charge"
    NOT_A_DRUG = "not a drug"
    UNKNOWN = "unknown"


class LineOutcome(StrEnum):
    """The one bucket in which a line ends."""

    MATCHED = "matched"
    APPROVED_LATE = "approved late"
    AWAITING_DECISION = "awaiting decision"
    NO_APPROVAL = "no approval"
    APPROVAL_NOT_REQUIRED = "approval not required"
    NO_POLICY_HELD = "no policy held"
    OUTSIDE_APPROVAL_PERIOD = "outside approval period"
    CONTINUATION_OVERDUE = "continuation overdue"
    NOT_THE_APPROVED_PROVIDER = "not the approved provider"
    DRUG_OR_INDICATION_DIFFERS = "drug or indication differs"
    OVER_PRICE = "over price"
    OVER_QUANTITY = "over quantity"
    DUPLICATE_LINE = "duplicate line"
    NOT_A_DRUG_LINE = "not a drug line"
    CREDIT_WITHOUT_DEBIT = "credit without its debit"
    NOT_RECOVERABLE = "not recoverable"
    CANNOT_BE_READ = "cannot be read"
    IDENTITY_WITHHELD = "identity withheld"


class TestResult(StrEnum):
    """A test lacking an input is not testable: never passed, never failed."""

    __test__ = False  # not a pytest class

    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTABLE = "not testable"


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a line against an approval, with the evidence in words."""

    __test__: ClassVar[bool] = False  # not a pytest class

    name: str
    result: TestResult
    detail: str


@dataclass(frozen=True, slots=True)
class FieldFault:
    """A cell that could not be read: its raw text (may be patient data) and why (never is)."""

    field: str
    raw: str
    why: str


@dataclass(frozen=True, slots=True)
class ContractLine:
    """One row of a DrPLCM submission. None means absent or unreadable; `faults` tells which.

    `row` counts data rows from 1. `content_hash` is over the values read, so that neither the
    order of columns nor the spelling of a number changes it. `unit_price` is UNIT PRICE
    (COMMISSIONER), the price invoiced; `unit_price_supplier` the price before on-costs.
    `delivery_date` and `invoice_date` stand in columns that some feeds have beside the supply date.
    The pseudonyms stand in place of the NHS number and of the local identifier.
    """

    row: int
    content_hash: str
    raw: tuple[str, ...]
    shifted: bool = False
    financial_year: str | None = None
    financial_month: int | None = None
    provider: str | None = None
    site: str | None = None
    commissioner: str | None = None
    gp_practice: str | None = None
    nhs_number: str | None = None
    nhs_pseudonym: str | None = None
    local_pseudonym: str | None = None
    withheld_reason: str | None = None
    local_patient_id: str | None = None
    birth_date: dt.date | None = None
    supply_date: dt.date | None = None
    delivery_date: dt.date | None = None
    invoice_date: dt.date | None = None
    indication_code: str | None = None
    indication_text: str | None = None
    drug_code: str | None = None
    drug_name: str | None = None
    route: str | None = None
    strength: str | None = None
    volume: str | None = None
    pack_size: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    dispensing_route: str | None = None
    reference: str | None = None
    point_of_delivery: str | None = None
    unit_price_supplier: Decimal | None = None
    unit_price: Decimal | None = None
    home_delivery_charge: Decimal | None = None
    vat_charged: bool | None = None
    total_cost: Decimal | None = None
    faults: tuple[FieldFault, ...] = ()

    def why_unread(self, name: str) -> str | None:
        """Why this field could not be read; None when it was read or simply absent."""
        return next((fault.why for fault in self.faults if fault.field == name), None)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A data row that is no line: blank, a repeated header or a footer."""

    row: int
    why: str
    raw: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """One file as read. Every data row is a line or is skipped with its reason.

    `as_rows` is the Parquet file of its rows, where it was made and is not kept yet.
    """

    sha256: str
    file_name: str
    header: tuple[str, ...]
    layout: str
    encoding: str
    delimiter: str
    preamble: tuple[tuple[str, ...], ...]
    lines: tuple[ContractLine, ...]
    skipped: tuple[Skipped, ...]
    columns: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...] = ()
    as_rows: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def rows(self) -> int:
        """How many data rows the file holds."""
        return len(self.lines) + len(self.skipped)


@dataclass(frozen=True, slots=True)
class DoseLimit:
    """The largest dose over some days of a coverage: `amount` of `unit` in `days` days.

    `name` is the phase that it comes from; empty where the terms state one dose throughout.
    """

    from_: dt.date
    to: dt.date | None
    amount: Decimal
    unit: str
    days: Decimal
    name: str = ""


@dataclass(frozen=True, slots=True)
class BestValue:
    """A product that the policy puts first between two days."""

    product: str
    from_: dt.date
    to: dt.date | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What matching sees of one segment of a treatment and of its approval.

    `grace_to` is the last day covered by the grace after `to`. `paused` holds closed intervals.
    `supplying_providers` are the spokes of the approved hub. `unit_price_cap` is in pounds for
    one `price_unit`. `doses` is the most that an episode covers, `max_supply_days` the longest
    supply at a time, `product_reason` why the product is not one of `best_value`. Where it is
    `stopped`, treatment was, and `to` is its last day. `route` is the way of administration as the
    approval states it; `start_by` the last day for treatment to begin under it, `first_dose` the
    day on which people recorded that it did.
    """

    treatment_id: str
    approval_reference: str | None
    drug: str
    indication_key: str
    from_: dt.date
    to: dt.date | None
    provider: str
    commissioner: str
    status: str = "live"
    legacy_references: tuple[str, ...] = ()
    nhs_number: str | None = None
    local_ids: frozenset[tuple[str, str]] = frozenset()
    birth_date: dt.date | None = None
    indication_snomed: str | None = None
    grace_to: dt.date | None = None
    supplying_providers: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    product: str | None = None
    interchangeable: bool = False
    funding_origin: str = "NHS"
    late: bool = False
    under_query: bool = False
    continuation_due: dt.date | None = None
    continuation_submitted: bool = False
    unit_price_cap: Decimal | None = None
    price_unit: str | None = None
    quantity_cap: Decimal | None = None
    quantity_unit: str | None = None
    paused: tuple[tuple[dt.date, dt.date | None], ...] = ()
    pattern: str = ""
    doses: int | None = None
    max_supply_days: int | None = None
    dose_limits: tuple[DoseLimit, ...] = ()
    best_value: tuple[BestValue, ...] = ()
    product_reason: str | None = None
    stopped: bool = False
    died_on: dt.date | None = None
    route: str | None = None
    start_by: dt.date | None = None
    first_dose: dt.date | None = None


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request that has been submitted and not decided."""

    request_id: str
    nhs_number: str | None
    local_ids: frozenset[tuple[str, str]]
    drug: str
    indication_key: str
    provider: str
    submitted_on: dt.date
    kind: str
    status: str


@dataclass(frozen=True, slots=True)
class PolicyHeld:
    """That a policy on a drug was in force, and whether it asks for approval.

    Where a drug has entries of the line's own `commissioner`, they count instead of the general
    ones, which name none.
    """

    drug: str
    approval_required: bool
    from_: dt.date
    to: dt.date | None
    indication_key: str
    commissioner: str | None = None


class DecisionKind(StrEnum):
    """What a person decided of a line by hand."""

    MATCH = "match"
    ACCEPT = "accept"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class LineDecision:
    """A decision by hand on the line of this content, and the two sides that it rests on.

    A match names an approval and holds the digest of its terms as they stood; an override holds
    the `outcome` that the line had without it.
    """

    line_key: str
    kind: DecisionKind
    outcome: LineOutcome
    approval_reference: str | None = None
    approval_digest: str | None = None


@dataclass(frozen=True, slots=True)
class UsedQuantity:
    """What earlier submissions' current slices use of an approval, in `unit` as units compare."""

    approval_reference: str
    unit: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class EarlierCharge:
    """A charge for a drug in an earlier submission's current slice that no credit took back.

    `uses` is what it used of an approval; it uses nothing once a credit takes it back.
    """

    content_hash: str
    nhs_number: str | None
    local_patient_id: str | None
    reference: str | None
    provider: str | None
    drug: str
    amount: Decimal
    day: dt.date | None
    uses: UsedQuantity | None = None


@dataclass(frozen=True, slots=True)
class EarlierSupply:
    """An accepted supply in an earlier submission's current slice, and the sorts of fee that it is
    paid for already. `charge` as of `EarlierSpaced`."""

    content_hash: str
    nhs_number: str | None
    local_patient_id: str | None
    provider: str | None
    commissioner: str | None
    drug: str | None
    first: dt.date
    last: dt.date
    paid: frozenset[str] = frozenset()
    charge: int | None = None


@dataclass(frozen=True, slots=True)
class EarlierFee:
    """A fee of an earlier submission's current slice that no credit took back.

    `supply` is the place among the earlier supplies of the one that pays for it, where it is among
    them; `content_hash` as of `EarlierCharge`.
    """

    nhs_number: str | None
    local_patient_id: str | None
    reference: str | None
    provider: str | None
    commissioner: str | None
    drug: str | None
    sort: str
    amount: Decimal
    day: dt.date | None
    supply: int | None = None
    content_hash: str = ""


@dataclass(frozen=True, slots=True)
class EarlierSpaced:
    """A supply of a treatment in an earlier submission's current slice; days it lasts, if known.

    `charge` is its place among the charges that a credit may take back, where it is one of them.
    """

    treatment_id: str
    day: dt.date
    lasts: int | None
    charge: int | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """What current slices of earlier submissions say that bears on this one.

    A slice that this submission states itself is not among them. `charges` are those that a credit
    of this one may take back; `stated` holds the content of the lines that stand already.
    `supplies` are those that fees of this one may belong to, `spaced` those that supplies of this
    one may follow too soon; `fees` are those that credits of this one may take back.
    """

    used: tuple[UsedQuantity, ...] = ()
    charges: tuple[EarlierCharge, ...] = ()
    stated: frozenset[str] = frozenset()
    supplies: tuple[EarlierSupply, ...] = ()
    spaced: tuple[EarlierSpaced, ...] = ()
    fees: tuple[EarlierFee, ...] = ()


NO_EARLIER = Earlier()


@dataclass(frozen=True, slots=True)
class PayerHeir:
    """That a commissioner's code stands for another one from one day to another, both included."""

    code: str
    from_: dt.date
    to: dt.date
    heir: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything about approvals that a run looks at, as at one day; and decisions by hand.

    `layout` is the submission's, which tells what its dates mean. `earlier` is what other
    submissions said before. `heirs` are worked out of the organisations when it is matched: whom
    the payers of its coverages became. `coverages` are a tuple, or packed where they are many.
    """

    coverages: Sequence[Coverage]
    pending: tuple[PendingRequest, ...]
    policies: tuple[PolicyHeld, ...]
    as_at: dt.date
    decisions: tuple[LineDecision, ...] = ()
    terms: Terms = NO_TERMS
    layout: str = ""
    earlier: Earlier = NO_EARLIER
    heirs: tuple[PayerHeir, ...] = ()


@dataclass(frozen=True, slots=True)
class MatchedLine:
    """A line with its one outcome. accepted + queried == total cost; both 0 if that is unread."""

    line: ContractLine
    kind: LineKind
    recognition: Recognition
    outcome: LineOutcome
    accepted: Decimal
    queried: Decimal
    provider: str | None
    reference: str | None = None
    treatment_id: str | None = None
    found_by: str = ""
    tests: tuple[Test, ...] = field(default=())
    reason: str = ""
    remedy: str = ""
    proposed_commissioner: str | None = None
