"""Which questions of the library stand in one list, and what the list may not hold."""

from collections.abc import Iterator

from app.policy import Kind, PolicyVersion, QuestionType, excluding
from app.web.form.none_of import OBSTACLES, chosen, members
from app.web.form.steps import Step, steps_of
from tests.policies.library import folders, versions

KINDS = (Kind.INITIATION, Kind.CONTINUATION)
#: A reason to stop, and good news: whoever looks for what went wrong reads past it.
GOOD_NEWS = (
    "bleeding_resolved",
    "stable_remission",
    "vision_improved_and_held",
    "withdrawn_without_relapse",
)


def pages() -> Iterator[tuple[PolicyVersion, Kind, Step]]:
    for folder in folders():
        held = versions(folder).values()
        version = max(held, key=lambda each: (each.in_force.from_, each.version))
        for kind in KINDS:
            for step in steps_of(version, kind):
                yield version, kind, step


def test_what_stands_in_a_list_is_an_obstacle_by_the_criteria_and_by_its_name() -> None:
    lists, named = 0, set()
    for version, kind, step in pages():
        found = members(version, kind, step)
        named |= excluding(version, kind)
        assert len(found) != 1, "one box is no list"
        lists += bool(found)
        for each in found:
            assert each.name in OBSTACLES & excluding(version, kind)
            assert each.type is QuestionType.BOOLEAN
    assert lists >= 80
    assert named >= OBSTACLES, "a name that no policy has any more"
    assert named >= set(GOOD_NEWS), "they are asked, each by itself"
    assert OBSTACLES.isdisjoint(GOOD_NEWS)


def test_none_answers_what_was_shown_and_no_other_question_of_the_page() -> None:
    for version, kind, step in pages():
        found = [each.name for each in members(version, kind, step)]
        if len(found) < 3:
            continue
        posted = {"none": "yes", **{f"box.{each}": "1" for each in found[:2]}}
        assert chosen(version, kind, step, posted) == (dict.fromkeys(found[:2], False), {})
        assert chosen(version, kind, step, {**posted, f"a.{found[0]}": "yes"})[0] == {}
        assert chosen(version, kind, step, {k: v for k, v in posted.items() if k != "none"}) == (
            {},
            {},
        )
        return
    raise AssertionError("no list of three")
