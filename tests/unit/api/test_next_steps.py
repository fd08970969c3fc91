"""What to do next is said for every state, and never reads as advice to end a treatment."""

import datetime as dt
import re
from dataclasses import replace

import pytest

from app.api import next_steps
from app.api.doses_given_model import OverturnedDocument
from app.api.panel_bodies import FundingBasis
from app.api.request_bodies import FollowUpKind, Sex
from app.approvals.ending import Ending
from app.approvals.identity import SEXES
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import ApprovalRecord, Basis
from app.policy import Kind, Outcome

FORBIDDEN = re.compile(
    r"\b(stop|stopping|end|discontinu\w*|ceas\w*|cancel\w*|halt\w*|withhold\w*)\b", re.IGNORECASE
)
TODAY = dt.date(2026, 6, 15)


def approval(state: ApprovalState, covers_to: dt.date | None) -> ApprovalRecord:
    return ApprovalRecord(
        id="a",
        reference="PA0000000000000",
        treatment_id="t",
        request_id=None,
        decision_id=None,
        state=state,
        basis=Basis.POLICY,
        covers_from=dt.date(2026, 1, 1),
        covers_to=covers_to,
        start_by=dt.date(2026, 3, 1),
        late=False,
        retrospective_reason=None,
        terms={},
        provider="DEMO1",
        commissioner="DEMQ1",
        policy_hash=None,
        legacy_reference=None,
        proved=True,
        issued_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        version=1,
    )


def doses_only(state: ApprovalState) -> ApprovalRecord:
    return replace(approval(state, TODAY), terms={"pattern": "doses given only"})


def ruling(paid: bool) -> OverturnedDocument:
    decided = dt.datetime(2026, 6, 15, 9, tzinfo=dt.UTC)
    days = {"from_day": dt.date(2026, 6, 5), "to_day": TODAY, "decided_at": decided}
    return OverturnedDocument(paid=paid, reference="PA1" if paid else None, **days)


SENTENCES = [
    *(next_steps.after_request(state, kind) for state in RequestState for kind in Kind),
    next_steps.after_request(RequestState.CRITERIA_NOT_MET, Kind.INITIATION, waivable=True),
    *(
        next_steps.after_approval(approval(state, to), None, TODAY)
        for state in ApprovalState
        for to in (None, dt.date(2026, 6, 14), dt.date(2026, 6, 15))
    ),
    *(next_steps.after_check(outcome, kind) for outcome in Outcome for kind in Kind),
    next_steps.begun_urgently(TODAY),
    *(
        next_steps.after_overturning(
            state, next_steps.after_request(state, Kind.INITIATION), ruling(paid), by
        )
        for state in RequestState
        for paid in (True, False)
        for by in (True, False)
    ),
    *(next_steps.after_approval(doses_only(state), TODAY, TODAY) for state in ApprovalState),
]


@pytest.mark.parametrize(
    "advice", ["Stop treatment.", "Discontinue the drug.", "The treatment must end.", "Cease it."]
)
def test_the_net_catches_such_advice(advice: str) -> None:
    assert FORBIDDEN.search(advice)


@pytest.mark.parametrize("sentence", sorted(set(SENTENCES)))
def test_no_sentence_reads_as_advice_to_end_a_treatment(sentence: str) -> None:
    recorded = sentence.replace("A stop is recorded, never refused", "")
    assert FORBIDDEN.search(recorded) is None
    assert sentence.endswith(".")


def test_the_panel_is_named_only_where_it_may_waive_what_is_not_met() -> None:
    refused = RequestState.CRITERIA_NOT_MET
    told = next_steps.after_request(refused, Kind.INITIATION)
    assert "panel" not in told
    assert "individual funding" in told
    waived = next_steps.after_request(refused, Kind.INITIATION, waivable=True)
    assert "Its clinician can send it to the panel" in waived
    approved = next_steps.after_request(RequestState.APPROVED, Kind.INITIATION, waivable=True)
    assert "panel" not in approved


@pytest.mark.parametrize("paid", [True, False])
def test_an_overturned_start_says_what_is_paid_and_that_care_is_for_the_clinician(
    paid: bool,
) -> None:
    step = next_steps.after_request(RequestState.DECLINED, Kind.INITIATION)
    told = next_steps.after_overturning(RequestState.DECLINED, step, ruling(paid), False)
    assert ("are paid for" in told) is paid
    assert ("are not paid for" in told) is not paid
    assert "5 June 2026" in told
    assert told.endswith(next_steps.CARE)
    for state in ApprovalState:
        said = next_steps.after_approval(doses_only(state), TODAY, TODAY)
        assert "continuation" not in said
        assert "Send" not in said


