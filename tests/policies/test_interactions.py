"""How many interactions each packaged continuation takes of a clinician for a known patient.

No more than eight, with nothing typed that is known, but for those in `LONGER`.

Counted from an approved case of each, or a referred one where the policy approves none: one that
all its criteria let go on, and that people decide because its panel decides every request. Without
the answers that its decision does not need (they may stay empty): to begin, the one choice that
confirms what is on record, each answer that is asked anew, a press for each page, and the sending,
which takes one press more where the page is not sent from. "None of these" is one choice for all
its boxes. The
day of a review is one choice, of the day of the decision or of the weeks before; an older one is
the one box for the day of all values of a visit, and three boxes where the page has none. Of an
acute episode height and weight stand in their fields, for the repeat of a few days later, and the
height of an adult always; of measures that were scored before treatment the rows stand there too,
so that a score is one number. The first course of immunoglobulin began on a recorded day, so that
how many there were and how long ago is confirmed with the rest. `interactions.txt` lists the
counts, so a change that makes a form longer is seen; seven of them are walked in Chromium besides
(`tests/browser/test_continuations.py`).
"""

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from app.approvals import recorded_course
from app.approvals.checking import DryRun
from app.approvals.lasting import BEFORE, Approved, Standing, rows_before, still_serves
from app.approvals.recorded_course import LONGEST, is_of_the_course
from app.approvals.recorded_dose import is_of_the_dose
from app.approvals.recorded_facts import may_be_confirmed
from app.policy import Kind, Outcome, PolicyDecision, PolicyVersion, Question, QuestionType
from app.policy.cases import Case, run_cases
from app.web.form import shared_day
from app.web.form.none_of import members
from app.web.form.same_day import REVIEWS
from app.web.form.steps import Step, steps_of
from app.web.form.typed import bare
from app.web.sending import is_the_panels_alone
from tests.policies.library import cases, folders, versions
from tests.policies.test_prefilled import continued, filled_in

LISTED: Final = Path(__file__).parent / "interactions.txt"
GOAL: Final = 8
_BOXES: Final = 3
#: What takes more than the goal, how many, and what it asks of now. None may take more than this.
_TAPERED: Final = (
    "whether each of three measures improved, the weight, whether the taper is followed, whether "
    "it was withdrawn without relapse, the day of the review, complications; from the second year "
    "on the day of the last trial of withdrawal, in three boxes"
)
LONGER: Final = {
    "immunoglobulin-cidp-long": (14, _TAPERED),
    "immunoglobulin-mmn-long": (14, _TAPERED),
    "immunoglobulin-immunobullous": (
        10,
        "the weight, the benefit, the day of the review, complications; the day of the last "
        "attempt to withdraw, in three boxes",
    ),
    "immunoglobulin-stiff-person-long": (
        10,
        "whether each of two measures improved, the weight, whether the taper is followed, whether "
        "it was withdrawn without relapse, the day of the review, complications",
    ),
    "immunoglobulin-myasthenia-long": (
        9,
        "a score, the weight, the benefit, whether it was withdrawn without relapse, the day of "
        "the review, complications",
    ),
}
#: Packaged continuations that have no worked case to count.
UNCOUNTED: Final = frozenset[str]()


@dataclass(frozen=True)
class Count:
    """Interactions where the day of a review is chosen, how many more where it is typed; pages;
    and whether people decide the case."""

    chosen: int
    more: int
    pages: int
    referred: bool = False


def continuations() -> Iterator[tuple[str, Count]]:
    """Each continuation that has a case under its newest version that goes on: its shortest.

    An approved one, or else of those that are referred one with the fewest reasons: a score that
    falls short is a short form too, and not the one of whoever goes on.
    """
    for folder in folders():
        held = versions(folder)
        newest = max(held.values(), key=lambda each: (each.in_force.from_, each.version))
        plain = [
            (each, decided(newest, each))
            for each in cases(folder)
            if each.kind is Kind.CONTINUATION
            and each.version == newest.version
            and each.expect.outcome in (Outcome.APPROVED, Outcome.REFERRED)
            and not each.waived
            and not each.overrides
        ]
        if plain:
            fewest = min(map(stands_against, plain))
            going_on = [each for each in plain if stands_against(each) == fewest]
            found = [counted(newest, needed(newest, case), reached) for case, reached in going_on]
            yield folder.name, min(found, key=lambda each: (each.chosen, each.more))


def decided(version: PolicyVersion, case: Case) -> PolicyDecision:
    (result,) = run_cases({version.version: version}, [case])
    assert result.decision is not None, (version.policy, case.name)
    return result.decision


def stands_against(case: tuple[Case, PolicyDecision]) -> int:
    """For how many reasons people decide it; none where the policy approves it."""
    _, reached = case
    return len(reached.reasons) if reached.outcome is Outcome.REFERRED else 0


def needed(version: PolicyVersion, case: Case) -> Case:
    """The case without the answers asked anew that its decision does not need."""
    reached = decided(version, case)
    for name in case.answers:
        if is_on_record(version, name, case):
            continue
        fewer = {other: answer for other, answer in case.answers.items() if other != name}
        shorter = replace(case, answers=fewer)
        if is_the_same(version, shorter, reached):
            case = shorter
    return without_columns(version, case, reached)


def without_columns(version: PolicyVersion, case: Case, reached: PolicyDecision) -> Case:
    """The case without what its lists ask anew and its decision does not need."""
    for name, rows in case.answers.items():
        if not (version.questions[name].fields and isinstance(rows, list)):
            continue
        asked = [e for e in version.questions[name].fields if e not in BEFORE.get(name, ())]
        for column in asked:
            less = [{k: v for k, v in row.items() if k != column} for row in case.answers[name]]
            shorter = replace(case, answers={**case.answers, name: less})
            if all(less) and is_the_same(version, shorter, reached):
                case = shorter
    return case


