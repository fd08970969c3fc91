"""One row of an old system's export to an approval that can be imported, or to its faults.

Pure: the library, the dictionary, the directory and the day are passed in. Patient data passes
through this module; no fault repeats a cell.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.approvals.coverage import last_day
from app.approvals.import_cells import CellFault, DayRule, clean, is_absent, read_day, rule_for
from app.approvals.import_layout import Layout, Sheet, Standing, is_header, normal
from app.approvals.import_model import Candidate, RowFault
from app.approvals.import_policies import PolicyIndex, policy_for
from app.approvals.library import Library
from app.auth.model import Caller, Role
from app.policy import PolicyVersion
from app.reference_data.drugs import DrugDictionary, Recognition
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.reference_data.organisations import OrganisationDirectory

T = TypeVar("T")

# No formula begins so, and the longest fits its column.
_REFERENCE = re.compile(r"[A-Z0-9][A-Z0-9 /_.\-]{0,59}")
_LOCAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9 /_.\-]{0,19}")
_FEWEST_CELLS = 3
_EARLIEST_BIRTH = dt.date(1900, 1, 1)
_EARLIEST_APPROVAL = dt.date(2000, 1, 1)
_LONGEST_AHEAD = dt.timedelta(days=3660)
_DAY_COLUMNS = (
    *("birth_date", "approved_on", "requested_start", "started_on"),
    *("expires_on", "review_on", "ended_on"),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """What rows are read with: whose import it is, on which day, and the reference data."""

    caller: Caller
    today: dt.date
    library: Library
    policies: PolicyIndex
    dictionary: DrugDictionary
    directory: OrganisationDirectory
    layout: Layout


@dataclass(frozen=True, slots=True)
class _Row:
    """A row's cells by field; reading one collects its fault and goes on to the next."""

    sheet: Sheet
    layout: Layout
    rules: dict[str, DayRule]
    cells: Sequence[str]
    faults: list[RowFault]

    def text(self, name: str) -> str | None:
        raw = self.sheet.cell(self.cells, name)
        return None if is_absent(raw) else clean(raw)

    def read(self, name: str, how: Callable[[], T]) -> T | None:
        try:
            return how()
        except CellFault as fault:
            self.faults.append(RowFault(self.layout.labels[name], str(fault)))
            return None

    def day(self, name: str) -> dt.date | None:
        raw = self.sheet.cell(self.cells, name)
        return self.read(name, lambda: read_day(raw, self.rules[name]))

    def needed_day(self, name: str) -> dt.date | None:
        before = len(self.faults)
        found = self.day(name)
        if found is None and len(self.faults) == before:
            self.refuse(name, "it is empty, and an approval needs it")
        return found

    def refuse(self, name: str, why: str) -> None:
        self.faults.append(RowFault(self.layout.labels[name], why))


def read_rows(sheet: Sheet, desk: Desk) -> tuple[Candidate | tuple[int, tuple[RowFault, ...]], ...]:
    """Each row as a candidate, or its number with everything that is against it."""
    rules = _day_rules(sheet, desk.today)
    found: list[Candidate | tuple[int, tuple[RowFault, ...]]] = []
    for number, cells in sheet.rows:
        row = _Row(sheet, desk.layout, rules, cells, [])
        candidate = _read(row, number, desk)
        found.append(candidate or (number, tuple(row.faults)))
    return tuple(found)


def _day_rules(sheet: Sheet, today: dt.date) -> dict[str, DayRule]:
    born = DayRule(_EARLIEST_BIRTH, today, two_digit_years=False)
    other = DayRule(_EARLIEST_APPROVAL, today + _LONGEST_AHEAD, two_digit_years=True)
    return {
        name: rule_for(
            born if name == "birth_date" else other,
            [sheet.cell(cells, name) for _, cells in sheet.rows],
        )
        for name in _DAY_COLUMNS
    }


