import datetime as dt
from dataclasses import replace

import pytest

from app.reference_data.organisations import (
    Organisation,
    OrganisationDirectory,
    build_directory,
    load_organisations,
)

TODAY = dt.date(2026, 11, 22)


@pytest.fixture(scope="module")
def directory() -> OrganisationDirectory:
    return load_organisations()


@pytest.mark.parametrize(
    ("code", "kind", "demonstration"),
    [
        ("DEMO1", "provider", True),
        ("DEMO2", "provider", True),
        ("DEMO3", "provider", True),
        ("DEMQ1", "commissioner", True),
        ("DEMQ2", "commissioner", True),
        ("DEMP1", "panel", True),
        ("DEMG01", "practice", True),
        ("RRK", "provider", False),
        ("QHL", "commissioner", False),
        ("13Q", "commissioner", False),
    ],
)
def test_organisations_are_found_by_code(
    directory: OrganisationDirectory, code: str, kind: str, demonstration: bool
) -> None:
    found = directory.find(f" {code.lower()} ", TODAY)
    assert found is not None
    assert (found.code, found.kind, found.demonstration) == (code, kind, demonstration)


def test_exactly_the_demonstration_organisations_have_codes_that_begin_dem(
    directory: OrganisationDirectory,
) -> None:
    for organisation in directory.all():
        assert organisation.demonstration == organisation.code.startswith("DEM")


@pytest.mark.parametrize(
    ("code", "folded"),
    [
        ("RRK00", "RRK"),
        ("rrk15", "RRK"),
        ("RAS00", "RAS"),
        ("RRK", "RRK"),
        ("DEMO101", "DEMO1"),
        ("DEMO199", "DEMO1"),
        ("DEMO1", "DEMO1"),
        ("QHL", "QHL"),
        ("QHL00", "QHL00"),  # a commissioner has no sites
        ("XYZ00", "XYZ00"),  # an unknown trust is not guessed
        ("D4U1Y", "D4U1Y"),
        ("DEMG01", "DEMG01"),
        ("", ""),
    ],
)
def test_a_site_folds_to_its_trust_and_nothing_else_does(
    directory: OrganisationDirectory, code: str, folded: str
) -> None:
    assert directory.fold(code, TODAY) == folded


@pytest.mark.parametrize(
    ("code", "on", "found"),
    [
        ("D4U1Y", dt.date(2026, 3, 31), True),
        ("D4U1Y", dt.date(2026, 4, 1), False),
        ("D4U1Y", None, True),
        ("U2G6B", dt.date(2026, 3, 31), False),
        ("U2G6B", dt.date(2026, 4, 1), True),
        ("92A", dt.date(2020, 1, 1), True),
        ("NOPE", TODAY, False),
    ],
)
def test_an_organisation_is_found_only_while_its_code_holds(
    directory: OrganisationDirectory, code: str, on: dt.date | None, found: bool
) -> None:
    assert (directory.find(code, on) is not None) is found


def _trust(code: str, name: str, from_: dt.date | None, to: dt.date | None) -> Organisation:
    return Organisation(code, name, "provider", None, from_, to, True, "test")


def test_a_reused_code_gives_the_organisation_of_the_day() -> None:
    directory = build_directory(
        [
            _trust("ABC", "Old", None, dt.date(2020, 3, 31)),
            _trust("ABC", "New", dt.date(2020, 4, 1), None),
        ]
    )
    names = [directory.find("ABC", on) for on in (dt.date(2020, 3, 31), dt.date(2020, 4, 1), None)]
    assert [found.name for found in names if found] == ["Old", "New", "New"]


def test_a_site_does_not_fold_to_a_trust_that_has_closed() -> None:
    directory = build_directory([_trust("ABC", "Closed", None, dt.date(2020, 3, 31))])
    assert directory.fold("ABC01", dt.date(2020, 3, 31)) == "ABC"
    assert directory.fold("ABC01", dt.date(2020, 4, 1)) == "ABC01"


def test_every_parent_is_listed(directory: OrganisationDirectory) -> None:
    for organisation in directory.all():
        if organisation.parent:
            assert directory.find(organisation.parent, None) is not None


@pytest.mark.parametrize(
    ("code", "on", "folded"),
    [
        # a trust that was merged is itself until then, its sites too
        ("DEMO4", dt.date(2026, 3, 31), "DEMO4"),
        ("DEMO4", dt.date(2026, 4, 1), "DEMO2"),
        ("DEMO401", dt.date(2026, 3, 31), "DEMO4"),
        ("DEMO401", dt.date(2026, 4, 1), "DEMO2"),
        # a sub-ICB location is its ICB's while it is open
        ("DEMS1", TODAY, "DEMQ1"),
        ("DEMS2", dt.date(2026, 3, 31), "DEMQ1"),
        ("DEMS2", dt.date(2026, 4, 1), "DEMS2"),
        # a practice's commissioner is not what it is
        ("DEMG01", TODAY, "DEMG01"),
    ],
)
def test_mergers_and_sub_icb_locations_fold_by_the_day(
    directory: OrganisationDirectory, code: str, on: dt.date, folded: str
) -> None:
    assert directory.fold(code, on) == folded


def test_parents_in_a_circle_fold_to_one_of_them() -> None:
    first, second = _trust("AAA", "A", None, None), _trust("BBB", "B", None, None)
    directory = build_directory([replace(first, parent="BBB"), replace(second, parent="AAA")])
    assert directory.fold("AAA", TODAY) in {"AAA", "BBB"}
