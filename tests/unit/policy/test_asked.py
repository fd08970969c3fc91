"""Which questions a criterion looks at, and which can still matter."""

import datetime as dt

import pytest

from app.policy import Context, Kind, Section, open_questions, parse_answers
from app.policy.asked import questions_of
from tests.policies.library import POLICIES, all_versions, versions

DAY = dt.date(2026, 6, 1)


def test_every_criterion_that_looks_at_answers_names_their_questions() -> None:
    for version in all_versions():
        for section in Section:
            found = questions_of(version, section)
            assert list(found) == [each.id for each in version.criteria(section)]
            assert all(name in version.questions for names in found.values() for name in names)


@pytest.mark.parametrize(
    ("criterion", "names"),
    [
        ("ADA-1", ()),
        ("ADA-3", ("das28_at_start",)),
        ("ADA-4", ("csdmards",)),
        ("ADA-5", ("with_methotrexate", "methotrexate_unsuitable")),
        ("ADA-9", ("dose_mg", "dose_interval_days")),
    ],
)
def test_questions_behind_counts_are_among_them(criterion: str, names: tuple[str, ...]) -> None:
    held = versions(POLICIES / "rheumatology" / "adalimumab-ra-severe")
    assert questions_of(held["2016-01-26.1"], Section.START)[criterion] == names


def test_a_criterion_that_failed_does_not_close_the_questions_of_others() -> None:
    version = versions(POLICIES / "rheumatology" / "adalimumab-ra-severe")["2016-01-26.1"]
    raw = {"das28_at_start": "3.0", "with_methotrexate": True}
    answers = parse_answers(version, Kind.INITIATION, raw, decision_to_treat=DAY, today=DAY)
    context = Context(DAY, birth_date=dt.date(1970, 1, 1))
    found = open_questions(version, Kind.INITIATION, answers, context)
    assert "screened" in found
    assert "methotrexate_unsuitable" not in found, "it cannot matter any more"
    assert "das28_at_start" not in found