def _read(row: _Row, number: int, desk: Desk) -> Candidate | None:
    if _misshapen(row) or _foreign(row, desk):
        return None
    standing = _standing(row)
    if standing is None or standing is Standing.NO_COVERAGE:
        return None
    reference = _reference(row)
    birth_date = row.needed_day("birth_date")
    nhs_number, local_id = _identity(row)
    recognised = _drug(row, desk)
    policy = _policy(row, desk, recognised.drug) if recognised and recognised.drug else None
    notes: list[str] = []
    product = _product(row, desk, recognised, notes) if recognised else None
    cover = _cover(row, desk, standing, policy, notes)
    if row.faults or cover is None or not (reference and birth_date and policy):
        return None
    return Candidate(
        row=number,
        legacy_reference=reference,
        provider=desk.directory.fold(row.text("provider") or "", None),
        commissioner=(row.text("commissioner") or "").upper(),
        policy=policy,
        product=product,
        nhs_number=nhs_number,
        local_id=local_id,
        birth_date=birth_date,
        covers_from=cover.from_day,
        covers_to=cover.to_day,
        first_dose=cover.first_dose,
        ended_on=cover.ended_on,
        course_complete=standing is Standing.COMPLETE,
        notes=tuple(notes),
    )


# --- is it an approval, and whose -----------------------------------------------------------------


def _misshapen(row: _Row) -> bool:
    """Footers, headers on a new page, and rows whose cells have moved."""
    if any(not is_absent(cell) for cell in row.cells[row.sheet.width :]):
        row.faults.append(
            RowFault(None, "the row has more cells than the header, so its cells may have moved")
        )
    elif sum(not is_absent(cell) for cell in row.cells) < _FEWEST_CELLS:
        row.faults.append(RowFault(None, "the row is no approval: a title, a note or a total"))
    elif is_header(row.cells, row.layout):
        row.faults.append(RowFault(None, "the row is no approval: it repeats the header"))
    return bool(row.faults)


def _foreign(row: _Row, desk: Desk) -> bool:
    """Organisations that are not known, or rows that are not the caller's to import."""
    for name, kind in (("provider", "provider"), ("commissioner", "commissioner")):
        code = row.text(name)
        if code is None:
            row.refuse(name, "it is empty, so whose approval it is cannot be told")
            continue
        known = desk.directory.find(desk.directory.fold(code, None), None)
        if known is None or known.kind != kind:
            row.refuse(name, f"it is not the code of a {kind} that is known here")
    if row.faults:
        return True
    by_commissioner = desk.caller.role is Role.COMMISSIONER
    name = "commissioner" if by_commissioner else "provider"
    if desk.directory.fold(row.text(name) or "", None) != desk.caller.organisation:
        row.refuse(name, "the row belongs to another organisation, which can import it itself")
    return bool(row.faults)


def _standing(row: _Row) -> Standing | None:
    text = row.text("status")
    if text is None:
        row.refuse("status", "it is empty, so whether the request was approved is not known")
        return None
    standing = row.layout.statuses.get(normal(text))
    if standing is None:
        row.refuse("status", "what this status means for coverage is not known")
    elif standing is Standing.NO_COVERAGE:
        row.refuse("status", "this status gives no coverage, so there is no approval to import")
    return standing


# --- who, and for what ----------------------------------------------------------------------------


def _reference(row: _Row) -> str | None:
    text = row.text("legacy_reference")
    if text is None:
        row.refuse("legacy_reference", "it is empty, so a repeat could not be known again")
        return None
    if _REFERENCE.fullmatch(text.upper()) is None:
        row.refuse(
            "legacy_reference",
            "it holds other characters than letters, digits, spaces and / _ . - or is too long",
        )
    return text.upper()


def _identity(row: _Row) -> tuple[str | None, str | None]:
    local_id = row.text("local_id")
    if local_id is not None and _LOCAL_ID.fullmatch(local_id) is None:
        row.refuse("local_id", "it is no hospital number: up to 20 letters, digits and / _ . -")
    written = row.text("nhs_number")
    if written is None:
        if local_id is None:
            row.refuse("nhs_number", "neither an NHS number nor a hospital number is given")
        return None, local_id
    try:
        return parse_nhs_number(written), local_id
    except InvalidNhsNumber as error:
        row.refuse("nhs_number", error.reason)
        return None, local_id


