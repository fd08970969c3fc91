"""The six panel statuses, what each says, and when a panel answers."""

import datetime as dt

import pytest

from app.authoring.diff import diff_lines, diff_versions
from app.policy import (
    Answer,
    Context,
    Kind,
    Outcome,
    PanelStatus,
    PolicyFileFaults,
    answer_by,
    decide,
    from_resolved,
    members_to_agree,
    panel_status,
    readable,
    status_words,
)
from tests.unit.policy.makers import make_policy

DAY = dt.date(2026, 6, 1)
STARTS = {"reason": "Because", "source": "src", "evidence": "verified"}
REFUSE, REFER = {"decide": "refuse", **STARTS}, {"decide": "refer", **STARTS}
CRISIS = {"id": "X-1", "met_when": "flag", "on_failure": "refer"}


def panel(status, **more):
    return {"status": status, "source": "src", "evidence": "verified", **more}


#: What else a file with the status says.
FITTING = {
    "no_panel": {"panel": panel("no_panel")},
    "panel": {"panel": panel("panel", answer_within={"working_days": 5}), "mechanism": "panel"},
    "panel_except_crisis": {
        "panel": panel("panel_except_crisis", crisis="X-1", answer_within={"days": 1}),
        "start": [CRISIS],
    },
    "external_authority": {
        "panel": panel("external_authority", authority="The agency"),
        "new_starts": REFER,
    },
    "ifr_only": {"panel": panel("ifr_only"), "new_starts": REFUSE},
    "ineffective": {"panel": panel("ineffective"), "new_starts": REFUSE},
}


@pytest.mark.parametrize(
    ("status", "flag", "outcome", "says"),
    [
        ("no_panel", True, Outcome.APPROVED, None),
        ("panel", True, Outcome.REFERRED, "The panel answers within 5 working days."),
        ("panel_except_crisis", True, Outcome.APPROVED, None),
        ("panel_except_crisis", False, Outcome.REFERRED, "The panel answers within 1 day."),
        (
            "panel_except_crisis",
            False,
            Outcome.REFERRED,
            "A panel decides before treatment begins, except in a crisis.",
        ),
        (
            "external_authority",
            True,
            Outcome.REFERRED,
            "The agency decides, not a panel of this service: ask it.",
        ),
        (
            "ifr_only",
            True,
            Outcome.CRITERIA_NOT_MET,
            "Not commissioned: an exceptional case goes by an individual funding request.",
        ),
        (
            "ineffective",
            True,
            Outcome.CRITERIA_NOT_MET,
            "Shown not to work: an individual funding request should not normally be sought.",
        ),
    ],
)
def test_each_status_shows_in_the_decisions_reasons(status, flag, outcome, says):
    version = make_policy(**FITTING[status])
    decision = decide(version, Kind.INITIATION, {"flag": Answer(flag)}, Context(DAY))
    assert decision.outcome is outcome
    assert says is None or says in decision.reasons
    assert says is not None or decision.reasons == ("Every criterion is met.",)
    assert status_words(version) in readable(version)
    assert panel_status(version).value == status
    assert from_resolved(version.resolved).panel == version.panel


def test_a_continuation_is_told_nothing_of_new_starts():
    version = make_policy(**FITTING["ineffective"], **{"continue": ["flag"]})
    decision = decide(version, Kind.CONTINUATION, {"flag": Answer(True)}, Context(DAY))
    assert decision.reasons == ("Every criterion is met.",)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, PanelStatus.NO_PANEL),
        ({"mechanism": "panel"}, PanelStatus.PANEL),
        ({"new_starts": REFUSE}, PanelStatus.IFR_ONLY),
        ({"new_starts": REFUSE, "mechanism": "panel"}, PanelStatus.IFR_ONLY),
        ({"new_starts": REFER}, PanelStatus.NO_PANEL),
    ],
)
def test_a_version_that_states_no_status_has_the_one_that_it_acts_by(changes, status):
    version = make_policy(**changes)
    assert (version.panel, panel_status(version)) == (None, status)
    words = status_words(version)
    decision = decide(version, Kind.INITIATION, {"flag": Answer(True)}, Context(DAY))
    assert words not in decision.reasons  # decisions of before read as they always did


