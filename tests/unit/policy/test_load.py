"""Loading a policy file: every fault at once, with file, line, criterion and mend."""

import dataclasses
import json
from datetime import date
from decimal import Decimal

import pytest

from app.policy import Kind, PolicyFileFaults, from_resolved, load_policy
from tests.unit.policy.makers import BASE, make_policy, policy_data, policy_text

DRUGS = {"a-drug": frozenset({"brand-one", "brand-two"}), "b-drug": frozenset()}


def faults_in(text, drug_keys=None):
    with pytest.raises(PolicyFileFaults) as refused:
        load_policy(text, "folder/a.yaml", drug_keys)
    return refused.value.faults


def test_a_good_file_becomes_a_policy_version():
    version = make_policy(
        start=["flag"], stop=[{"met_when": "score > 5", "on_failure": "refer", "waivable": True}]
    )
    assert (version.policy, version.version) == ("a-policy", "2026-01-01")
    assert version.questions["score"].maximum == Decimal(10)
    assert version.stop[0].on_failure == "refer"
    assert version.stop[0].waivable
    assert version.start[0].source.title == "A source"
    assert version.in_force.from_ == date(2026, 1, 1)
    assert len(version.hash) == 64
    assert not version.unverified


EVERYTHING_WRONG = """\
policy: Natalizumab
titel: A title
language: 1
drug: a-drugg
indication: {key: rrms, term: MS, snomed: 426373005}
commissioner: NHS England
mechanism: prior_aproval
in_force: {from: 2024-02-30}
what_changed: Nothing
sources:
  src: {title: A source}
questions:
  score: {type: number, label: Score, decimals: 1, minimum: 9, maximum: 1}
  flag: {type: boolean, label: Flag, unit: kg}
  route: {type: choice, label: Route}
  flag: {type: boolean, label: Flag}
start:
  - id: A-1
    text: One
    met_when: scor > 1
    source: srk
    evidence: verified
  - id: A-1
    text: Two
    met_when: score IS NULL
    source: src
    evidence: yes
approval:
  pattern: rolling
  lasts: {months: twelve}
  source: src
  evidence: verified
  products: [brand-one]
"""


def test_every_fault_is_reported_at_once_with_its_line_and_mend():
    faults = faults_in(EVERYTHING_WRONG, DRUGS)
    found = {(fault.line, fault.code) for fault in faults}
    assert found >= {
        (1, "value"),
        (1, "missing-title"),
        (2, "unknown-key"),
        (4, "drug"),
        (5, "type"),
        (7, "value"),
        (8, "value"),
        (13, "bounds"),
        (15, "missing-options"),
        (16, "duplicate-key"),
        (20, "unknown-name"),
        (21, "source"),
        (23, "duplicate-id"),
        (25, "null-test"),
        (27, "value"),
        (30, "type"),
    }
    assert all(fault.mend and fault.message and fault.file == "folder/a.yaml" for fault in faults)
    assert [fault.line or 0 for fault in faults] == sorted(fault.line or 0 for fault in faults)
    by_line = {fault.line: fault for fault in faults if fault.line in (2, 4, 7, 20, 21)}
    assert by_line[2].mend == "Did you mean title?"
    assert by_line[4].mend == "Did you mean a-drug or b-drug?"
    assert by_line[7].mend == "Did you mean prior_approval?"
    assert by_line[20].criterion == "A-1"
    assert by_line[20].mend == "Did you mean score?"
    assert str(by_line[21]) == "folder/a.yaml:21: A-1: there is no source srk. Did you mean src?"


