"""Drug names in words: what each costs, what it may mean, who said so. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import RowMapping

from app.reconciliation.scope import ALL_ORGANISATIONS
from app.reconciliation.spelling_review import UnknownName
from app.web.desk.common import drug_words
from app.web.words import day_words, instant_words


@dataclass(frozen=True, slots=True)
class UnknownRow:
    """A name in which no drug was recognised; suggestions are (key, words), the likest first.

    `waits`: the drug that somebody proposed it means, or None. It cannot be proposed again then.
    """

    name: str
    lines: int
    total: Decimal
    suggestions: tuple[tuple[str, str], ...]
    waits: str | None = None


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A name that was proposed or accepted."""

    id: str
    words: str
    drug: str
    state: str
    said: str
    may_accept: bool
    may_withdraw: bool


def unknown_rows(
    found: Iterable[UnknownName], known: Iterable[RowMapping] = ()
) -> tuple[UnknownRow, ...]:
    """The costliest first, as they came. `known`: what was proposed or accepted of the reader's."""
    proposed = {
        row["standing"]: drug_words(row["drug"])
        for row in known
        if row["standing"] is not None and row["organisation"] != ALL_ORGANISATIONS
    }
    return tuple(
        UnknownRow(
            each.example,
            each.lines,
            each.total,
            tuple((s.drug, f"{drug_words(s.drug)} ({s.score}% alike)") for s in each.suggestions),
            proposed.get(each.words),
        )
        for each in found
    )


def accepted_rows(
    found: Sequence[RowMapping], mine: Collection[str], names: Mapping[str, str]
) -> tuple[KnownRow, ...]:
    """Those that wait first, then the accepted ones, then those taken back.

    `mine`: the ids of the reader's credentials; nobody accepts what they proposed.
    `names`: of those who proposed, accepted and withdrew, by their ids.
    """
    rows = [_known(row, mine, names) for row in found]
    order = {"Proposed": 0, "Accepted": 1, "Withdrawn": 2}
    return tuple(sorted(rows, key=lambda row: (order[row.state], row.words)))


def _known(row: RowMapping, mine: Collection[str], names: Mapping[str, str]) -> KnownRow:
    own = row["organisation"] != ALL_ORGANISATIONS
    waits = row["accepted_on"] is None and row["withdrawn_at"] is None

    def did(what: str, by: str) -> str:
        who = names.get(row[by] or "")
        return f"{what} by {who}" if own and who else what

    state, who = "Proposed", did("Proposed", "proposed_by")
    said = f"{who}, {instant_words(row['proposed_at'])}"
    if row["withdrawn_at"] is not None:
        state = "Withdrawn"
        who = did("Taken back", "withdrawn_by")
        said = f"{who}, {instant_words(row['withdrawn_at'])}: {row['withdrawn_why']}"
    elif row["accepted_on"] is not None:
        state = "Accepted"
        who = did("Accepted", "accepted_by")
        said = f"{who}, used in runs made from {day_words(row['accepted_on'])}"
    if not own:
        said += "; for every organisation"
    return KnownRow(
        id=row["id"],
        words=row["words"],
        drug=drug_words(row["drug"]),
        state=state,
        said=said,
        may_accept=own and waits and row["proposed_by"] not in mine,
        may_withdraw=own and row["withdrawn_at"] is None,
    )
