"""Merkle trees: RFC 6962's own vectors, and a path for each leaf of trees of every size."""

import hashlib

import pytest

from app.audit import merkle

#: The leaves and roots of RFC 6962's reference implementation (certificate-transparency tests).
RFC_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
RFC_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
]


def leaves(count: int) -> list[str]:
    return [merkle.leaf(f"row {number}") for number in range(count)]


def test_the_first_roots_are_those_of_the_rfc() -> None:
    raw = [hashlib.sha256(b"\x00" + bytes.fromhex(each)).hexdigest() for each in RFC_LEAVES]
    assert [merkle.root(raw[: n + 1]) for n in range(3)] == RFC_ROOTS
    assert merkle.root([]) == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_every_leaf_has_a_path_that_leads_to_the_root_and_to_no_other(count: int) -> None:
    all_ = leaves(count)
    root = merkle.root(all_)
    for index, each in enumerate(all_):
        steps = merkle.path(all_, index)
        assert merkle.leads_to(each, index, count, steps, root)
        assert not merkle.leads_to(merkle.leaf("another"), index, count, steps, root)
        assert not merkle.leads_to(each, index, count, [*steps, each], root)
        if count > 1:
            assert not merkle.leads_to(each, (index + 1) % count, count, steps, root)


def test_a_node_cannot_pass_for_a_leaf() -> None:
    left, right = leaves(2)
    assert merkle.root([left, right]) != merkle.leaf(left + right)


def test_the_order_of_the_rows_matters() -> None:
    one, two, three = leaves(3)
    assert merkle.root([one, two, three]) != merkle.root([one, three, two])