ATTACKS = [
    ("a: &x 1\nb: *x\n", "alias"),
    ("a: &x [1]\nb: [*x, *x]\n", "alias"),
    ("a: !!python/object:os.system {}\n", "tag"),
    ("a: !!str 1\n", "tag"),
    ("<<: {a: 1}\n", "yaml"),
    ("a: 1\n---\nb: 2\n", "yaml"),
    ("{[a]: 1}\n", "yaml"),
    ("a: [1\n", "yaml"),
    ("a: \x01\n", "yaml"),
    ('"\\0"', "character"),
    ('"\\ud800"', "yaml"),
    ("[" * 50 + "]" * 50, "too-deep"),
    ("[" * 5000, "too-deep"),
    ("- 1\n" * 25_000, "too-long"),
    ("a" * 300_000, "too-long"),
]


@pytest.mark.parametrize(("text", "code"), ATTACKS)
def test_yaml_that_could_hurt_is_refused_before_it_is_built(text, code):
    assert [fault.code for fault in faults_in(text)] == [code]


@pytest.mark.parametrize("text", ["", "null", "[]", "a word", "3", "- a", "? a", "a: b", "#"])
def test_yaml_that_is_not_a_policy_is_refused(text):
    assert faults_in(text)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"start": []}, "no-criteria"),
        ({"start": [], "mechanism": "panel"}, "no-criteria"),
        ({"approval": {**BASE["approval"], "products": ["brand-three"]}}, "product"),
        ({"approval": {**BASE["approval"], "source": "srk"}}, "source"),
        ({"approval": {"pattern": "rolling", "source": "src", "evidence": "verified"}},
         "missing-lasts"),
        ({"new_starts": {"decide": "refer", "reason": "x", "source": "q", "evidence": "verified"}},
         "source"),
        ({"drug": "c-drug"}, "drug"),
        ({"language": 3}, "value"),
        ({"language": True}, "value"),
        ({"policy": "a-policy\n"}, "value"),
        ({"in_force": {"from": "2026-01-01", "published": "2026-13-01"}}, "value"),
        ({"in_force": {"from": "1026-01-01"}}, "value"),
        ({"in_force": "2026-01-01"}, "type"),
        ({"correction": -1}, "value"),
        ({"start": ["flag", {"id": "C-1", "met_when": "other"}]}, "duplicate-id"),
        ({"start": ["flag"], "stop": [{"id": "C-1", "met_when": "other"}]}, "duplicate-id"),
        ({"start": [{"met_when": "flag", "on_failure": "perhaps"}]}, "value"),
        ({"start": [{"met_when": "flag", "waivable": "yes"}]}, "type"),
        ({"start": [{"met_when": "flag", "met_wen": "flag"}]}, "unknown-key"),
        ({"start": [{"met_when": True}]}, "type"),
        ({"start": ["flag", 3]}, "type"),
        ({"start": {"flag": 1}}, "type"),
        ({"questions": {"between": {"type": "boolean", "label": "x"}}}, "reserved"),
        ({"questions": {"sex": {"type": "boolean", "label": "x"}}}, "name-taken"),
        ({"questions": {"__class__": {"type": "boolean", "label": "x"}}}, "key"),
        ({"questions": {"a\n": {"type": "boolean", "label": "x"}}}, "key"),
        ({"questions": {"a b": {"type": "boolean", "label": "x"}}}, "key"),
        ({"questions": {"a": {"type": "integer", "label": "x", "minimum": "0.5"}}}, "bounds"),
        ({"questions": {"a": {"type": "number", "label": "x", "minimum": "1e9"}}}, "value"),
        ({"questions": {"a": {"type": "list", "label": "x"}}}, "missing-of"),
        ({"questions": {"a": {"type": "list", "label": "x", "of": {
            "b": {"type": "list", "label": "y", "of": {"c": {"type": "date", "label": "z"}}}}}}},
         "value"),
        ({"questions": {"b": {"type": "date", "label": "x"}, "a": {"type": "list", "label": "x",
          "of": {"b": {"type": "date", "label": "y"}}}}}, "name-taken"),
        ({"derive": {"x": {}}}, "missing-value"),
        ({"derive": {"x": {"count": "relapses", "value": "score"}}}, "does-not-apply"),
        ({"sources": {"src": {"title": "A", "url": "javascript:alert(1)"}}}, "value"),
        ({"sources": {}}, "value"),
    ],
)  # fmt: skip
def test_a_fault_of_meaning_or_shape_is_named(changes, code):
    assert code in [fault.code for fault in faults_in(policy_text(**changes), DRUGS)]


