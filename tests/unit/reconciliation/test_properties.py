"""What holds for every file and every snapshot, tried on thousands of invented ones."""

import csv
import datetime as dt
import io
from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reconciliation import (
    Coverage,
    LineOutcome,
    PendingRequest,
    Snapshot,
    Submission,
    UnreadableSubmission,
    match_submission,
    read_submission,
    returned_file,
    summarise,
)
from app.reconciliation.decode import decode
from app.reconciliation.wording import ACCEPTED_WHOLE
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import (
    CLEAN,
    FOLD,
    OTHER_PATIENT,
    PATIENT,
    SHORT,
    coverage,
    csv_bytes,
    pending,
    policy,
)

DRUGS, ORGANISATIONS = load_drugs(), load_organisations()
SLOW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
START = dt.date(2025, 4, 1)


@SLOW
@given(st.binary(max_size=400))
def test_no_bytes_crash_the_intake(data: bytes) -> None:
    error = _refusal(data)
    assert error is None or (error.what and error.why and error.next)


def _refusal(data: bytes) -> UnreadableSubmission | None:
    try:
        read_submission(data, "x.csv")
    except UnreadableSubmission as error:
        return error
    return None


@SLOW
@given(st.data())
def test_no_damage_to_a_good_file_crashes_it_or_loses_a_row(data: st.DataObject) -> None:
    good = csv_bytes([CLEAN] * 3)
    at = data.draw(st.integers(0, len(good)))
    length = data.draw(st.integers(0, 40))
    noise = data.draw(
        st.one_of(st.binary(max_size=20), st.sampled_from([b'"', b"\0", b"\n", b","]))
    )
    damaged = good[:at] + noise + good[at + length :]
    try:
        read = read_submission(damaged, "x.csv")
    except UnreadableSubmission:
        return
    matched = match_submission(read.lines, Snapshot((), (), (), START), DRUGS, ORGANISATIONS)
    summarise(matched, FOLD)
    assert sorted([x.row for x in read.lines] + [x.row for x in read.skipped]) == list(
        range(1, read.rows + 1)
    )
    text, _ = decode(returned_file(read, matched))
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=read.delimiter))
    for line in read.lines:
        assert tuple(rows[_at(read, line.row)][: len(line.raw)]) == line.raw


def _at(read: Submission, row: int) -> int:
    """Where a data row stands in the returned file."""
    return len(read.preamble) + row


CELLS: dict[str, st.SearchStrategy[str]] = {
    "month": st.sampled_from(["1", "3", "", "400"]),
    "provider": st.sampled_from(["DEMO1", "DEMO2", "DEMO101", "?"]),
    "withheld": st.sampled_from(["", "02"]),
    "nhs": st.sampled_from([PATIENT, OTHER_PATIENT, "", "9.99E+09"]),
    "local": st.sampled_from(["L001", "L002", ""]),
    "born": st.sampled_from(["1980-02-03", "", "1999-09-09"]),
    "date": st.sampled_from(["2025-06-10", "10/04/2025", "45748", "TBC", ""]),
    "indication": st.sampled_from(["", "426373005", "24700007", "MS"]),
    "drug": st.sampled_from(
        ["TYSABRI", "natalizumab (tyruko)", "adalimumab", "NATALIZUMAB (FOC)", "delivery", "Frob"]
    ),
    "quantity": st.sampled_from(["1", "2.5", "-1", "0", "x"]),
    "unit": st.sampled_from(["vial", "", "mg"]),
    "reference": st.sampled_from(["", "PA1", "PA2", "OLD-9"]),
    "price": st.sampled_from(["1000", "799.99", "TBC", "0"]),
    "delivery": st.sampled_from(["0", "10", "", "-3"]),
    "vat": st.sampled_from(["Y", "N", ""]),
    "total": st.one_of(
        st.decimals(-(10**6), 10**6, places=3, allow_nan=False).map(str),
        st.sampled_from(["1000", "1000", "-1000", "0", "TBC", "", "(1,000.00)"]),
    ),
}
DAYS = st.integers(-60, 120).map(lambda n: START + dt.timedelta(days=n))


@st.composite
def rows_of_files(draw: st.DrawFn) -> list[dict[str, str]]:
    """Rows that repeat, contradict and lack things."""
    row = st.fixed_dictionaries(CELLS).map(
        lambda chosen: {**CLEAN, **{SHORT[name]: text for name, text in chosen.items()}}
    )
    rows = draw(st.lists(row, min_size=1, max_size=6))
    return rows + draw(st.lists(st.sampled_from(rows), max_size=3))


def files() -> st.SearchStrategy[Submission]:
    """A file of such rows."""
    return rows_of_files().map(lambda rows: read_submission(csv_bytes(rows), "x.csv"))


