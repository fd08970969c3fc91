"""A form's pages: one section on each, and of a continuation each section under its own heading."""

from collections.abc import Iterator

import pytest

from app.policy import Kind, PolicyVersion, questions_for
from app.web.form.steps import MOST_ELSEWHERE, MOST_ON_A_PAGE, Step, blocks_asking, steps_of
from tests.policies.library import POLICIES, folders, versions

ADALIMUMAB = POLICIES / "rheumatology" / "adalimumab-ra-severe"
_WEIGHTS = {"list": 4}


def newest(folder: object) -> PolicyVersion:
    return max(versions(folder).values(), key=lambda each: each.in_force.from_)  # type: ignore[arg-type]


def everything(kind: Kind) -> Iterator[tuple[str, tuple[Step, ...], PolicyVersion]]:
    for folder in folders():
        version = newest(folder)
        yield folder.name, steps_of(version, kind), version


def size(step: Step) -> int:
    return sum(_WEIGHTS.get(each.type.value, 1) for each in step.questions)


@pytest.mark.parametrize("kind", [Kind.INITIATION, Kind.CONTINUATION])
def test_every_question_stands_on_one_page_and_no_page_asks_too_much(kind: Kind) -> None:
    most = MOST_ON_A_PAGE.get(kind, MOST_ELSEWHERE)
    seen = 0
    for name, steps, version in everything(kind):
        asked = [each.name for step in steps for each in step.questions]
        assert sorted(asked) == sorted(each.name for each in questions_for(version, kind)), name
        for step in steps:
            seen += 1
            assert size(step) <= most or len(step.blocks) == 1, (name, step.key)
    assert seen > 100


def test_a_page_of_a_first_request_has_one_section_and_its_title() -> None:
    for name, steps, _ in everything(Kind.INITIATION):
        for step in steps:
            assert len({each.heading for each in step.blocks}) == 1, (name, step.key)
            assert step.title.partition(":")[0] == step.blocks[0].heading, (name, step.key)
            assert set(step.headings()) == {None}, "the title says it"


def test_a_page_of_several_sections_has_a_heading_for_each_and_a_title_for_all() -> None:
    mixed = 0
    for name, steps, _ in everything(Kind.CONTINUATION):
        for step in steps:
            sections = [each.heading for each in step.blocks]
            headings = [each for each in step.headings() if each is not None]
            title = step.title.partition(":")[0]
            if len(set(sections)) == 1:
                assert (title, headings) == (sections[0], []), (name, step.key)
                continue
            mixed += 1
            assert title == "Continuing the treatment", (name, step.key)
            assert headings == list(dict.fromkeys(sections)), "each once, in the form's order"
    assert mixed > 10


def test_the_continuation_of_adalimumab_is_one_page_of_two_sections() -> None:
    (step,) = steps_of(newest(ADALIMUMAB), Kind.CONTINUATION)
    assert step.title == "Continuing the treatment"
    headings = [each for each in step.headings() if each is not None]
    assert headings == ["Criteria to continue", "When the policy stops"]
    assert step.headings()[0] == "Criteria to continue"


def test_single_questions_stand_beside_the_criterion_that_looks_at_them_first() -> None:
    version = newest(ADALIMUMAB)
    wanted = [version.questions["dose_mg"], version.questions["das28_at_start"]]
    blocks = blocks_asking(version, Kind.INITIATION, wanted)
    assert [each.name for block in blocks for each in block.questions] == [
        "das28_at_start",
        "dose_mg",
    ]
    looked = {question.name: block.criterion for block in blocks for question in block.questions}
    assert looked["das28_at_start"] is not None
    assert "5.1" in looked["das28_at_start"].text
    assert looked["dose_mg"] is not None
    assert "40 mg" in looked["dose_mg"].text
