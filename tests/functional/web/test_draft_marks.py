"""A draft of a policy is marked wherever it is shown, and a policy in force is not."""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.approvals.library import Library
from app.approvals.office import change_setting
from app.db.transaction import Database
from app.db.work import Work
from app.main import create_app
from app.settings import Settings
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter
from tests.functional.web.forms import ANSWERS, FORM, sent
from tests.functional.web.test_minutes import take
from tests.pattern_policies import in_force
from tests.policies.library import packaged_library

TAG = ">Draft policy<"
LIBRARIES: Mapping[str, Callable[[Library], Library]] = {
    "draft": lambda library: library,
    "in force": in_force,
}


@pytest.fixture(params=LIBRARIES)
def standing(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def application(
    database: Database, tmp_path: Path, now: Callable[[], dt.datetime], standing: str
) -> FastAPI:
    """The service of the neighbours, whose policy for rheumatoid arthritis stands as asked."""
    settings = Settings(
        demonstration=True,
        demonstration_sign_in=True,
        data_dir=tmp_path / "var",
        requests_per_minute=1_000_000,
        requests_per_minute_of_people=1_000_000,
    )
    library = LIBRARIES[standing](packaged_library())
    return create_app(settings, database=database, library=library, now=now)


@pytest.fixture
def panel(application: FastAPI) -> None:
    def settle(work: Work) -> None:
        day = work.moment.day.replace(month=1, day=1)
        change_setting(work, "DEMQ1", "panel", "DEMP1", day, ADMINISTRATOR.id)

    application.state.door.transact(settle)


@pytest.mark.usefixtures("panel")
def test_each_page_marks_a_draft_and_no_policy_in_force(enter: Enter, standing: str) -> None:
    doctor, member = enter("demo1-clinician"), enter("demp1-panel-member")
    request, treatment = sent(doctor, ANSWERS)
    referred, _ = sent(doctor, ANSWERS | {"screened": "no"})
    take(member, referred, "panel-decline", reason="Not shown to be safe.", no_interest="yes")
    found = doctor.get("/start?q=humira+severe+rheumatoid").text
    shown = {
        "a card to start": found[found.index(f'href="{FORM}"') :].partition("nhsuk-card--")[0],
        "a form": doctor.get(FORM).text,
        "a request": doctor.get(f"/requests/{request}").text,
        "a correction": doctor.get(f"/requests/{request}/correct").text,
        "a treatment": doctor.get(f"/treatments/{treatment}").text,
        "a timeline": doctor.get(f"/treatments/{treatment}/timeline").text,
        "minutes": member.get("/minutes").text,
    }
    marked = {name for name, text in shown.items() if TAG in text}
    assert marked == (set(shown) if standing == "draft" else set())
    # The page of a treatment marks its policy, and each approval that a draft gave.
    assert shown["a treatment"].count(TAG) == (2 if standing == "draft" else 0)
    for name in ("a treatment", "a timeline", "minutes"):
        said = "check before clinical use" in shown[name]
        assert said is (standing == "draft"), name
        assert "dalimumab" in shown[name], "the page tells of the treatment"
