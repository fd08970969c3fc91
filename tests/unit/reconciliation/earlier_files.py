"""Random submissions in order: lines that stand before, are stated again, given back or taken away.

Drawn from `nasty`, so every line and approval is as hard as those; many of them are stated in
several files, some of which a newer one restates.
"""

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from app.reconciliation import ContractLine, Snapshot
from app.reconciliation.earlier_rows import Looking, Other
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.engines.supply_terms import CHARGES
from app.reconciliation.files import FileStore
from app.reconciliation.line_columns import batch_of
from app.reconciliation.model import NO_EARLIER, DoseLimit
from app.reconciliation.slices import SliceKey, slice_of
from app.reference_data.pseudonyms import PseudonymKey
from tests.unit.reconciliation import nasty
from tests.unit.reconciliation.builders import (
    DRUGS_AND_ORGANISATIONS,
    PATIENT,
    coverage,
    snapshot,
)

KEY = PseudonymKey(b"a key of the tests alone")
TOO_LONG = Decimal("0.123456789")
LAYOUTS = ("drplcm-v1", "drplcm-v3", "")


@dataclass(frozen=True, slots=True)
class Drawn:
    """Earlier files with their slices that stand, a submission after them, and the approvals."""

    files: tuple[tuple[ContractLine, ...], ...]
    layouts: tuple[str, ...]
    standing: tuple[frozenset[SliceKey], ...]
    own: tuple[ContractLine, ...]
    snapshot: Snapshot


def draw(
    source: random.Random,
    cases: int = 14,
    files: int = 5,
    keyed: float = 0,
    longest: Decimal = TOO_LONG,
) -> Drawn:
    """`keyed` is how often a line names its patient by pseudonym, in every other file; `longest` a
    quantity of some lines.

    In two draws of three nobody agreed a charge for fees, and few lines are given back or decided
    by hand, so that most lines are left to the steps.
    """
    nasties = [nasty.one_case(source) for _ in range(cases)]
    lines, snap = nasty.pack(nasties + [_used_up(source, longest) for _ in range(cases)])
    decisions = nasty.decisions_drawn(nasty.Draw(source), lines, snap)
    calm = source.random() < 0.67
    dealt: list[list[ContractLine]] = [[] for _ in range(files + 1)]
    for line in lines:
        for _ in range(source.choice((1, 1, 1, 2, 3))):
            _deal(source, dealt, line)
        if line.total_cost and source.random() < (0.02 if calm else 0.15):
            _deal(source, dealt, replace(line, total_cost=-line.total_cost))
    if keyed:
        dealt[1::2] = [[_keyed(source, x, keyed) for x in each] for each in dealt[1::2]]
    shuffled = [source.sample(each, len(each)) for each in dealt]
    told = [tuple(replace(x, row=row) for row, x in enumerate(each, 1)) for each in shuffled]
    slices = [_slices(each) for each in told[:-1]]
    newer = [frozenset().union(*slices[n + 1 :]) for n in range(files)]
    terms = snap.terms
    if calm:
        supplies = tuple(x for x in terms.supplies if x.kind not in CHARGES)
        terms = replace(terms, supplies=supplies)
    return Drawn(
        tuple(told[:-1]),
        tuple(source.choice(LAYOUTS) for _ in range(files)),
        tuple(its - restated for its, restated in zip(slices, newer, strict=True)),
        told[-1],
        replace(
            snap,
            earlier=NO_EARLIER,
            layout=source.choice(LAYOUTS),
            terms=terms,
            decisions=decisions[::10] if calm else decisions,
        ),
    )


