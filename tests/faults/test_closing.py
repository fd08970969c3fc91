"""However a run ends, nothing of it runs on: the service, the nursery, PostgreSQL."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults import __main__ as harness
from tests.faults import scenarios
from tests.faults.cluster import Cluster
from tests.faults.house import House
from tests.faults.nursery import Nursery, runs

FEW = ["--database", "postgres", "--kills", "4", "--cuts", "0", "--jumps", "0"]
NOTHING_ELSE = ["--failures", "0", "--slow", "0", "--mutant-kills", "0", "--seed", "7"]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a run opens."""
    found: dict[str, Any] = {}

    class KeptCluster(Cluster):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            found["cluster"] = self

    class KeptNursery(Nursery):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            found["nursery"] = self

    monkeypatch.setattr(harness, "Cluster", KeptCluster)
    monkeypatch.setattr(harness, "Nursery", KeptNursery)
    return found


def breaks(found: dict[str, Any], error: BaseException) -> Any:
    """A scenario that ends by an error while the service and its clients are at work."""

    def scenario(house: House, _count: int) -> None:
        with house.under_load():
            house.wait_for_answers(1)
            found["pids"] = [house._service, house._worker]
            found["before"] = found["cluster"].processes()
            if isinstance(error, KeyboardInterrupt):  # Ctrl-C meets the nursery first
                os.kill(found["nursery"]._process.pid, signal.SIGKILL)
            raise error

    return scenario


def assert_nothing_runs(found: dict[str, Any]) -> None:
    assert found["before"]
    assert not [pid for pid in (*found["pids"], *found["before"]) if runs(pid)]
    assert found["nursery"]._process.poll() is not None


def test_a_run_that_is_interrupted_leaves_nothing_and_tells_its_numbers(
    opened: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scenarios, "kills", breaks(opened, KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        harness.main([*FEW, *NOTHING_ELSE])

    assert_nothing_runs(opened)
    told = capsys.readouterr().out
    assert "in all: " in told
    assert "0 lost, 0 twice, 0 half, 0 unsound" in told


def test_a_fault_that_breaks_off_fails_the_run_and_the_next_goes_on(
    opened: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scenarios, "kills", breaks(opened, OSError("planted")))

    assert harness.main([*FEW, *NOTHING_ELSE]) == 1

    assert_nothing_runs(opened)
    told = capsys.readouterr().out
    assert "BROKEN OFF by OSError: planted" in told
    assert "1 × postgres immediate stop" in told


def test_a_nursery_that_was_killed_is_closed_all_the_same(tmp_path: Path) -> None:
    nursery = Nursery(tmp_path)
    nursery._process.kill()
    nursery._process.wait()

    with pytest.raises((ChildProcessError, BrokenPipeError)):
        nursery.start("serve", env={})
    nursery.close()
    nursery.close()
