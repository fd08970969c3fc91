"""Every packaged policy does what its worked cases say, and the cases reach every criterion."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from app.policy import PolicyFileFaults, Result, Section
from app.policy.cases import failure_text, read_cases, results_seen, run_cases, suite_faults
from tests.policies.library import cases, folders, results, versions

# A criterion that only asks that something be on the form cannot fail: an answer meets it.
RECORDED = "it only asks for a value that the question's own range already holds to"
NEVER: dict[tuple[str, str, Result], str] = {
    ("natalizumab-rrms-res", "NTZ-C2", Result.NOT_MET): RECORDED,
    ("immunoglobulin-itp", "ITP-6", Result.NOT_MET): RECORDED,
    ("immunoglobulin-itp", "ITP-7", Result.NOT_MET): RECORDED,
    ("immunoglobulin-itp", "ITP-C5", Result.NOT_MET): RECORDED,
    ("immunoglobulin-pid", "PID-5", Result.NOT_MET): RECORDED,
    ("immunoglobulin-thymoma", "THY-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-hsct-pid", "HSP-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-specific-antibody-deficiency", "SPAD-4", Result.NOT_MET): RECORDED,
    ("immunoglobulin-secondary-antibody-deficiency", "SAD-6", Result.NOT_MET): RECORDED,
    ("immunoglobulin-nait", "NAIT-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-fmait", "FMAIT-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-hdn", "HDN-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-aiha", "AIHA-5", Result.NOT_MET): RECORDED,
    ("immunoglobulin-prca-parvovirus", "PRCA-4", Result.NOT_MET): RECORDED,
    ("immunoglobulin-hyperhaemolysis", "HYP-5", Result.NOT_MET): RECORDED,
    ("immunoglobulin-acquired-vwd", "AVW-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-hlh", "HLH-5", Result.NOT_MET): RECORDED,
    ("immunoglobulin-ptp", "PTP-4", Result.NOT_MET): RECORDED,
    ("immunoglobulin-catastrophic-aps", "CAPS-6", Result.NOT_MET): RECORDED,
    ("immunoglobulin-vitt", "VITT-6", Result.NOT_MET): RECORDED,
    ("immunoglobulin-kawasaki", "KAW-6", Result.NOT_MET): RECORDED,
    ("immunoglobulin-ten", "TEN-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-fetal-haemochromatosis", "FHC-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-congenital-heart-block", "CHB-4", Result.NOT_MET): RECORDED,
    ("immunoglobulin-transplant-incompatible", "TXI-4", Result.NOT_MET): RECORDED,
    ("immunoglobulin-transplant-rejection", "AMR-4", Result.NOT_MET): RECORDED,
    ("immunoglobulin-uveitis", "UVE-5", Result.NOT_MET): RECORDED,
    ("immunoglobulin-immunobullous", "IMB-4", Result.NOT_MET): RECORDED,
    ("immunoglobulin-anca-vasculitis", "ANCA-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-pyoderma-gangrenosum", "PYO-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-systemic-jia", "SJIA-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-severe-urticaria", "URT-3", Result.NOT_MET): RECORDED,
    ("immunoglobulin-cidp-short", "CIDPS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-cidp-long", "CIDPL-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-myositis", "MYO-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-myasthenia-acute", "MGA-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-myasthenia-long", "MGL-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-gbs", "GBS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-mmn-short", "MMNS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-mmn-long", "MMNL-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-igm-neuropathy-short", "IGMS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-igm-neuropathy-long", "IGML-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-stiff-person-short", "SPSS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-stiff-person-long", "SPSL-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-autoimmune-encephalitis", "AIE-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-cns-demyelination-acute", "CNSA-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-cns-demyelination-prevention", "CNSP-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-dysautonomia", "DYS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-tss", "TSS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-rasmussen", "RAS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-neuromyotonia", "NMT-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-opsoclonus-parainfectious", "OMSP-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-paraneoplastic", "PNS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-crps", "CRPS-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-childhood-epilepsy", "EPI-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-c-difficile", "CDI-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-viral-pneumonitis", "VPN-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-measles-immunosuppressed", "MEA-HW", Result.NOT_MET): RECORDED,
    ("immunoglobulin-varicella", "VAR-HW", Result.NOT_MET): RECORDED,
}


def test_the_four_first_policies_are_packaged() -> None:
    assert {folder.name for folder in folders()} >= {
        "natalizumab-rrms-res",
        "obeticholic-acid-pbc",
        "immunoglobulin-itp",
        "adalimumab-ra-severe",
    }


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_every_worked_case_comes_out_as_it_says(folder: Path) -> None:
    found = results(folder)
    assert [each.case for each in found] == list(cases(folder))
    assert [failure_text(each) for each in found if not each.passed] == []


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_a_policy_has_enough_worked_cases(folder: Path) -> None:
    assert suite_faults(cases(folder), "cases.yaml") == ()


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_every_version_has_a_worked_case(folder: Path) -> None:
    assert {case.version for case in cases(folder)} == set(versions(folder))


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_a_file_lies_where_its_policy_and_date_say(folder: Path) -> None:
    for version in versions(folder).values():
        assert version.policy == folder.name
        assert (folder / f"{version.version}.yaml").is_file()


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_what_is_marked_verified_has_a_source_that_was_read(folder: Path) -> None:
    for version in versions(folder).values():
        criteria = [each for section in Section for each in version.criteria(section)]
        for stated in (*criteria, version.approval, version.new_starts):
            if stated is not None and stated.evidence == "verified":
                assert stated.source.read_on is not None, stated


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_every_version_says_when_to_start_to_continue_and_to_stop(folder: Path) -> None:
    for version in versions(folder).values():
        assert all(version.criteria(section) for section in Section), version.version


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_every_test_of_a_criterion_is_met_failed_and_left_unanswered(folder: Path) -> None:
    seen = results_seen(versions(folder), results(folder))
    unseen = [
        f"{criterion} is never {result}: {met_when}"
        for (criterion, met_when), found in seen.items()
        for result in Result
        if result not in found and (folder.name, criterion, result) not in NEVER
    ]
    assert unseen == []


def test_the_list_of_results_never_reached_is_not_stale() -> None:
    reached = {
        (folder.name, criterion, result)
        for folder in folders()
        for (criterion, _), found in results_seen(
            versions(folder), results(folder)
        ).items()
        for result in found
    }
    assert reached.isdisjoint(NEVER)


# --- the runner itself: a case that should fail does, and says why ---

_FOLDER = next(folder for folder in folders() if folder.name == "adalimumab-ra-severe")
_HEAD = "  - {name: a, version: 2016-01-26, kind: continuation, decision_to_treat: 2019-12-01"
_ANSWERS = "answers: {das28_at_start: 6.4, das28_now: 5.2}"


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ("{outcome: approved}", "outcome: expected approved, got criteria not met"),
        (
            "{outcome: criteria not met, findings: {ADA-C1: met}}",
            "ADA-C1: expected met, got not met",
        ),
        (
            "{outcome: criteria not met, findings: {ADA-99: met}}",
            "ADA-99: expected met, but the version has no such finding",
        ),
        ("{outcome: criteria not met, missing: [das28_now]}", "missing: expected das28_now"),
        ("{refused_answers: [das28_now]}", "must be refused, but were taken"),
    ],
)
def test_a_wrong_expectation_is_reported(expect: str, says: str) -> None:
    text = f"cases:\n{_HEAD}, {_ANSWERS}, expect: {expect}}}\n"
    (result,) = run_cases(versions(_FOLDER), read_cases(text, "cases.yaml"))
    assert not result.passed
    assert says in failure_text(result)
    assert failure_text(result).startswith("cases.yaml:2: a ")


def test_a_failing_case_shows_each_part_with_its_values() -> None:
    text = f"cases:\n{_HEAD}, {_ANSWERS}, expect: {{outcome: approved}}}}\n"
    (result,) = run_cases(versions(_FOLDER), read_cases(text, "cases.yaml"))
    shown = failure_text(result)
    assert "not met: das28_now <= 5.1" in shown
    assert "das28_now is 5.2" in shown
    assert "das28_fall is 1.2" in shown
    assert "with_methotrexate is not answered" in shown


def test_an_answer_that_is_refused_fails_a_case_that_expects_an_outcome() -> None:
    text = f"cases:\n{_HEAD}, answers: {{das28_then: 5.2}}, expect: {{outcome: approved}}}}\n"
    (result,) = run_cases(versions(_FOLDER), read_cases(text, "cases.yaml"))
    assert "answer refused: das28_then" in failure_text(result)


def test_a_version_that_does_not_exist_fails_the_case() -> None:
    text = f"cases:\n{_HEAD}, expect: {{outcome: approved}}}}\n".replace("2016", "2015")
    (result,) = run_cases(versions(_FOLDER), read_cases(text, "cases.yaml"))
    assert "there is no version 2015-01-26" in failure_text(result)


@pytest.mark.parametrize("count", [0, 11])
def test_a_thin_suite_is_a_fault(count: int) -> None:
    (fault,) = suite_faults(cases(_FOLDER)[:count], "cases.yaml")
    assert str(fault).startswith(f"cases.yaml: {count} cases")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no list `cases:`"),
        ("cases: 3", "there is no list `cases:`"),
        ("cases:\n  - a: {", "not readable as YAML"),
        ("cases:\n  - {name: a, name: b}", "the key name stands twice"),
        ("cases:\n" + "- " * 100_000, "nested over 50 deep"),
        ("cases: " + "[" * 100_000, "nested over 50 deep"),
        (f"cases:\n{_HEAD}, expect: {{}}}}", "expects either an outcome or refused_answers"),
        (f"cases:\n{_HEAD}, dose: 3, expect: {{outcome: approved}}}}", "a case has no `dose:`"),
        (
            f"cases:\n{_HEAD}, expect: {{outcome: approved, find: 3}}}}",
            "a case has no `expect.find:`",
        ),
        (f"cases:\n{_HEAD}, expect: {{outcome: maybe}}}}", "`expect.outcome:` must be one of"),
        (
            f"cases:\n{_HEAD}, first_dose: 2019-02-30, expect: {{outcome: approved}}}}",
            "`first_dose:` must be a day",
        ),
        ("cases:\n  - {expect: {outcome: approved}}", "`kind:` must be one of"),
        (
            f"cases:\n{_HEAD}, expect: {{outcome: approved}}}}\n"
            f"{_HEAD}, expect: {{outcome: approved}}}}",
            "two cases are called “a”",
        ),
    ],
)
def test_a_faulty_file_of_cases_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(PolicyFileFaults) as refused:
        read_cases(text, "cases.yaml")
    assert says in str(refused.value)


def test_a_file_of_cases_keeps_numbers_exact_and_words_as_they_stand() -> None:
    text = f"cases:\n{_HEAD}, answers: {{a: 5.10, b: on, c: 2019-01-01, d: ~}}, "
    (case,) = read_cases(text + "expect: {outcome: approved}}", "cases.yaml")
    assert case.answers == {"a": Decimal("5.10"), "b": "on", "c": "2019-01-01", "d": None}
    assert str(case.answers["a"]) == "5.10"
