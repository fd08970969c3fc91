"""A draft's text is checked in the library that it would join, and never raises."""

import pytest

from app.approvals.library import Library
from app.authoring.draft_check import CheckedDraft, check_draft
from app.policy import Shelf
from tests.unit.policy.makers import make_policy

LIBRARY = Library((make_policy(),))


def checked(text: str) -> CheckedDraft:
    return check_draft(text, LIBRARY, Shelf(), lambda _: "", {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases: []\n", "a file of worked cases"),
        ("area: x\nquestions: {}\n", "a file of shared questions"),
        ("drugs: [x]\ndecide: refer\n", "a file of safety notice"),
        ("x" * 300_000, "over 256 KB"),
        ("", ""),
        ("[" * 3000, ""),
        ("policy: &a x\ntitle: *a\n", "Anchors"),
        ("policy: \x07", ""),
        ("# DECIDE: which dose.\npolicy: x\n", ""),
    ],
)
def test_what_does_not_load_has_faults_and_nothing_else(text: str, says: str) -> None:
    found = checked(text)
    assert found.found is None
    assert not found.sound
    assert found.faults
    assert says in " ".join(map(str, found.faults))


def test_a_remark_ends_as_a_sentence() -> None:
    for each in checked("policy: x\ntitle: 1\n").faults:
        assert str(each).endswith((".", "?", "!"))
        assert not str(each).endswith(("?.", ".."))
