"""Importing the approvals of an old system (a Blueteq export): preview, accept, discard.

A preview is the acceptance itself, taken back: the same code runs inside a savepoint, so a row's
verdict can differ later only where something happened in between. The file's own bytes are not
kept; what its new rows say is kept until the import is accepted or discarded.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import RowMapping

from app.approvals import import_store
from app.approvals.errors import TransitionNotAllowed
from app.approvals.guessing import GuessesOfFile
from app.approvals.import_effects import import_one
from app.approvals.import_errors import ImportNotReadable, ImportTooLarge
from app.approvals.import_layout import Sheet, load_layout, read_sheet
from app.approvals.import_model import (
    Candidate,
    ImportPreview,
    ImportResult,
    ImportState,
    RowFault,
    RowVerdict,
    Verdict,
    candidate_from_json,
    candidate_to_json,
    verdict_from_json,
    verdict_to_json,
)
from app.approvals.import_policies import index_of
from app.approvals.import_rows import Desk, read_rows
from app.approvals.office import Office
from app.approvals.permissions import Action, check_can
from app.audit import Event
from app.auth.model import Caller
from app.db.work import Work
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory
from app.reference_data.tabular import NotATable, decode

MAX_BYTES = 16 * 1024 * 1024
#: All rows are taken in one transaction, at some ten milliseconds each, and on SQLite every other
#: writer waits for it.
MAX_ROWS = 2_000
_NAME_LENGTH = 200


def preview_import(
    work: Work,
    office: Office,
    dictionary: DrugDictionary,
    directory: OrganisationDirectory,
    caller: Caller,
    data: bytes,
    file_name: str,
) -> ImportPreview:
    """Store the file's rows with what accepting would do to each; nothing is imported yet.

    The same file leads to the same import: one that is not accepted is judged anew, an accepted
    one is shown as it was. Raises NotAllowed, or an ImportNotAccepted for the file as a whole.
    """
    check_can(caller, Action.IMPORT)
    sheet = _sheet(data)
    row = import_store.open_import(work, caller, _digest(data), _plain_name(file_name))
    if row["state"] == ImportState.ACCEPTED:
        return _preview(row)
    desk = Desk(
        caller=caller,
        today=work.moment.day,
        library=office.library_at(work),
        policies=index_of(office.library_at(work)),
        dictionary=dictionary,
        directory=directory,
        layout=load_layout(),
    )
    candidates, rejected = _agreeing(read_rows(sheet, desk))
    guesses = GuessesOfFile.of(work, caller, office.guesses)
    trial = work.savepoint()
    verdicts = _import_all(work, office, caller, candidates, guesses)
    trial.rollback()
    guesses.count(work)
    rows = _plain(rejected) + _foreseen(verdicts, candidates)
    _save(work, caller, row["id"], "import previewed", ImportState.PREVIEWED, rows)
    return find_import(work, caller, row["id"])


def find_import(work: Work, caller: Caller, import_id: str) -> ImportPreview:
    """An import of the caller's organisation, with its verdicts; NotFound otherwise."""
    check_can(caller, Action.IMPORT)
    return _preview(import_store.find_import(work, caller, import_id))


def accept_import(work: Work, office: Office, caller: Caller, import_id: str) -> ImportResult:
    """Import the rows that the preview called new; each is judged again as things stand now.

    Accepting twice gives the first answer again. Raises NotFound, or TransitionNotAllowed for an
    import that was discarded.
    """
    check_can(caller, Action.IMPORT)
    row = import_store.find_import(work, caller, import_id, lock=True)
    if row["state"] == ImportState.DISCARDED:
        raise TransitionNotAllowed("This import was discarded. Preview the file again first.")
    if row["state"] == ImportState.PREVIEWED:
        kept = [candidate_from_json(r["candidate"]) for r in row["rows"] if "candidate" in r]
        settled = [verdict_from_json(r) for r in row["rows"] if "candidate" not in r]
        guesses = GuessesOfFile.of(work, caller, office.guesses)
        verdicts = settled + _import_all(work, office, caller, kept, guesses)
        guesses.count(work)
        by = {"accepted_at": work.moment.instant, "accepted_by": caller.id}
        rows = _plain(verdicts)
        _save(work, caller, import_id, "import accepted", ImportState.ACCEPTED, rows, by)
    accepted = import_store.find_import(work, caller, import_id)
    return ImportResult(
        import_id, ImportState(accepted["state"]), accepted["file_name"], _verdicts(accepted)
    )


def discard_import(work: Work, caller: Caller, import_id: str) -> ImportPreview:
    """Forget what a preview read of its patients; the verdicts stay. Previewing again revives it.

    Raises TransitionNotAllowed once it is accepted.
    """
    check_can(caller, Action.IMPORT)
    row = import_store.find_import(work, caller, import_id, lock=True)
    if row["state"] == ImportState.ACCEPTED:
        raise TransitionNotAllowed(
            "This import is accepted. Correct or end the treatments it brought one by one."
        )
    rows = _plain(_verdicts(row))
    _save(work, caller, import_id, "import discarded", ImportState.DISCARDED, rows)
    return find_import(work, caller, import_id)


