"""The printed lifecycle is the one that runs."""

from pathlib import Path

from app.approvals.lifecycle import APPROVAL_TRANSITIONS, REQUEST_TRANSITIONS, diagram

DOCUMENT = Path(__file__).parents[3] / "docs" / "lifecycle.md"


def test_the_printed_lifecycle_is_fresh() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == diagram(), (
        "docs/lifecycle.md is stale: write app.approvals.lifecycle.diagram() to it"
    )


def test_the_diagram_draws_every_edge_once() -> None:
    arrows = [line.strip() for line in diagram().splitlines() if "-->" in line]
    requests = sum(len(targets) for targets in REQUEST_TRANSITIONS.values())
    assert len(arrows) == requests + len(APPROVAL_TRANSITIONS)
    drawn = diagram().split("## Approvals")
    for part in drawn:
        lines = [line for line in part.splitlines() if "-->" in line]
        assert len(lines) == len(set(lines))