def _used_up(source: random.Random, longest: Decimal) -> tuple[tuple[ContractLine, ...], Snapshot]:
    """A patient whose approvals cap a quantity, in one unit or two, and supplies that use them."""
    one = nasty.Draw(source).one
    held = [
        coverage(
            approval_reference=one("PA1", "PA1", "PA2"),
            treatment_id=one("T1", "T2"),
            drug=drug,
            product=None,
            products=frozenset(),
            nhs_number=one(PATIENT, PATIENT, None),
            quantity_cap=Decimal(one("3", "5.5")),
            quantity_unit=one("vial", "vial", "mg", "Vial."),
            max_supply_days=one(28, None),
            dose_limits=one((), (DoseLimit(nasty.START, None, Decimal(1), "vial", Decimal(28)),)),
        )
        for drug in one(("natalizumab",), ("natalizumab", "adalimumab"))
    ]
    clean = ContractLine(1, "", (), provider="DEMO1", commissioner="DEMQ1", birth_date=None)
    drawn = [
        nasty.rehashed(
            replace(
                clean,
                financial_year="202526",
                financial_month=1,
                nhs_number=one(PATIENT, PATIENT, None),
                local_patient_id="L001",
                supply_date=nasty.START + dt.timedelta(days=source.randrange(90)),
                drug_name=one("natalizumab", "natalizumab", "adalimumab"),
                unit=one("vial", "vial", "VIAL", "mg"),
                quantity=Decimal(one("1", "1", "0.50", "2.125", longest)),
                unit_price=Decimal(1000),
                total_cost=Decimal(one("1000", "1000.00", "500.5")),
                reference=one(None, None, "PA1"),
            )
        )
        for _ in range(source.randint(2, 8))
    ]
    return tuple(drawn), snapshot(*held)


def _deal(source: random.Random, dealt: list[list[ContractLine]], line: ContractLine) -> None:
    """Into a file, as of the month that it is the first to state; of one provider now and then as
    of the month before, which it restates."""
    # A submission of its own with more places than the tables hold goes to the plain engine whole.
    earlier_only = line.quantity == TOO_LONG
    file = source.randrange(len(dealt) - earlier_only)
    if line.financial_month or (line.supply_date and source.random() < 0.9):
        restates = line.provider == "DEMO2" and source.random() < 0.3
        month = file + (1 if restates else 2)
        line = replace(line, financial_year="202526", financial_month=month)
    dealt[file].append(nasty.rehashed(line))


def _keyed(source: random.Random, line: ContractLine, often: float) -> ContractLine:
    """The line by its patient's pseudonyms; now and then with another's beside the number."""
    if line.nhs_number is None or source.random() >= often:
        return line
    if source.random() < 0.1:
        return nasty.rehashed(replace(line, nhs_pseudonym=KEY.of_nhs_number("another")))
    local = line.local_patient_id and KEY.of_local_id(line.local_patient_id)
    number = KEY.of_nhs_number(line.nhs_number)
    hidden = replace(line, nhs_number=None, local_patient_id=None, birth_date=None)
    return nasty.rehashed(replace(hidden, nhs_pseudonym=number, local_pseudonym=local))


def _slices(lines: Sequence[ContractLine]) -> frozenset[SliceKey]:
    fold = DRUGS_AND_ORGANISATIONS[1].fold
    return frozenset(key for key in (slice_of(line, fold) for line in lines) if key)


def looking(folder: Path, most_plain: int, key: PseudonymKey | None = None) -> Looking:
    """How earlier files are read: of more lines than these, the steps count them."""
    machine = Machine("1GB", spill_to=folder / "spill")
    return Looking(FileStore(folder / "files"), *DRUGS_AND_ORGANISATIONS, machine, key, most_plain)


def stored(folder: Path, drawn: Drawn) -> tuple[list[Other], pa.Table]:
    """The earlier files as they are kept, every third in memory; and the submission's own rows."""
    others = []
    for n, lines in enumerate(drawn.files):
        table = pa.Table.from_batches([batch_of(lines)])
        path = folder / f"{n}.parquet"
        pq.write_table(table, path)
        source = table if n % 3 == 2 else str(path)
        others.append(Other(source, drawn.layouts[n], drawn.standing[n]))
    return others, pa.Table.from_batches([batch_of(drawn.own)])
