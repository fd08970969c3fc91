"""Matching lines that carry keyed pseudonyms in place of NHS and hospital numbers.

The provider, or a third party that both sides trust, computes them with the commissioner's key
(`assent pseudonyms compute`). Here every identity, of lines and of approvals alike, is turned into
its pseudonym under that key, and the engine compares these as it compares numbers. A file may mix
lines with numbers and lines with pseudonyms. Birth dates do not come with pseudonyms, so they
neither confirm nor contradict a match by hospital number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from app.reconciliation.engines.packed import pack
from app.reconciliation.errors import UnreadableSubmission
from app.reconciliation.model import (
    ContractLine,
    Coverage,
    EarlierCharge,
    EarlierFee,
    FieldFault,
    MatchedLine,
    PendingRequest,
    Snapshot,
    Submission,
)
from app.reference_data.pseudonyms import PseudonymKey

C = TypeVar("C", EarlierCharge, EarlierFee)
#: Stored rows that are copied together.
_TOGETHER: Final = 32_768
WHY_TWO = "its number and its pseudonym are not one patient's"


def carries_pseudonyms(submission: Submission) -> bool:
    """Whether some line of the file is known by a pseudonym."""
    return names_pseudonyms(submission.lines)


def names_pseudonyms(lines: Iterable[ContractLine]) -> bool:
    """The same of some lines."""
    return any(line.nhs_pseudonym or line.local_pseudonym for line in lines)


def check_usable(submission: Submission, key: PseudonymKey | None, payer: bool) -> None:
    """Raise UnreadableSubmission where pseudonyms of the file cannot be compared with anything.

    They are keyed for one commissioner: only it matches them, and only where a key is set.
    """
    check_comparable(carries_pseudonyms(submission), key, payer)


def check_comparable(carries: bool, key: PseudonymKey | None, payer: bool) -> None:
    """The same of a file that carries pseudonyms, or does not."""
    if not carries:
        return
    if not payer:
        raise UnreadableSubmission(
            "The file carries pseudonyms",
            "they are keyed for one commissioner, and only that commissioner can match them",
            "Send the file as that commissioner, or send NHS numbers",
        )
    if key is None:
        raise UnreadableSubmission(
            "The file carries pseudonyms",
            "this service has no key to compare them with",
            "Have ASSENT_PSEUDONYM_KEY set by the service's operator, or send NHS numbers",
        )


def as_pseudonyms(
    lines: Sequence[ContractLine], snapshot: Snapshot, key: PseudonymKey
) -> tuple[tuple[ContractLine, ...], Snapshot]:
    """Lines and snapshot with every number replaced by its pseudonym under the key."""
    of_number, of_local = cache(key.of_nhs_number), cache(key.of_local_id)

    def of_locals(ids: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return frozenset((organisation, of_local(local)) for organisation, local in ids)

    def of_coverage(one: Coverage) -> Coverage:
        number = one.nhs_number and of_number(one.nhs_number)
        return replace(one, nhs_number=number, local_ids=of_locals(one.local_ids))

    def of_pending(one: PendingRequest) -> PendingRequest:
        number = one.nhs_number and of_number(one.nhs_number)
        return replace(one, nhs_number=number, local_ids=of_locals(one.local_ids))

    def of_line(line: ContractLine) -> ContractLine:
        number = line.nhs_number and of_number(line.nhs_number)
        local = line.local_patient_id and of_local(line.local_patient_id)
        if are_two(number, line.nhs_pseudonym):
            faults = (*line.faults, FieldFault("nhs_number", "", WHY_TWO))
            return replace(line, nhs_number=None, local_patient_id=None, faults=faults)
        return replace(
            line,
            nhs_number=number or line.nhs_pseudonym,
            local_patient_id=local or line.local_pseudonym,
        )

    def of_charge(one: C) -> C:
        number = one.nhs_number and of_number(one.nhs_number)
        local = one.local_patient_id and of_local(one.local_patient_id)
        return replace(one, nhs_number=number, local_patient_id=local)

    covered = pack(map(of_coverage, snapshot.coverages))
    earlier = replace(
        snapshot.earlier,
        charges=tuple(map(of_charge, snapshot.earlier.charges)),
        fees=tuple(map(of_charge, snapshot.earlier.fees)),
    )
    pending = tuple(map(of_pending, snapshot.pending))
    hidden = replace(snapshot, coverages=covered, pending=pending, earlier=earlier)
    return tuple(map(of_line, lines)), hidden


def are_two(number: str | None, pseudonym: str | None) -> bool:
    """Whether a line's number, as its pseudonym, and the pseudonym that it states contradict."""
    return bool(number and pseudonym and number != pseudonym)


def with_hidden_names(rows: pa.Table, key: PseudonymKey) -> pa.Table:
    """As `as_pseudonyms`, of stored rows: the columns of their two names."""
    numbers = [each and key.of_nhs_number(each) for each in rows.column("nhs_number").to_pylist()]
    stated = rows.column("nhs_pseudonym").to_pylist()
    local = [each and key.of_local_id(each) for each in rows.column("local_patient_id").to_pylist()]
    local_stated = rows.column("local_pseudonym").to_pylist()
    two = list(map(are_two, numbers, stated))
    pairs = {
        "nhs_number": zip(numbers, stated, two, strict=True),
        "local_patient_id": zip(local, local_stated, two, strict=True),
    }
    for name, named in pairs.items():
        texts = [None if both else (own or other) for own, other, both in named]
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(name), pa.array(texts, pa.string()))
    return rows


def write_hidden(rows: Path, into: Path, key: PseudonymKey) -> None:
    """As `as_pseudonyms`, of a file of stored rows, which is copied some rows at a time."""
    with (
        pq.ParquetFile(rows) as stored,
        pq.ParquetWriter(into, stored.schema_arrow, compression="zstd") as writer,
    ):
        for batch in stored.iter_batches(_TOGETHER, use_threads=False):
            own = pa.Table.from_batches([batch])
            writer.write_table(_with_faults(own, with_hidden_names(own, key), key))


def _with_faults(own: pa.Table, hidden: pa.Table, key: PseudonymKey) -> pa.Table:
    """The rows with a fault where number and pseudonym are two patients'."""
    stated = own.column("nhs_pseudonym").to_pylist()
    if not any(stated):
        return hidden
    pairs = zip(own.column("nhs_number").to_pylist(), stated, strict=True)
    two = [are_two(number and key.of_nhs_number(number), other) for number, other in pairs]
    if not any(two):
        return hidden
    fault = {"field": "nhs_number", "raw": "", "why": WHY_TWO}
    faults = zip(own.column("faults").to_pylist(), two, strict=True)
    told = [[*(each or ()), fault] if both else each for each, both in faults]
    place = hidden.schema.get_field_index("faults")
    field = hidden.schema.field("faults")
    return hidden.set_column(place, field, pa.array(told, field.type))


def with_own_lines(
    matched: Sequence[MatchedLine], lines: Sequence[ContractLine]
) -> tuple[MatchedLine, ...]:
    """The outcomes with the lines as they came, pseudonyms of numbers taken away again."""
    pairs = zip(matched, lines, strict=True)
    return tuple(replace(item, line=line) for item, line in pairs)