def test_an_empty_start_is_allowed_only_where_nobody_would_be_approved_by_it():
    refuse = {"decide": "refuse", "reason": "Withdrawn", "source": "src", "evidence": "unverified"}
    assert make_policy(start=[], new_starts=refuse).unverified
    assert make_policy(start=[], mechanism="notification").start == ()


def test_the_drug_dictionary_is_only_asked_when_it_is_given():
    approval = {**BASE["approval"], "products": ["brand-one"]}
    text = policy_text(drug="unheard-of", approval=approval)
    assert load_policy(text, "a.yaml").approval.products == ("brand-one",)


def test_a_correction_shows_in_the_version():
    assert make_policy(correction=2).version == "2026-01-01.2"


def test_numbers_are_read_exactly_and_never_through_a_float():
    text = policy_text().replace('"maximum": 10', '"maximum": 0.100000000000000055')
    faults = faults_in(text.replace("0.100000000000000055", "1e1"))
    assert "plain digits" in faults[0].mend
    version = load_policy(text, "a.yaml")
    assert version.questions["score"].maximum == Decimal("0.100000000000000055")
    assert from_resolved(version.resolved).questions["score"].maximum == Decimal(
        "0.100000000000000055"
    )


def test_a_stored_version_is_rebuilt_as_it_was():
    version = make_policy(
        start=["either AND recent >= 2", "dose_per_kg <= 4.25"], stop=["flag"], correction=1
    )
    rebuilt = from_resolved(version.resolved)
    assert rebuilt == version
    assert list(rebuilt.questions) == list(version.questions)
    assert rebuilt.compiled.sections["start"].source == version.compiled.sections["start"].source


def test_the_hash_follows_the_meaning_and_not_the_layout():
    version = make_policy()
    spread = "# a comment\n" + json.dumps(policy_data(), indent=4, sort_keys=False)
    reordered = json.dumps(dict(reversed(policy_data().items())))
    with_null = json.dumps({**policy_data(), "new_starts": None, "stop": None})
    assert {load_policy(text, "b").hash for text in (spread, reordered, with_null)} == {
        version.hash
    }
    assert make_policy(start=["other"]).hash != version.hash
    assert make_policy(what_changed="Another.").hash != version.hash


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "{}", "3", "[" * 100_000])
def test_a_damaged_stored_version_is_refused(text):
    with pytest.raises(PolicyFileFaults):
        from_resolved(text)


def test_a_version_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_policy().title = "Another"


def test_questions_know_which_kinds_of_request_ask_them():
    questions = {
        **BASE["questions"],
        "asked": {"type": "boolean", "label": "Asked", "kinds": ["dose change"]},
    }
    version = make_policy(
        questions=questions,
        start=["either AND recent >= 2"],
        **{"continue": ["score > 1"]},
        stop=["score > 5 OR third"],
    )
    kinds = {name: question.kinds for name, question in version.questions.items()}
    assert kinds["flag"] == kinds["other"] == kinds["relapses"] == {Kind.INITIATION}
    assert kinds["score"] == kinds["third"] == {Kind.CONTINUATION, Kind.STOP} or kinds["third"] == {
        Kind.CONTINUATION,
        Kind.STOP,
    }
    assert kinds["note"] == {Kind.INITIATION, Kind.CONTINUATION}
    assert kinds["asked"] == {Kind.DOSE_CHANGE}


def test_no_text_of_the_file_is_part_of_the_generated_code():
    version = make_policy(start=["route IN ('iv') AND recent >= 2 AND score > 1.5"])
    source = version.compiled.sections["start"].source
    assert not any(word in source for word in ("route", "iv", "recent", "disabling", "score"))
    assert "__" not in source