@st.composite
def coverages(draw: st.DrawFn) -> Coverage:
    """A coverage of one of two patients, in any state."""
    begins = draw(DAYS)
    chosen: dict[str, Any] = {
        "treatment_id": draw(st.sampled_from(["T1", "T2"])),
        "approval_reference": draw(st.sampled_from(["PA1", "PA2", None])),
        "legacy_references": draw(st.sampled_from([(), ("OLD9",)])),
        "nhs_number": draw(st.sampled_from([PATIENT, OTHER_PATIENT, None])),
        "drug": draw(st.sampled_from(["natalizumab", "adalimumab"])),
        "from_": begins,
        "to": draw(st.one_of(st.none(), st.integers(0, 400).map(lambda n: _later(begins, n)))),
        "provider": draw(st.sampled_from(["DEMO1", "DEMO2"])),
        "supplying_providers": draw(st.sampled_from([frozenset(), frozenset({"DEMO2"})])),
        "status": draw(st.sampled_from(["live", "ended", "withdrawn", "imported"])),
        "late": draw(st.booleans()),
        "under_query": draw(st.booleans()),
        "interchangeable": draw(st.booleans()),
        "funding_origin": draw(st.sampled_from(["NHS", "NHS", "trial"])),
        "continuation_due": draw(st.one_of(st.none(), DAYS)),
        "continuation_submitted": draw(st.booleans()),
        "unit_price_cap": draw(st.sampled_from([None, Decimal(800)])),
        "price_unit": "vial",
        "quantity_cap": draw(st.sampled_from([None, Decimal(2)])),
        "quantity_unit": "vial",
        "paused": draw(st.sampled_from([(), ((START, START),), ((START, None),)])),
    }
    return coverage(**chosen)


def _later(day: dt.date, days: int) -> dt.date:
    return day + dt.timedelta(days=days)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Up to six coverages, with or without requests and policies."""
    requests = st.sampled_from([pending(), pending(kind="transfer", provider="DEMO2")])
    held = st.sampled_from([policy(), policy("adalimumab"), policy(approval_required=False)])
    return Snapshot(
        tuple(draw(st.lists(coverages(), max_size=6))),
        tuple(draw(st.lists(requests, max_size=2))),
        tuple(draw(st.lists(held, max_size=3))),
        _later(START, 120),
    )


@SLOW
@given(files(), snapshots())
def test_every_line_has_one_outcome_and_every_pound_is_counted_once(
    read: Submission, snap: Snapshot
) -> None:
    matched = match_submission(read.lines, snap, DRUGS, ORGANISATIONS)
    summary = summarise(matched, FOLD)
    assert [m.line for m in matched] == list(read.lines)
    assert summary.grand.total == sum((line.total_cost or Decimal(0)) for line in read.lines)
    for item in matched:
        total = item.line.total_cost
        if total is None:
            assert item.accepted == item.queried == 0
            assert item.outcome in {LineOutcome.CANNOT_BE_READ, LineOutcome.NOT_RECOVERABLE}
        elif total >= 0:
            assert 0 <= item.accepted <= total
        if item.outcome in ACCEPTED_WHOLE:
            assert item.queried == 0
        assert item.reason


@SLOW
@given(files(), snapshots(), st.randoms(use_true_random=False))
def test_matching_is_repeatable_and_blind_to_the_order_of_the_snapshot(
    read: Submission, snap: Snapshot, shuffler: Any
) -> None:
    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(shuffler.sample(items, len(items)))

    other = Snapshot(
        shuffled(snap.coverages), shuffled(snap.pending), shuffled(snap.policies), snap.as_at
    )
    first = match_submission(read.lines, snap, DRUGS, ORGANISATIONS)
    assert match_submission(read.lines, snap, DRUGS, ORGANISATIONS) == first
    assert match_submission(read.lines, other, DRUGS, ORGANISATIONS) == first


@SLOW
@given(rows_of_files(), snapshots(), st.randoms(use_true_random=False))
def test_the_order_of_a_file_s_rows_changes_nothing_of_what_they_come_to(
    rows: list[dict[str, str]], snap: Snapshot, shuffler: Any
) -> None:
    """From the bytes on: reading looks at the whole file, so as to tell how it writes its dates."""

    def told(ordered: list[dict[str, str]]) -> Counter[tuple[object, ...]]:
        read = read_submission(csv_bytes(ordered), "x.csv")
        return Counter(
            (x.line.content_hash, x.line.faults, x.outcome, x.accepted, x.queried, x.treatment_id)
            for x in match_submission(read.lines, snap, DRUGS, ORGANISATIONS)
        )

    assert told(shuffler.sample(rows, len(rows))) == told(rows)


@SLOW
@given(files(), snapshots())
def test_a_line_never_matches_another_patients_approval(read: Submission, snap: Snapshot) -> None:
    for item in match_submission(read.lines, snap, DRUGS, ORGANISATIONS):
        if item.treatment_id is None or not item.found_by:
            continue  # no treatment is named, so none is given away
        held = [c for c in snap.coverages if c.treatment_id == item.treatment_id]
        assert any(
            c.nhs_number == item.line.nhs_number
            or ("DEMO1", item.line.local_patient_id) in c.local_ids
            for c in held
        )
        conflicting = [
            c
            for c in held
            if item.line.nhs_number and c.nhs_number and c.nhs_number != item.line.nhs_number
        ]
        assert len(conflicting) < len(held)


def test_the_requests_above_are_of_the_first_patient() -> None:
    request: PendingRequest = pending()
    assert request.nhs_number == PATIENT
