"""A stored text as a policy file that means the same."""

import pytest

from app.authoring.files import as_yaml
from app.policy import load_policy
from tests.policies.library import packaged_library

#: Of each area some, with lists, formulas, arms and decimals among them.
SAMPLE = packaged_library().all_versions()[::23]


@pytest.mark.parametrize("version", SAMPLE, ids=lambda each: f"{each.policy} {each.version}")
def test_it_has_the_same_hash(version) -> None:  # type: ignore[no-untyped-def]
    assert load_policy(as_yaml(version.resolved), "again").hash == version.hash
