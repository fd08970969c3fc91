"""A commissioner's overlay: it adds and tightens, and every finding names its layer."""

import datetime as dt
import json

import pytest

from app.policy import (
    Context,
    Kind,
    Outcome,
    PolicyFileFaults,
    PolicyVersion,
    apply_overlay,
    decide,
    load_overlay,
    members_to_agree,
    overlay_from_resolved,
    parse_answers,
    readable,
)
from tests.unit.policy.makers import criterion, make_policy

DAY = dt.date(2026, 3, 1)
LAYER = "DEMQ1 2026-02-01"
BASE = {
    "policy": "a-policy",
    "language": 1,
    "commissioner": "DEMQ1",
    "in_force": {"from": "2026-02-01"},
    "what_changed": "A line cap.",
    "sources": {"local": {"title": "A local pathway"}},
    "questions": {
        "earlier": {
            "type": "list",
            "label": "Earlier biologics",
            "of": {"given": {"type": "boolean", "label": "Given"}},
        }
    },
    "derive": {"lines": {"count": "earlier", "where": "given"}},
    "start": [
        {"id": "CAP", "text": "At most two before", "met_when": "lines <= 2", "source": "local",
         "evidence": "verified", "on_failure": "refer"}
    ],
}  # fmt: skip


def text(**changes: object) -> str:
    data = {**BASE, **changes}
    return json.dumps({key: value for key, value in data.items() if value is not None}, indent=1)


def merged(version: PolicyVersion | None = None, **changes: object) -> PolicyVersion:
    return apply_overlay(version or make_policy(), load_overlay(text(**changes), "overlay.yaml"))


def outcome(version: PolicyVersion, **answers: object) -> Outcome:
    typed = parse_answers(version, Kind.INITIATION, answers, decision_to_treat=DAY, today=DAY)
    return decide(version, Kind.INITIATION, typed, Context(DAY)).outcome


def rows(*given: bool | None) -> list[dict[str, object]]:
    return [{"given": each} for each in given]


@pytest.mark.parametrize(
    ("flag", "earlier", "expected"),
    [
        (True, rows(True, True), Outcome.APPROVED),
        (True, rows(True, True, True), Outcome.REFERRED),
        (True, rows(True, True, None), Outcome.MORE_INFORMATION_NEEDED),
        (False, rows(True, True), Outcome.CRITERIA_NOT_MET),
    ],
)
def test_both_layers_decide(flag: bool, earlier: list[object], expected: Outcome) -> None:
    assert outcome(merged(), flag=flag, earlier=earlier) is expected


def test_each_finding_names_its_layer() -> None:
    version = merged()
    found = decide(version, Kind.INITIATION, {}, Context(DAY)).findings
    assert [(each.criterion, each.layer) for each in found] == [("C-1", "national"), ("CAP", LAYER)]
    assert "Layer: DEMQ1 2026-02-01" in readable(version)


def test_the_version_keeps_its_number_and_hash_and_the_overlay_its_own() -> None:
    national = make_policy()
    version = merged(national)
    assert (version.version, version.hash, version.base) == (
        national.version,
        national.hash,
        national,
    )
    assert version.overlay is not None
    assert version.overlay.hash != national.hash
    again = overlay_from_resolved(version.overlay.resolved)
    assert again == version.overlay
    assert apply_overlay(national, again).start == version.start


def test_an_overlay_may_forbid_new_starts_and_never_allow_them() -> None:
    refuse = {"decide": "refuse", "reason": "Not here.", "source": "local", "evidence": "verified"}
    assert outcome(merged(new_starts=refuse), flag=True, earlier=[]) is Outcome.CRITERIA_NOT_MET
    barred = make_policy(new_starts={**refuse, "source": "src"})
    lax = merged(barred, new_starts={**refuse, "decide": "refer"})
    assert lax.new_starts is not None
    assert lax.new_starts.decide == "refuse"


def test_an_overlay_may_bring_in_a_panel_and_the_reason_names_it() -> None:
    panel = {"become": "panel", "source": "local", "evidence": "verified"}
    version = merged(mechanism=panel)
    typed = parse_answers(
        version, Kind.INITIATION, {"flag": True, "earlier": []}, decision_to_treat=DAY, today=DAY
    )
    found = decide(version, Kind.INITIATION, typed, Context(DAY))
    assert found.outcome is Outcome.REFERRED
    assert found.reasons == (f"A panel decides requests under this policy by {LAYER}.",)