@pytest.mark.parametrize(
    ("changes", "code", "line"),
    [
        ({"panel": panel("external_authority"), "new_starts": REFER}, "panel-authority", "needs"),
        ({"panel": panel("no_panel", authority="x")}, "panel-authority", "takes no"),
        ({"panel": panel("panel_except_crisis")}, "panel-crisis", "needs"),
        (
            {"panel": panel("panel_except_crisis", crisis="C-9"), "start": [CRISIS]},
            "panel-crisis",
            "no start criterion C-9",
        ),
        (
            {"panel": panel("panel_except_crisis", crisis="C-1"), "start": ["flag"]},
            "panel-crisis",
            "refers where there is no crisis",
        ),
        ({"panel": panel("panel")}, "panel-mechanism", "prior_approval"),
        ({"panel": panel("no_panel"), "mechanism": "panel"}, "panel-mechanism", "panel"),
        ({"panel": panel("ifr_only")}, "panel-new-starts", "decide: refuse"),
        ({"panel": panel("ineffective"), "new_starts": REFER}, "panel-new-starts", "refuse"),
        (
            {"panel": panel("external_authority", authority="x")},
            "panel-new-starts",
            "decide: refer",
        ),
        ({"panel": panel("no_panel"), "new_starts": REFUSE}, "panel-new-starts", "no `new_starts`"),
        (
            {"panel": panel("ifr_only", answer_within={"days": 1}), "new_starts": REFUSE},
            "panel-answer",
            "no panel answers",
        ),
        ({"panel": {**panel("no_panel"), "source": "nowhere"}}, "source", "nowhere"),
        ({"panel": panel("sometimes")}, "value", "not one of the values"),
        ({"panel": panel("no_panel", members=3)}, "value", "is above 2"),
        ({"panel": panel("no_panel", members=0)}, "value", "is below 1"),
        ({"panel": panel("no_panel", members="two")}, "type", "a whole number"),
        (
            {"panel": panel("panel", answer_within={"days": 1, "working_days": 1})},
            "value",
            "over 1",
        ),
    ],
)
def test_a_panel_that_contradicts_the_rest_is_a_fault(changes, code, line):
    with pytest.raises(PolicyFileFaults) as refused:
        make_policy(**changes)
    assert any(f.code == code and line in f.message for f in refused.value.faults), refused.value


@pytest.mark.parametrize(
    ("within", "referred", "by"),
    [
        ({"working_days": 5}, dt.date(2026, 6, 1), dt.date(2026, 6, 8)),  # Monday to Monday
        ({"working_days": 1}, dt.date(2026, 6, 5), dt.date(2026, 6, 8)),  # over a weekend
        ({"working_days": 1}, dt.date(2026, 6, 6), dt.date(2026, 6, 8)),  # from a Saturday
        ({"days": 7}, dt.date(2026, 2, 26), dt.date(2026, 3, 5)),
    ],
)
def test_the_panels_answer_is_due_in_days_or_in_working_days(within, referred, by):
    version = make_policy(panel=panel("panel", answer_within=within), mechanism="panel")
    assert answer_by(version.panel, referred) == by


def test_no_day_is_made_up_where_the_version_says_none():
    assert answer_by(None, DAY) is None
    assert answer_by(make_policy(panel=panel("no_panel")).panel, DAY) is None


def test_one_unverified_status_makes_the_version_a_draft():
    assert not make_policy().unverified
    stated = {**panel("no_panel"), "evidence": "unverified"}
    assert make_policy(panel=stated).unverified


AGREE = "Two members must agree on what is referred, before it is decided."


@pytest.mark.parametrize("status", FITTING)
@pytest.mark.parametrize(("stated", "members"), [({}, 1), ({"members": 1}, 1), ({"members": 2}, 2)])
def test_a_version_may_ask_for_two_members_whatever_its_status(status, stated, members):
    fitting = FITTING[status]
    version = make_policy(**{**fitting, "panel": {**fitting["panel"], **stated}})
    assert members_to_agree(version) == members
    assert (AGREE in readable(version)) is (members == 2)
    assert from_resolved(version.resolved).panel == version.panel


def test_a_version_that_does_not_say_keeps_its_hash_and_needs_one_member():
    silent, stated = (make_policy(panel=panel("no_panel", **more)) for more in ({}, {"members": 2}))
    assert "members" not in silent.resolved
    assert silent.hash != stated.hash
    assert members_to_agree(make_policy()) == members_to_agree(silent) == 1


def test_how_many_must_agree_changes_no_decision_of_the_policys_own():
    given = (Kind.INITIATION, {"flag": Answer(False)}, Context(DAY))
    crisis = FITTING["panel_except_crisis"]
    two = {**crisis, "panel": {**crisis["panel"], "members": 2}}
    assert decide(make_policy(**two), *given) == decide(make_policy(**crisis), *given)


def test_the_comparison_of_two_versions_says_that_it_takes_two_now():
    one, two = (make_policy(panel=panel("no_panel", **more)) for more in ({}, {"members": 2}))
    said = "\n".join(diff_lines(one, two, diff_versions(one, two)))
    assert "members: 2" in said
