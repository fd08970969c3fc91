"""What an area's policies share is taken by one of them at least, and leaves no trace."""

from __future__ import annotations

from collections import defaultdict

import pytest

from app.policy.document import read
from tests.policies.library import POLICIES, folders, shelf, versions

# The file of immunoglobulin also holds fields of real request forms that no policy asks yet.
AHEAD = "immunoglobulin"
SHARED = [(area, day, name) for (area, day), q in shelf().questions.items() for name in q["questions"]]


def takers() -> dict[tuple[str, str, str], set[str]]:
    """The policies that take each shared question, by area, day and name."""
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for folder in folders():
        for path in folder.glob("[0-9]*.yaml"):
            data = read(path.read_text("utf-8"), path.name).data
            for name, value in (data["questions"] or {}).items():
                if value == "shared":
                    found[folder.parent.name, data["shared"], name].add(data["policy"])
    return found


def test_every_shared_question_is_taken_by_a_policy():
    taken = takers()
    assert len(SHARED) > 150
    assert [each for each in SHARED if not taken[each] and each[0] != AHEAD] == []


@pytest.mark.parametrize("area", ["rheumatology", "immunoglobulin", "multiple-sclerosis"])
def test_a_version_holds_its_shared_questions_in_full(area):
    folder = sorted((POLICIES / area).glob("*/"))[0]
    for version in versions(folder).values():
        assert all(question.label for question in version.questions.values())
        assert '"shared"' not in version.resolved
