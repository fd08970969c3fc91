"""A small share of the fuzz run, the same at every run; `make fuzz` is the long one."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from app.audit import Keyring
from app.authoring.errors import BenchRefused
from app.authoring.forms.reading import read_forms
from app.backup import manifest
from app.backup.errors import BackupRefused
from app.policy import PolicyFileFaults
from app.policy.cases import read_cases
from tests.fuzz import run as runner
from tests.fuzz.outside import GOOD
from tests.fuzz.parsers import KEY, targets
from tests.fuzz.target import Target
from tests.unit.authoring.test_forms import docx

CASES = 200
EVERY = targets()


@pytest.mark.parametrize("target", EVERY, ids=[target.name for target in EVERY])
def test_a_reader_raises_what_it_documents_and_nothing_else(target: Target) -> None:
    wanted = max(20, int(CASES * target.weight))

    found = [failure for failure in runner.run(target, 1, 0, wanted) if failure is not None]

    assert found == []


def _hang(_: object) -> None:
    while True:
        pass


def _break(_: object) -> None:
    raise KeyError("undocumented")


@pytest.mark.parametrize(
    ("read", "what"), [(_hang, "at work after"), (_break, "KeyError")], ids=["hangs", "breaks"]
)
def test_a_reader_that_hangs_or_breaks_is_caught(
    read: Callable[[object], None], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "MOST_SECONDS", 0.1)
    target = Target("planted", lambda draw: draw.random(), read, (ValueError,))

    failure = runner.once(target, "1")

    assert failure is not None
    assert what in failure.what


def test_a_case_can_be_made_again_from_its_seed() -> None:
    for target in EVERY:
        if target.name not in {"assertion", "public key"}:  # their key is new in each process
            first, again = (target.make(random.Random("seed")) for _ in range(2))
            assert first == again, target.name


def test_what_is_spoilt_is_good_before() -> None:
    """A reader that refuses the seed itself would meet nothing that is almost right."""
    by_name = {target.name: target for target in EVERY}
    for name, seed in GOOD.items():
        by_name[name].read(seed)


def test_worked_cases_with_a_control_character_are_a_fault_of_the_file() -> None:
    with pytest.raises(PolicyFileFaults):
        read_cases("cases:\n- name: a\x07b\n", "cases.yaml")


def test_a_docx_whose_directory_lies_about_its_place_is_refused() -> None:
    data = docx(("A form", False))
    with pytest.raises(BenchRefused):
        read_forms(data[3:], "form.docx")


def test_a_manifest_with_a_number_that_is_not_exact_is_refused(tmp_path: Path) -> None:
    names = [*manifest.Manifest.__dataclass_fields__, "key_id", "signature"]
    text = ",".join(f'"{name}": 1.5' for name in names)
    (tmp_path / manifest.NAME).write_text(f"{{{text}}}")
    with pytest.raises(BackupRefused):
        manifest.read(tmp_path, Keyring.of(KEY))
