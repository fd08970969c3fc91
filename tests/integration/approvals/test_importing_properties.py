"""Whatever a file holds, each of its rows is counted once, and repeating it doubles nothing."""

import csv
import datetime as dt
import io
import itertools

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.approvals import importing
from app.approvals.import_model import ImportPreview, ImportResult, Verdict
from app.db import tables
from app.reference_data.drugs import load_drugs
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.reference_data.organisations import load_organisations
from tests.world import PHARMACIST, World

COLUMNS = (
    *("Blueteq ID", "NHS No", "Hospital No", "DoB", "Trust code", "Commissioner code"),
    *("Drug", "Form", "Status", "Date approved", "Review date", "End date"),
)
#: Which of the patient's number and hospital number the row gives, and how it writes the birthday.
PATIENTS = st.tuples(
    st.integers(0, 4),
    st.sampled_from([(True, True), (True, True), (True, False), (False, True)]),
    st.sampled_from(["01/01/1970", "1970-01-01", "1 Jan 1970"]),
)
FORMS = st.sampled_from([("Humira 40mg", "TA375 adalimumab"), ("Tysabri", "TA127")])
COVERS = st.sampled_from(
    [
        ("Approved", "02/03/2026", "01/09/2026", ""),
        ("Approved", "10/01/2025", "30/06/2025", ""),
        ("Treatment Complete", "10/07/2025", "", "01/06/2026"),
        ("Treatment Stopped", "10/07/2025", "30/12/2025", "01/09/2025"),
        ("Pending", "", "", ""),
    ]
)
JUNK = st.sampled_from(["", "=1+1", "?", "31/02/2026", "DEMO2", "DEMQ2", "H1", "B-1", "Approved"])
NUMBERS = st.integers(0, 5).map(lambda n: f"B-{n}")
SLIPS = st.none() | st.tuples(st.integers(0, len(COLUMNS) - 1), JUNK)


Drawn = tuple[
    str,
    tuple[int, tuple[bool, bool], str],
    tuple[str, str],
    tuple[str, str, str, str],
    tuple[int, str] | None,
]
#: Each example has references and patients of its own, since the database keeps those before it.
EXAMPLES = itertools.count()


def _row(drawn: Drawn, example: int) -> tuple[str, ...]:
    number, (patient, (with_nhs, with_local), born), form, cover, slip = drawn
    nhs_number = invented_nhs_number(example * 10 + patient) if with_nhs else ""
    local_id = f"H{example}-{patient}" if with_local else ""
    cells = [f"{number}-{example}", nhs_number, local_id, born, "DEMO1", "DEMQ1", *form, *cover]
    if slip is not None:
        cells[slip[0]] = slip[1]
    return tuple(cells)


ROWS = st.lists(st.tuples(NUMBERS, PATIENTS, FORMS, COVERS, SLIPS), min_size=1, max_size=12)
SHAPES = st.sampled_from(["whole", "whole", "whole", "whole", "cut", "long", "blank"])


@given(ROWS, st.lists(SHAPES, min_size=12, max_size=12))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_row_is_counted_once_and_a_repeat_doubles_nothing(
    world: World, rows: list[Drawn], shapes: list[str]
) -> None:
    example = next(EXAMPLES)
    shaped = [_shape(_row(row, example), shape) for row, shape in zip(rows, shapes, strict=False)]
    shaped.append(shaped[0])  # a row that repeats another
    numbers = [at for at, row in enumerate(shaped, start=2) if any(c.strip() for c in row)]
    before = _approvals(world)

    seen = _preview(world, _file(shaped))
    assert seen.new + seen.already + seen.rejected == len(numbers)
    done = world.do(lambda w: importing.accept_import(w, world.office, PHARMACIST, seen.id))
    _check(done, numbers)
    assert _approvals(world) - before == done.accepted
    assert seen.new == done.accepted, "a preview foresees what accepting does"

    # The same rows in another order are another file, and bring nothing more.
    again = _preview(world, _file(shaped[::-1], b"again\r\n"))
    assert again.new == 0
    accepted = {v.legacy_reference for v in done.rows if v.verdict is Verdict.ACCEPTED}
    known = {v.legacy_reference for v in again.rows if v.verdict is Verdict.ALREADY}
    assert accepted <= known
    _check_one_live_approval_each(world)


def _shape(row: tuple[str, ...], shape: str) -> tuple[str, ...]:
    if shape == "cut":
        return row[:7]
    if shape == "long":
        return (*row, "", "beyond")
    return ("",) * len(row) if shape == "blank" else row


def _file(rows: list[tuple[str, ...]], title: bytes = b"") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return title + text.getvalue().encode()


def _preview(world: World, data: bytes) -> ImportPreview:
    return world.do(
        lambda w: importing.preview_import(
            w, world.office, load_drugs(), load_organisations(), PHARMACIST, data, "x.csv"
        )
    )


def _check(done: ImportResult, numbers: list[int]) -> None:
    assert done.accepted + done.already + done.rejected == len(numbers)
    assert [verdict.row for verdict in done.rows] == numbers
    for verdict in done.rows:
        assert bool(verdict.faults) is (verdict.verdict is Verdict.REJECTED)
        assert bool(verdict.reference) is (verdict.verdict is not Verdict.REJECTED)


def _approvals(world: World) -> int:
    query = sa.select(sa.func.count()).select_from(tables.approval)
    return int(world.do(lambda w: w.connection.execute(query).scalar_one()))


def _check_one_live_approval_each(world: World) -> None:
    approval, treatment = tables.approval.c, tables.treatment.c
    today: dt.date = world.moment.day
    query = (
        sa.select(treatment.patient_id, treatment.drug, treatment.indication)
        .join_from(tables.approval, tables.treatment)
        .where(approval.state == "live", approval.covers_to >= today)
    )
    live = world.do(lambda w: w.connection.execute(query).all())
    assert len(live) == len(set(live))