def is_the_same(version: PolicyVersion, case: Case, reached: PolicyDecision) -> bool:
    """Whether the case comes to the same outcome for the same reasons."""
    (result,) = run_cases({version.version: version}, [case])
    now = result.decision
    return now is not None and (now.outcome, now.reasons) == (reached.outcome, reached.reasons)


def is_on_record(version: PolicyVersion, name: str, case: Case) -> bool:
    """Whether a known patient's form has it; of an episode, in a repeat on the next day."""
    question = version.questions[name]
    return (
        filled_in(version, question, None)
        or is_confirmed(question, case)
        or stands(version, question, case)
    )


def stands(version: PolicyVersion, question: Question, case: Case) -> bool:
    """Whether a size of the body that was measured on the day before stands in the field."""
    decided = case.context.decision_to_treat
    measured_on = (decided - dt.timedelta(days=1)).isoformat()
    answer = {"value": "1", "measured_on": measured_on} if question.measured else {}
    found = still_serves(
        version,
        question,
        Kind.CONTINUATION,
        answer,
        Approved(decided),
        decided,
        case.context.birth_date,
    )
    return question.measured and found is Standing.LASTS


def is_confirmed(question: Question, case: Case) -> bool:
    """Whether the one choice gives it: a fact, the dose that was approved, or what is counted."""
    return (
        may_be_confirmed(question)
        or is_of_the_dose(question.name)
        or is_counted(question, case)
    )


def is_counted(question: Question, case: Case) -> bool:
    """Whether the answer is the one that the case's first dose gives, recorded as the only one."""
    begun, decided = case.context.first_dose, case.context.decision_to_treat
    if not is_of_the_course(question) or begun is None or begun + LONGEST >= decided:
        return False
    told: Any = SimpleNamespace(first_dose=begun)
    answer = case.answers.get(question.name)
    return bool(bare(answer) == bare(recorded_course.counted(question, told, decided)))


def counted(version: PolicyVersion, case: Case, reached: PolicyDecision) -> Count:
    """All of them, for the answers of a case that comes to this decision."""
    steps = steps_of(version, Kind.CONTINUATION)
    asked = {question.name for step in steps for question in step.questions}
    given = {name: answer for name, answer in case.answers.items() if name in asked}
    anew = {name: given[name] for name in given if not is_on_record(version, name, case)}
    confirms = any(is_confirmed(version.questions[name], case) for name in given)
    referred = reached.outcome is Outcome.REFERRED
    alone = is_the_panels_alone(DryRun(version, Kind.CONTINUATION, reached, None))
    # One page is sent from, unless people decide for a reason to read first; of more each leads
    # on, to the check.
    at_once_sent = len(steps) == 1 and (alone or not referred)
    presses = 1 if at_once_sent else len(steps) + 1
    together = {e.name for step in steps for e in members(version, Kind.CONTINUATION, step)}
    at_once = {name for name in together & anew.keys() if anew[name] is False}
    if any(anew.get(name) for name in together):
        at_once = set()  # with one that applies the others are asked one by one
    typed = min(1, len(at_once))
    typed += sum(answered_by(version.questions[e], anew[e]) for e in anew if e not in at_once)
    shared = {e.name for step in steps for e in shared_day.members(open_of(step, case))}
    reviews = sum(name in REVIEWS and name not in shared for name in anew)
    return Count(1 + confirms + typed + presses, reviews * (_BOXES - 1), len(steps), referred)


def open_of(step: Step, case: Case) -> list[Question]:
    """The questions of a page that do not stand folded away under what is confirmed."""
    return [each for each in step.questions if not is_confirmed(each, case)]


def answered_by(question: Question, answer: Any) -> int:
    """The interactions of one answer; a list takes its cells, and a press for each further row.

    Rows that were begun before treatment stand there: what was not known then is left to give.
    """
    begun = rows_before(question, Kind.CONTINUATION, {"value": answer})
    if begun and len(begun) == len(answer):
        return max(1, sum(len(row) - len(BEFORE[question.name]) for row in answer))
    if question.fields:
        return max(1, sum(len(row) for row in answer) + len(answer) - 1)
    return _BOXES if question.type is QuestionType.DATE and question.name not in REVIEWS else 1


def test_what_each_continuation_takes_is_the_list_that_was_looked_through() -> None:
    found = sorted(continuations(), key=lambda each: (-each[1].chosen, -each[1].more, each[0]))
    text = "".join(f"{line(name, count)}\n" for name, count in found)
    if "ASSENT_WRITE_GUIDES" in os.environ:
        LISTED.write_text(text, encoding="utf-8")
    assert text == LISTED.read_text(encoding="utf-8")
    longer = {name: count.chosen for name, count in found if count.chosen > GOAL}
    assert longer == {name: most for name, (most, _) in LONGER.items()}


def test_every_packaged_continuation_is_counted_or_named() -> None:
    asked = {name for name, _ in continued()}
    assert len(asked) > 200
    assert asked - {name for name, _ in continuations()} == UNCOUNTED


def line(name: str, count: Count) -> str:
    typed = f", or {count.chosen + count.more} with a review of before" if count.more else ""
    people = "; counted by a case that the panel decides" if count.referred else ""
    pages = f"{count.pages} page{'s' if count.pages > 1 else ''}"
    return f"{name}: {count.chosen}{typed}; {pages}{people}"