@pytest.mark.parametrize(
    "state",
    [ApprovalState.UNDER_QUERY, ApprovalState.WITHDRAWN, ApprovalState.ENTERED_IN_ERROR],
)
def test_bad_news_about_money_says_that_care_is_for_the_clinician(state: ApprovalState) -> None:
    assert next_steps.CARE in next_steps.after_approval(approval(state, None), None, TODAY)


def test_an_approval_whose_days_are_over_asks_for_a_continuation() -> None:
    over = next_steps.after_approval(approval(ApprovalState.LIVE, TODAY), None, TODAY)
    gone = next_steps.after_approval(
        approval(ApprovalState.LIVE, TODAY - dt.timedelta(days=1)), None, TODAY
    )

    assert "before the last covered day" in over
    assert "send a continuation now" in gone
    assert next_steps.CARE in gone


def days(
    reference: str,
    first: tuple[int, int],
    last: tuple[int, int],
    state: ApprovalState = ApprovalState.LIVE,
) -> ApprovalRecord:
    covered = {"covers_from": dt.date(2026, *first), "covers_to": dt.date(2026, *last)}
    return replace(approval(state, None), id=reference, reference=reference, **covered)


@pytest.mark.parametrize(
    ("later", "today", "said"),
    [
        (days("PA2", (7, 1), (12, 31)), (8, 1), "ended on 30 June 2026. PA2 covers from 1 July"),
        (days("PA2", (7, 1), (12, 31)), (6, 1), "each invoice line. PA2 covers from 1 July 2026."),
        (days("PA2", (5, 1), (12, 31)), (6, 1), "each invoice line. PA2 covers from 1 May 2026."),
        (days("PA2", (7, 2), (12, 31)), (8, 1), "send a continuation now"),  # a day is not covered
        (days("PA2", (7, 1), (12, 31), ApprovalState.WITHDRAWN), (6, 1), "Send a continuation"),
        (days("PA2", (1, 1), (3, 31)), (8, 1), "send a continuation now"),
    ],
)
def test_a_continuation_is_asked_for_only_where_none_was_given(
    later: ApprovalRecord, today: tuple[int, int], said: str
) -> None:
    first = days("PA1", (1, 1), (6, 30))
    for among in ([first, later], [later, first]):
        told = next_steps.after_approval(first, TODAY, dt.date(2026, *today), among=among)
        assert said in told
        assert ("continuation" in told) is ("continuation" in said)


def test_the_bodies_know_the_words_of_the_approvals_room() -> None:
    assert set(FollowUpKind.__args__) == set(Kind) - {Kind.INITIATION}
    assert set(Sex.__args__) == set(SEXES)
    assert set(FundingBasis.__args__) == {Basis.INDIVIDUAL_FUNDING, Basis.GROUP_APPROVAL}


AFTER = dt.date(2026, 12, 31)


@pytest.mark.parametrize(
    ("ending", "covers_to", "words"),
    [
        (Ending(), AFTER, "Send a continuation before the last covered day"),
        # The last continuation lies after the last covered day: one may still be sent in time.
        (Ending(AFTER), dt.date(2026, 9, 30), "Send a continuation before the last covered day"),
        (Ending(dt.date(2026, 9, 30)), AFTER, "no continuation after 30 September 2026"),
        (Ending(dt.date(2026, 9, 30)), AFTER, "Ask the commissioner which policy follows it"),
        (Ending(dt.date(2026, 9, 30), "Ask the MDT."), AFTER, "Ask the MDT."),
        (Ending(dt.date(2026, 9, 30), None, ("next",)), AFTER, "goes on under next"),
        (Ending(dt.date(2026, 5, 1)), dt.date(2026, 6, 1), "ask who funds it now"),
    ],
)
def test_an_approval_says_from_when_no_continuation_is_taken_and_what_to_do(
    ending: Ending, covers_to: dt.date, words: str
) -> None:
    live = approval(ApprovalState.LIVE, covers_to)
    told = next_steps.after_approval(live, None, TODAY, ending)
    assert words in told
    assert not FORBIDDEN.search(told.replace("covered days ended", ""))
