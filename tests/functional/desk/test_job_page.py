"""The page of a job that is under way: how far it is, as a bar and in words."""

import re
from dataclasses import replace

import pytest
from fastapi import FastAPI

from app.auth.model import Role
from app.reconciliation.engines import plain, shared_words
from app.work import Held
from tests.functional.approvals.test_challenges import ROWS, as_csv
from tests.functional.desk.conftest import Sit
from tests.functional.desk.test_desk import bare, upload, work_off

OF = len(ROWS)
_BAR = re.compile(r'<progress [^>]*max="(\d+)" value="(\d+)"( hidden)?></progress>')


@pytest.mark.parametrize("most_lines", [1_000, 0], ids=["in memory", "from file to file"])
def test_the_bar_grows_from_nought_to_all_while_the_file_is_reconciled(
    application: FastAPI, sit: Sit, monkeypatch: pytest.MonkeyPatch, most_lines: int
) -> None:
    monkeypatch.setattr(shared_words, "TOGETHER", 2)
    monkeypatch.setattr(plain, "LINES_BETWEEN", 2)
    browser = sit("DEMQ1", Role.COMMISSIONER)
    at = upload(browser, as_csv(*ROWS)).headers["location"]
    job = browser.send(at, f"{at}/accept").headers["location"]

    def bar() -> tuple[int, int, bool]:
        (found,) = _BAR.findall(browser.get(job).text)
        return int(found[1]), int(found[0]), bool(found[2])

    assert bar() == (0, 1, True)  # nobody has looked at it yet
    bars, words, states = [], [], []
    progress = Held.progress

    def tell(held: Held, done: int, total: int | None) -> None:
        progress(held, done, total)
        bars.append(bar())
        state = browser.get(f"{job}/state").json()
        states.append((state["done"], state["of"], state["over"]))
        assert state["words"] in bare(browser.get(job).text)
        words.append(state["words"])

    monkeypatch.setattr(Held, "progress", tell)
    desk = application.state.desk
    application.state.desk = replace(desk, matching=replace(desk.matching, most_lines=most_lines))
    work_off(application)
    application.state.desk = desk

    numbers = [*range(0, OF, 2), OF]
    assert len(numbers) > 3
    assert bars == [(done, OF, False) for done in numbers]
    assert states == [(done, OF, False) for done in numbers]
    assert words[0].endswith("Its lines are being read and matched.")
    assert words[1].endswith(f"2 of {OF} lines so far.")
    assert words[-1].endswith(f"All its lines are matched ({OF}); the outcomes are being stored.")
    over = browser.get(f"{job}/state").json()
    assert (over["done"], over["of"], over["over"]) == (OF, OF, True)
    assert browser.get(job).headers["location"].startswith("/submissions/runs/")
