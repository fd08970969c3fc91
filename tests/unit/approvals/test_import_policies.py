"""Which policy an old form was for is told by its number, key or title, and never guessed."""

import pytest

from app.approvals.import_cells import CellFault
from app.approvals.import_policies import (
    PolicyIndex,
    guidance_column,
    guidance_in,
    index_of,
    policy_for,
)
from app.approvals.library_files import load_library
from tests.world import POLICIES

RA, RA_MODERATE, MS = "adalimumab-ra-severe", "adalimumab-ra-moderate", "natalizumab-rrms-res"
INDEX = PolicyIndex(
    by_drug={"adalimumab": frozenset({RA, RA_MODERATE}), "natalizumab": frozenset({MS})},
    by_guidance={
        375: frozenset({RA}),
        130: frozenset({RA}),
        715: frozenset({RA_MODERATE}),
        999: frozenset({RA, RA_MODERATE}),
        127: frozenset({MS}),
    },
    by_title={"adalimumabforsevere": frozenset({RA}), "natalizumabforms": frozenset({MS})},
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("NICE TA375 adalimumab", {375}),
        ("ta 0375 / TA-130", {375, 130}),
        ("TA375b", {375}),
        ("DATA375", set()),
        ("TA12345", set()),
        ("375", set()),
    ],
)
def test_guidance_numbers_are_found_in_text(text: str, numbers: set[int]) -> None:
    assert guidance_in(text) == numbers


def test_a_column_of_guidance_numbers_may_leave_the_letters_out() -> None:
    assert guidance_column("375") == guidance_column("TA0375") == {375}


@pytest.mark.parametrize(
    ("drug", "key", "guidance", "texts", "policy"),
    [
        ("adalimumab", RA, None, (), RA),
        ("adalimumab", RA.upper(), None, (), RA),
        ("adalimumab", None, "375", (), RA),
        ("adalimumab", None, None, ("Adalimumab TA375 (was TA130)",), RA),
        ("adalimumab", None, None, ("Adalimumab for severe", "TA130"), RA),
        ("adalimumab", RA, "999", (), RA),
        ("adalimumab", None, "999", ("TA715",), RA_MODERATE),
        ("adalimumab", None, None, ("ADALIMUMAB, for severe!", "Rheumatoid arthritis"), RA),
    ],
)
def test_everything_that_the_row_says_leads_to_one_policy(
    drug: str, key: str | None, guidance: str | None, texts: tuple[str, ...], policy: str
) -> None:
    assert policy_for(INDEX, drug, key, guidance, texts) == policy


@pytest.mark.parametrize(
    ("drug", "key", "guidance", "texts", "why"),
    [
        ("etanercept", None, "375", (), "no policy for this drug"),
        ("adalimumab", None, None, (), "does not tell which policy"),
        ("adalimumab", None, None, ("Rheumatoid arthritis",), "does not tell which policy"),
        ("adalimumab", None, "199", (), "under what the row names"),
        ("adalimumab", None, None, ("TA375 and TA199",), "under what the row names"),
        ("adalimumab", None, "127", (), "under what the row names"),
        ("adalimumab", MS, None, (), "under what the row names"),
        ("adalimumab", "unheard-of", "375", (), "under what the row names"),
        ("adalimumab", None, None, ("Natalizumab for MS",), "under what the row names"),
        ("adalimumab", None, "999", (), "more than one policy"),
        ("adalimumab", RA_MODERATE, "375", (), "more than one policy"),
    ],
)
def test_a_row_that_leaves_the_policy_open_is_not_guessed(
    drug: str, key: str | None, guidance: str | None, texts: tuple[str, ...], why: str
) -> None:
    with pytest.raises(CellFault, match=why):
        policy_for(INDEX, drug, key, guidance, texts)


def test_every_guidance_number_of_the_library_leads_to_its_policy() -> None:
    index = index_of(load_library(POLICIES))
    found = {number: set(policies) for number, policies in index.by_guidance.items()}
    assert found[127] == {MS}
    assert found[130] == {RA, "etanercept-ra-severe", "infliximab-ra-severe"}
    assert {RA, "etanercept-ra-severe"} <= found[375]
    assert found[443] == {"obeticholic-acid-pbc"}