@pytest.mark.parametrize(
    ("lasts", "fits"),
    [
        ({"months": 12}, True),
        ({"months": 6}, True),
        ({"months": 13}, False),
        ({"days": 336}, True),
        ({"days": 337}, False),
    ],
)
def test_an_overlay_only_shortens_an_approval(lasts: dict[str, int], fits: bool) -> None:
    terms = {"lasts": lasts, "source": "local", "evidence": "verified"}
    if fits:
        approval = merged(approval=terms).approval
        assert (approval.lasts_months, approval.lasts_days) == (
            lasts.get("months"),
            lasts.get("days"),
        )
    else:
        with pytest.raises(PolicyFileFaults, match="may last longer"):
            merged(approval=terms)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"policy": "b-policy"}, "it is not for a-policy"),
        ({"questions": {"flag": {"type": "boolean", "label": "Flag"}}}, "has flag among its"),
        ({"sources": {"src": {"title": "Mine"}}, "start": []}, "has src among its sources"),
        ({"start": [{**criterion(1, "flag"), "source": "local"}]}, "its id stands twice"),
        ({"start": [{**BASE["start"][0], "met_when": "lines <= nothing"}]}, "nothing"),
        ({"start": [{**BASE["start"][0], "source": "none"}]}, "there is no source none"),
        ({"approval": {"lasts": {"days": 28}, "source": "none", "evidence": "verified"}},
         "there is no source none"),
        ({"in_force": {"from": "2026-02-01", "until": "2026-01-01"}}, "ends before it begins"),
        ({"commissioner": "Nobody"}, "commissioner"),
        ({"remove": ["C-1"]}, "unknown key"),
        ({"start": "none"}, "should be a list"),
    ],
)  # fmt: skip
def test_a_wrong_overlay_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(PolicyFileFaults) as faults:
        merged(**changes)
    assert any(words in str(fault) for fault in faults.value.faults)


def test_an_overlay_may_not_ask_for_less_than_a_panel() -> None:
    weaker = {"become": "prior_approval", "source": "local", "evidence": "verified"}
    with pytest.raises(PolicyFileFaults, match="asks for less"):
        merged(make_policy(mechanism="panel"), mechanism=weaker)


def test_a_fault_names_the_line_of_the_overlays_own_file() -> None:
    source = text(start=[{**BASE["start"][0], "met_when": "lines <= nothing"}])
    line = next(n for n, each in enumerate(source.splitlines(), 1) if "nothing" in each)
    with pytest.raises(PolicyFileFaults) as faults:
        apply_overlay(make_policy(), load_overlay(source, "overlay.yaml"), "overlay.yaml")
    assert [(fault.file, fault.line) for fault in faults.value.faults] == [("overlay.yaml", line)]


def test_unverified_overlay_makes_the_deciding_version_unverified() -> None:
    assert not merged().unverified
    terms = {"lasts": {"days": 28}, "source": "local", "evidence": "unverified"}
    assert merged(approval=terms).unverified
    assert merged(start=[{**BASE["start"][0], "evidence": "unverified"}]).unverified


TWO = {"members": 2, "source": "local", "evidence": "verified"}


def test_an_overlay_asks_for_two_of_a_panel_whatever_the_version_says() -> None:
    plain = merged(panel=TWO)
    assert members_to_agree(plain) == 2
    assert members_to_agree(merged()) == 1
    assert f"before it is decided ({LAYER})" in readable(plain)
    # Nothing else of the version changes: what is approved or referred, its status, its hash.
    assert (plain.panel, plain.hash) == (make_policy().panel, make_policy().hash)
    assert outcome(plain, flag=True, earlier=rows(True, True, True)) is Outcome.REFERRED


def test_an_overlay_takes_no_member_away() -> None:
    cited = {"source": "src", "evidence": "verified"}
    base = make_policy(panel={"status": "no_panel", "members": 2, **cited})
    assert members_to_agree(merged(base)) == 2
    assert members_to_agree(merged(base, panel=TWO)) == 2
    with pytest.raises(PolicyFileFaults, match="Known here: 2"):
        load_overlay(text(panel={**TWO, "members": 1}), "overlay.yaml")
    with pytest.raises(PolicyFileFaults, match="there is no source nowhere"):
        merged(panel={**TWO, "source": "nowhere"})


def test_two_members_whose_source_was_not_read_make_a_draft_of_it() -> None:
    assert merged(panel={**TWO, "evidence": "unverified"}).unverified