# --- reading the file -----------------------------------------------------------------------------


def _sheet(data: bytes) -> Sheet:
    try:
        text, _ = decode(data, MAX_BYTES)
        sheet = read_sheet(text, load_layout())
    except NotATable as error:
        raise ImportNotReadable(str(error)) from None
    if len(sheet.rows) > MAX_ROWS:
        raise ImportTooLarge(
            f"The file holds {len(sheet.rows)} rows, and one import takes {MAX_ROWS} at most. "
            "Send it in parts, each with the header row."
        )
    return sheet


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _plain_name(file_name: str) -> str:
    """The name without its folder and without characters that do not print."""
    last = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:_NAME_LENGTH] or "unnamed"


def _agreeing(
    read: Iterable[Candidate | tuple[int, tuple[RowFault, ...]]],
) -> tuple[list[Candidate], list[RowVerdict]]:
    """The candidates, and verdicts on the rows that cannot be any.

    Rows that share a reference and differ are all rejected, since which one is right cannot be
    told. A row that repeats another word for word stays: it is found to be imported already.
    """
    verdicts: list[RowVerdict] = []
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for item in read:
        if isinstance(item, Candidate):
            groups.setdefault(item.key, []).append(item)
        else:
            verdicts.append(RowVerdict(item[0], Verdict.REJECTED, item[1]))
    agreeing: list[Candidate] = []
    for group in groups.values():
        if all(other.same_as(group[0]) for other in group):
            agreeing += group
        else:
            verdicts += [_at_odds(one) for one in group]
    return agreeing, verdicts


def _at_odds(row: Candidate) -> RowVerdict:
    why = RowFault(None, "other rows of the file have the same reference and differ: keep one")
    return RowVerdict(row.row, Verdict.REJECTED, (why,), legacy_reference=row.legacy_reference)


# --- importing and storing ------------------------------------------------------------------------


def _import_all(
    work: Work,
    office: Office,
    caller: Caller,
    candidates: Sequence[Candidate],
    guesses: GuessesOfFile,
) -> list[RowVerdict]:
    """Import in the order of coverage, so that a treatment's first approval opens it."""
    for provider in sorted({candidate.provider for candidate in candidates}):
        import_store.hold_provider(work, provider)
    ordered = sorted(candidates, key=lambda candidate: (candidate.covers_from, candidate.row))
    library = office.library_at(work)
    return [import_one(work, library, caller, candidate, guesses) for candidate in ordered]


def _foreseen(trial: Sequence[RowVerdict], candidates: Iterable[Candidate]) -> list[dict[str, Any]]:
    """The verdicts of a trial as a preview stores them.

    What was accepted there is new, and the references minted there are not real. Beside a new row,
    and one that repeats it, stands what accepting needs to know of it.
    """
    by_row = {candidate.row: candidate for candidate in candidates}
    minted = {verdict.reference for verdict in trial if verdict.verdict is Verdict.ACCEPTED}
    stored = []
    for verdict in trial:
        if verdict.reference is None or verdict.reference not in minted:
            stored.append(verdict_to_json(verdict))
            continue
        is_new = verdict.verdict is Verdict.ACCEPTED
        foreseen = replace(
            verdict,
            verdict=Verdict.NEW if is_new else verdict.verdict,
            notes=verdict.notes if is_new else ("It repeats another row of the file.",),
            reference=None,
            treatment_id=None,
        )
        kept = candidate_to_json(by_row[verdict.row])
        stored.append({**verdict_to_json(foreseen), "candidate": kept})
    return stored


def _plain(verdicts: Iterable[RowVerdict]) -> list[dict[str, Any]]:
    return [verdict_to_json(verdict) for verdict in verdicts]


def _save(
    work: Work,
    caller: Caller,
    import_id: str,
    action: str,
    state: ImportState,
    rows: list[dict[str, Any]],
    changes: dict[str, Any] | None = None,
) -> None:
    rows = sorted(rows, key=lambda row: int(row["row"]))
    counts = {v.value: sum(row["verdict"] == v for row in rows) for v in Verdict}
    event = Event(
        action=action,
        object_type="approval_import",
        object_id=import_id,
        after={"state": state.value, "rows": len(rows), **counts},
    )
    changed = {"state": state.value, "rows": rows, **(changes or {})}
    import_store.save_import(work, caller, import_id, event, changed)


def _preview(row: RowMapping) -> ImportPreview:
    return ImportPreview(row["id"], ImportState(row["state"]), row["file_name"], _verdicts(row))


def _verdicts(row: RowMapping) -> tuple[RowVerdict, ...]:
    return tuple(verdict_from_json(stored) for stored in row["rows"])