def _drug(row: _Row, desk: Desk) -> Recognition | None:
    name = row.text("drug")
    found = desk.dictionary.recognise(None, name, None)
    if found.drug is None:
        several = "it names more than one drug" if found.candidates else "the drug is not known"
        row.refuse("drug", several if name else "it is empty")
        return None
    return found


def _policy(row: _Row, desk: Desk, drug: str) -> str | None:
    columns = ("policy", "form", "guidance", "indication")
    named = next((name for name in columns if row.text(name) is not None), "form")
    texts = [text for text in (row.text("form"), row.text("indication")) if text]
    key = row.text("policy")
    return row.read(
        named,
        lambda: policy_for(desk.policies, drug, key, row.text("guidance"), texts),
    )


def _product(row: _Row, desk: Desk, drug: Recognition, notes: list[str]) -> str | None:
    written = row.text("product")
    if written is None:
        return drug.product
    found = desk.dictionary.recognise(None, written, None)
    if found.drug is None:
        notes.append("The product is not known, so the approval is for any that the policy funds.")
        return drug.product
    if found.drug != drug.drug:
        row.refuse("product", "it is a product of another drug than the row names")
    elif drug.product and found.product and drug.product != found.product:
        row.refuse("product", "it is another product than the drug's own cell names")
    return found.product or drug.product


# --- the days it covers ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Days:
    from_day: dt.date
    to_day: dt.date | None
    first_dose: dt.date | None
    ended_on: dt.date | None


def _cover(
    row: _Row, desk: Desk, standing: Standing, policy: str | None, notes: list[str]
) -> _Days | None:
    """The days that the old approval covers: from its date to its expiry, or an earlier end.

    A start asked for or made before the approval is not covered: nothing says that it was.
    """
    approved, started = row.needed_day("approved_on"), row.day("started_on")
    requested = row.day("requested_start")
    expires = row.day("expires_on") or row.day("review_on")
    ended = _ended(row, desk, standing)
    if row.faults or approved is None:
        return None
    if approved > desk.today:
        row.refuse("approved_on", "it lies in the future")
    if started is not None and started > desk.today:
        row.refuse("started_on", "it lies in the future, so treatment has not started")
    if expires is not None and expires < approved:
        row.refuse("expires_on", "it is before the approval")
    if requested is not None and expires is not None and requested > expires:
        row.refuse("requested_start", "it is after the approval expires")
    if ended is not None and ended < approved:
        row.refuse("ended_on", "it is before the approval, so nothing was covered")
    if expires is None and ended is None and _has_length(desk, policy, approved):
        row.refuse("expires_on", "neither expiry nor review date is given, and none is assumed")
    first = min((day for day in (started, requested) if day), default=None)
    if first is not None and first < approved:
        notes.append("Treatment began or was to begin before the approval: covered from it only.")
    last = min((day for day in (expires, ended) if day), default=None)
    return _Days(approved, last, started, ended)


def _ended(row: _Row, desk: Desk, standing: Standing) -> dt.date | None:
    if standing is Standing.APPROVED:
        if row.text("ended_on") is not None:
            row.refuse("ended_on", "an end is given, but the status says that it runs: which?")
        return None
    ended = row.day("ended_on")
    if row.text("ended_on") is None:
        row.refuse("ended_on", "the status says that treatment ended, but not when")
    elif ended is not None and ended > desk.today:
        row.refuse("ended_on", "it lies in the future, but the status says that it has ended")
    return ended


def _has_length(desk: Desk, policy: str | None, approved: dt.date) -> bool:
    """Whether approvals under the policy end by themselves; then one without an end is faulty."""
    if policy is None:
        return True
    return last_day(approved, version_on(desk.library, policy, approved).approval) is not None


def version_on(library: Library, policy: str, day: dt.date) -> PolicyVersion:
    """The version in force on a day, or the first one for an earlier day."""
    versions = library.versions(policy)
    begun = [version for version in versions if version.in_force.from_ <= day]
    return begun[-1] if begun else versions[0]
