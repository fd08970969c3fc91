"""A change to a biosimilar needs no request, and the text that people read says so."""

from __future__ import annotations

import csv

import pytest

from app.policy import PolicyVersion
from app.policy.terms_text import term_lines
from tests.policies.library import ROOT, all_versions

PRODUCTS = ROOT / "app/reference_data/data/products.csv"
NOT = {"natalizumab-rrms-ha": "the text itself bars the originator given into a vein"}


def _with_biosimilars() -> set[str]:
    lines = [line for line in PRODUCTS.read_text("utf-8").splitlines() if line[:1] != "#"]
    return {row["drug"] for row in csv.DictReader(lines) if row["biosimilar"] == "true"}


HELD = [each for each in all_versions() if each.drug in _with_biosimilars()]
FREE = [each for each in HELD if each.policy not in NOT]


@pytest.mark.parametrize("version", FREE, ids=lambda each: f"{each.policy}@{each.version}")
def test_a_change_to_a_biosimilar_needs_no_request(version: PolicyVersion) -> None:
    assert version.approval.interchangeable
    text = "\n".join(term_lines(version.approval, str))
    assert "a change between them needs no request" in text


def test_the_list_of_exceptions_is_not_stale() -> None:
    assert {each.policy for each in HELD if not each.approval.interchangeable} == set(NOT)
