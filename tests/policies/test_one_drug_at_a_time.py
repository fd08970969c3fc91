"""Which drugs are not funded together, and how a treatment begun elsewhere is judged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.policy import PolicyVersion
from tests.policies.library import folders, versions

AREAS = ("dermatology", "gastroenterology", "multiple-sclerosis", "respiratory", "rheumatology")
NONE: dict[str, str] = {
    "abatacept-ra-moderate": "not recommended: nothing new is approved under it",
    "daclizumab-rrms": "withdrawn: nothing new is approved under it",
    "ozanimod-rrms": "not recommended: nothing new is approved under it",
    "infliximab-uc-acute": "three doses in an emergency: nobody should wait for a panel",
}


def _newest() -> Iterator[PolicyVersion]:
    for folder in folders():
        if folder.parent.name in AREAS:
            plain = [each for each in versions(folder).values() if each.overlay is None]
            yield max(plain, key=lambda each: (each.in_force.from_, _correction(each)))


def _correction(version: PolicyVersion) -> int:
    return int(version.version.partition(".")[2] or 0)


NEWEST = tuple(_newest())
BARRING = [each for each in NEWEST if each.policy not in NONE]


@pytest.mark.parametrize("version", BARRING, ids=lambda version: version.policy)
def test_another_drug_for_the_same_indication_is_barred(version: PolicyVersion) -> None:
    """By this version or by the other: a bar holds both ways."""
    others = [each for each in BARRING if each.indication.key == version.indication.key]
    together = [
        each.policy
        for each in others
        if each.drug not in {version.drug, *_barred(version)} and version.drug not in _barred(each)
    ]
    assert together == []


def _barred(version: PolicyVersion) -> set[str]:
    return {drug for term in version.approval.barred_with for drug in term.drugs}


@pytest.mark.parametrize("version", BARRING, ids=lambda version: version.policy)
def test_a_treatment_begun_elsewhere_is_judged_on_the_baseline(version: PolicyVersion) -> None:
    conversion = version.approval.conversion
    assert conversion is not None
    assert conversion.judged_on == "pre_treatment_baseline"


@pytest.mark.parametrize("version", BARRING, ids=lambda version: version.policy)
def test_a_bar_that_nobody_has_read_says_so(version: PolicyVersion) -> None:
    for term in version.approval.barred_with:
        assert (term.evidence == "verified") == (term.source.read_on is not None)
        assert term.evidence == "verified" or "has not been read" in term.reason


@pytest.mark.parametrize("policy", NONE)
def test_the_list_of_policies_that_bar_nothing_is_not_stale(policy: str) -> None:
    (version,) = [each for each in NEWEST if each.policy == policy]
    assert version.approval.barred_with == ()
