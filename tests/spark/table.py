"""The table of cases, packed so that Spark runs it in as few runs as it takes."""

from dataclasses import replace
from typing import Any

from app.reconciliation import Snapshot
from app.reconciliation.engines import spark
from app.reconciliation.model import NO_EARLIER, MatchedLine
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.spec.test_reconciliation import CASES, check, submitted
from tests.unit.reconciliation.nasty import Case, pack


def table() -> list[tuple[list[dict[str, Any]], list[Case]]]:
    """The cases of the table, those together that share all but lines, approvals and requests."""
    drawn = [(case, _named(number, submitted(case))) for number, case in enumerate(CASES)]
    shared: list[Snapshot] = []
    for _, (_, snap) in drawn:
        if _shared(snap) not in shared:
            shared.append(_shared(snap))
    groups = [[pair for pair in drawn if _shared(pair[1][1]) == each] for each in shared]
    return [([case for case, _ in group], [its for _, its in group]) for group in groups]


def _named(number: int, case: Case) -> Case:
    """A case whose treatments no other has: supplies of one treatment are looked at together."""
    lines, snap = case
    spaced = tuple(
        replace(each, treatment_id=f"{each.treatment_id}#{number}") for each in snap.earlier.spaced
    )
    return lines, replace(
        snap,
        coverages=tuple(
            replace(each, treatment_id=f"{each.treatment_id}#{number}") for each in snap.coverages
        ),
        earlier=replace(snap.earlier, spaced=spaced),
    )


def _as_in_the_table(item: MatchedLine) -> MatchedLine:
    return replace(item, treatment_id=item.treatment_id and item.treatment_id.split("#")[0])


def _shared(snap: Snapshot) -> Snapshot:
    return replace(snap, coverages=(), pending=(), decisions=(), earlier=NO_EARLIER)


def check_table(on: spark.Running | spark.Cluster, most: int | None = None) -> None:
    """Every case of the table, in as few runs as it takes; or those of the `most` largest runs."""
    for cases, drawn in sorted(table(), key=lambda run: len(run[0]), reverse=True)[:most]:
        matched = iter(
            spark.match_submission(*pack(drawn), load_drugs(), load_organisations(), on=on)
        )
        for case, (lines, _) in zip(cases, drawn, strict=True):
            check(case, [_as_in_the_table(next(matched)) for _ in lines])
