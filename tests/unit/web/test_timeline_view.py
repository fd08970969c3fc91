"""A timeline in words: days, what stands together on them, and what is said to be missing."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from app.api.timeline_model import (
    CourseDocument,
    EntryDocument,
    ScoreDocument,
    SupplyDocument,
    TimelineDocument,
)
from app.api.treatments_model import PatientDocument, TreatmentSummary
from app.approvals.happenings import Happened
from app.approvals.lifecycle import RequestState
from app.policy import Kind
from app.reconciliation import LineOutcome
from app.web.timeline.view import TimelineView, TreatmentRow, timeline_view

PATIENT = PatientDocument(
    id=None,
    linked_to=None,
    pseudonym="P",
    nhs_number=None,
    no_nhs_number_reason=None,
    local_id=None,
    birth_date=None,
    birth_year=1970,
    sex="female",
    died_on=None,
    objects_to_display=False,
)
TREATMENT = TreatmentSummary(
    id="t",
    drug="adalimumab",
    indication="ra",
    policy="adalimumab-ra-severe",
    provider="DEMO1",
    commissioner="DEMQ1",
    first_dose=None,
    not_started_on=None,
    stopped_on=None,
    version=1,
)


def day(number: int) -> dt.date:
    return dt.date(2026, 6, number)


def entry(what: Happened, number: int, **more: Any) -> EntryDocument:
    empty: dict[str, Any] = dict.fromkeys(EntryDocument.model_fields)
    told: dict[str, Any] = {
        "day": day(number),
        "what": what,
        "treatment_id": "t",
        "drug": "adalimumab",
    }
    return EntryDocument(**empty | told | more)


def request(what: Happened, number: int, **more: Any) -> EntryDocument:
    same = {"request_id": "r", "request_kind": Kind.INITIATION, "provider": "DEMO1"}
    return entry(what, number, request_state=RequestState.APPROVED, **(same | more))


def supply(number: int, outcome: LineOutcome, treatment: str = "t") -> SupplyDocument:
    return SupplyDocument(
        day=day(number),
        treatment_id=treatment,
        drug="adalimumab",
        provider="DEMO1",
        product="imraldi",
        quantity=Decimal(2),
        unit="pens",
        outcome=outcome,
        amount=Decimal("638.3"),
        run="run",
        row=number,
    )


def score(number: int, value: str, label: str, *, is_dated: bool = True) -> ScoreDocument:
    return ScoreDocument(
        day=day(number),
        is_dated=is_dated,
        value=Decimal(value),
        label=label,
        treatment_id="t",
        drug="adalimumab",
        request_id="r",
    )


def view(**parts: Any) -> TimelineView:
    whole: dict[str, Any] = {
        "treatment_id": "t",
        "patient": PATIENT,
        "treatments": [TREATMENT],
        "treatments_left_out": False,
        "entries": [],
        "entries_left_out": False,
        "courses": [],
        "values_erased": False,
        "supplies": [],
        "supplies_left_out": False,
        "supplies_state": "listed",
    }
    return timeline_view(TimelineDocument(**whole | parts), reconciles=True)


def test_days_come_newest_first_and_supplies_in_a_row_stand_together() -> None:
    sent = request(Happened.SENT, 1, policy_version="2016-01-26", policy_title="The policy")
    decided = request(Happened.DECIDED, 1, outcome="approved", by="policy")
    matched, late = LineOutcome.MATCHED, LineOutcome.APPROVED_LATE
    shown = view(
        entries=[sent, decided, entry(Happened.STOPPED, 20, reason="remission")],
        supplies=[supply(3, matched), supply(9, matched), supply(10, late), supply(25, matched)],
    )

    assert [each.when for each in shown.days] == [
        "25 June 2026", "20 June 2026", "3 June 2026 to 10 June 2026", "1 June 2026"
    ]  # fmt: skip
    (group,) = shown.days[2].told
    assert group.words.startswith("3 supplies by")
    assert group.words.endswith(": 2 matched, 1 approved late")
    assert group.supplies[0].href == "/submissions/runs/run/lines/3"
    assert (group.supplies[0].quantity, group.supplies[0].amount) == ("2 pens", "£638.30")
    (first,) = shown.days[3].told
    assert (first.link, first.href) == ("Initiation", "/requests/r")
    assert first.words.endswith("policy version 2016-01-26: approved by the policy")
    assert shown.treatments == (TreatmentRow("/treatments/t", "The policy", draft=False),)


@pytest.mark.parametrize(
    ("versions", "draft", "said"),
    [
        ((True,), True, ["policy version 1, a draft"]),
        ((False,), False, ["policy version 1"]),
        ((True, False), False, ["policy version 2", "policy version 1, a draft"]),
        ((False, True), True, ["policy version 2, a draft", "policy version 1"]),
    ],
)
def test_a_draft_is_told_of_each_request_and_of_the_newest_beside_the_title(
    versions: tuple[bool, ...], draft: bool, said: list[str]
) -> None:
    sent = [
        request(
            Happened.SENT, n, request_id=f"r{n}", policy_version=str(n), policy_title="The policy",
            policy_unverified=unverified,
        )
        for n, unverified in enumerate(versions, 1)
    ]  # fmt: skip
    shown = view(entries=sent)
    assert [each.draft for each in shown.treatments] == [draft]
    told = [each.words.partition("policy")[2] for each_day in shown.days for each in each_day.told]
    assert [f"policy{words}" for words in told] == said


def test_each_of_two_requests_of_a_day_is_told_with_its_own_decision() -> None:
    entries = [
        request(what, 1, request_id=id, request_kind=kind, **more)
        for what, more in (
            (Happened.SENT, {}),
            (Happened.DECIDED, {"outcome": "approved", "by": "policy"}),
        )
        for id, kind in (("a", Kind.INITIATION), ("b", Kind.CONTINUATION))
    ]
    (day,) = view(entries=entries).days
    assert [each.link for each in day.told] == ["Initiation", "Continuation"]
    assert all(each.words.endswith(": approved by the policy") for each in day.told)


def test_supplies_of_two_treatments_are_kept_apart() -> None:
    other = TREATMENT.model_copy(update={"id": "u"})
    matched = LineOutcome.MATCHED
    shown = view(
        treatments=[TREATMENT, other],
        supplies=[supply(3, matched), supply(4, matched, "u"), supply(5, matched)],
    )
    assert [len(each.told[0].supplies) for each in shown.days] == [1, 1, 1]


def test_an_approval_whose_request_the_reader_may_not_see_leads_nowhere() -> None:
    shown = view(
        entries=[entry(Happened.APPROVED, 1, reference="PA1", request_id="r", basis="policy")]
    )
    (told,) = shown.days[0].told
    assert (told.link, told.href) == ("Approval PA1", "")


def test_a_score_is_said_as_a_course_and_drawn_from_two_values_on() -> None:
    several = [score(1, "6.1", "DAS28 before"), score(9, "3.0", "DAS28 now", is_dated=False)]
    course = CourseDocument(name="das28", title="DAS28", unit=None, scores=several)
    single = CourseDocument(name="igg", title="IgG", unit="g/L", scores=[score(1, "4.5", "IgG")])
    first, second = view(courses=[course, single]).courses

    assert (first.said, first.all_dated) == ("6.1, then 3.0", False)
    assert first.drawing is not None
    assert [each.text for each in first.drawing.dots] == ["6.1", "3.0"]
    assert float(first.drawing.dots[0].y) < float(first.drawing.dots[1].y), "the higher is above"
    assert (second.title, second.said) == ("IgG, g/L", "4.5 g/L, on 1 June 2026")
    assert second.drawing is None


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"values_erased": True}, "erased"),
        ({"treatments_left_out": True}, "more treatments"),
        ({"entries_left_out": True}, "Earlier steps"),
        ({"supplies_left_out": True}, "newest 0"),
        ({"supplies_state": "not all listed yet"}, "may be missing"),
    ],
)
def test_what_is_missing_is_said(parts: dict[str, Any], said: str) -> None:
    (note,) = view(**parts).notes
    assert said in note
    assert view().notes == ()
