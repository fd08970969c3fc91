"""What is not tried for want of a small disk is said, and fails where it is required."""

import argparse
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults import __main__ as harness
from tests.faults import disks
from tests.faults.disks import NoDisk, small_disk
from tests.faults.totals import Outcome

SIZE = harness.Size(0, 0, 0, 0, 20, 0, 0)


@pytest.mark.parametrize("required", ["", "CI", "ASSENT_REQUIRE_POSTGRES"])
@pytest.mark.parametrize("final", [False, True])
def test_full_disks_that_cannot_be_made_are_said_and_fail_where_required(
    required: str,
    final: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("CI", "ASSENT_REQUIRE_POSTGRES"):
        monkeypatch.delenv(name, raising=False)
    if required:
        monkeypatch.setenv(required, "1")

    @contextmanager
    def none(*_: object) -> Iterator[NoDisk]:
        yield NoDisk("the machine says no", final)

    monkeypatch.setattr(harness, "small_disk", none)
    run = harness.Harness(tmp_path, 7, None, None)  # type: ignore[arg-type]  # it starts nothing
    run.fill_disks(SIZE)
    code = harness._tell(
        argparse.Namespace(kills=0, cuts=0), Outcome(run.totals, run.failed, caught=False)
    )
    told = capsys.readouterr().out
    assert "*** NOT TRIED: full disks of PostgreSQL" in told
    assert "NOT TRIED, so nothing is said of it: full disks of PostgreSQL: the machine" in told
    assert code == (1 if required and not final else 0)


@pytest.mark.parametrize(
    ("user", "error", "final"),
    [
        (0, subprocess.CalledProcessError(32, "mount"), True),
        (1000, subprocess.CalledProcessError(32, "mount"), False),
        (0, FileNotFoundError("mount"), False),
    ],
)
def test_only_a_refusal_to_root_is_one_that_nothing_would_change(
    user: int, error: Any, final: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(disks, "_mount", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with small_disk(tmp_path / "disk") as none:
        assert none is not None
        assert none.final is final
