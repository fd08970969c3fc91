"""What is published into the database decides in every running service, without a restart."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.approvals.library import Library
from app.approvals.library_files import load_library
from app.approvals.office import Office
from app.auth.store import register_caller
from app.cli import app as command_line
from app.db.transaction import Database
from app.db.work import Moment
from app.main import create_app
from app.reference_data.drugs import load_drugs
from app.settings import Settings
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.conftest import PEOPLE, token_of
from tests.functional.conftest import ADMINISTRATOR
from tests.integration.approvals.test_overlays import TEXT as OVERLAY
from tests.world import TRIAL_ANSWERS, TRIAL_POLICY, TRIAL_TEXT

Start = Callable[[], Api]
SECOND = "2026-06-01"
STRICTER = TRIAL_TEXT.replace("from: 2020-01-01", f"from: {SECOND}").replace(
    "score >= 5", "score >= 7"
)
ANN_AND_BEN = ("--by", "Ann", "--seconded-by", "Ben")


@pytest.fixture
def folder(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of one invented policy, and the command line set to it and to the database."""
    found = tmp_path / "policies"
    (found / "ms" / "trial").mkdir(parents=True)
    (found / "ms" / "trial" / "2020-01-01.yaml").write_text(TRIAL_TEXT, encoding="utf-8")
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    monkeypatch.setenv("ASSENT_POLICIES_DIR", str(found))
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path / "data"))
    url = database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("ASSENT_DATABASE_URL", url.replace("postgresql+psycopg", "postgresql"))
    return found


@pytest.fixture
def start(
    folder: Path,
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
    tmp_path: Path,
) -> Iterator[Start]:
    """Starts a service on the database; its clinician. Commissioners must have adopted there."""
    organisation, role = PEOPLE["clinician"]
    database.transact(
        lambda work: register_caller(
            work,
            ADMINISTRATOR,
            name="clinician",
            kind="system",
            organisation=organisation,
            role=role,
            demonstration=True,
            token=token_of("clinician"),
        ),
        moment=moment,
        new_id=ids,
        random_bytes=random_bytes,
    )
    library = load_library(folder, load_drugs().keys())
    settings = Settings(
        demonstration=True, data_dir=tmp_path / "var", requests_per_minute=1_000_000
    )
    with ExitStack() as running:

        def one() -> Api:
            application = create_app(
                settings,
                database=database,
                library=Library(()),
                now=lambda: moment.instant,
                new_id=ids,
                random_bytes=random_bytes,
            )
            application.state.office = Office(library, demonstration=False)
            return Api(running.enter_context(TestClient(application)), token_of("clinician"))

        yield one


def policies(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(command_line, ["policies", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def publish(tmp_path: Path, text: str, name: str = "draft.yaml", code: int = 0) -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return policies("publish", str(path), "--database", *ANN_AND_BEN, code=code)


def adopt(number: str, code: int = 0) -> str:
    whose = ("--commissioner", "DEMQ1", "--from", "2020-01-01")
    return policies("adopt", TRIAL_POLICY, number, *whose, *ANN_AND_BEN, code=code)


def decision(api: Api, patient: int, **answers: Any) -> dict[str, Any]:
    """The decision on a first request of the invented policy."""
    form = initiation(patient, policy=TRIAL_POLICY, answers={**TRIAL_ANSWERS, **answers})
    found: dict[str, Any] = good(api.post("/v1/requests", form), 201)["decisions"][-1]
    return found


def test_a_published_version_decides_once_it_is_adopted(start: Start, tmp_path: Path) -> None:
    services = (start(), start())
    adopt("2020-01-01")
    assert [decision(api, 1 + n, score="6.0")["outcome"] for n, api in enumerate(services)] == [
        "approved"
    ] * 2

    nobodys = STRICTER.replace("commissioner: Nobody", "commissioner: To be decided")
    assert "is to be decided" in publish(tmp_path, nobodys, code=2)
    assert f"{TRIAL_POLICY} {SECOND} is published" in publish(tmp_path, STRICTER)
    for number, api in enumerate(services):
        shown = good(api.get(f"/v1/policies/{TRIAL_POLICY}"))
        assert SECOND in json.dumps(shown)
        found = decision(api, 3 + number, score="8.0")
        assert (found["outcome"], "not adopted" in found["reasons"][-1]) == ("referred", True)

    adopt(SECOND)
    for number, api in enumerate(services):
        assert decision(api, 5 + number, score="8.0")["outcome"] == "approved"
        assert decision(api, 7 + number, score="6.0")["outcome"] == "criteria not met"
    assert "score >= 7" in policies("show", TRIAL_POLICY, SECOND)


def end_adoption(*changes: str, code: int = 0) -> str:
    """The command to end it from a day that is always to come; later options win."""
    arguments = ("--commissioner", "DEMQ1", "--from", "2099-01-01", *ANN_AND_BEN, *changes)
    return policies("end-adoption", TRIAL_POLICY, "2020-01-01", *arguments, code=code)


def test_an_adoption_is_ended_at_the_command_line_by_two_people(start: Start) -> None:
    adopt("2020-01-01")
    for changes, told in (
        (("--seconded-by", "Ann"), "takes two people"),
        (("--from", "2026-01-01"), "ends from today or a later day"),
        (("--commissioner", "DEMQ2"), "has no adoption of that version"),
    ):
        assert told in " ".join(end_adoption(*changes, code=2).split())
    assert "no longer decides by" in end_adoption()
    assert decision(start(), 1)["outcome"] == "approved"  # until that day it decides
    assert "has no adoption of that version" in " ".join(end_adoption(code=2).split())


def test_a_published_overlay_decides_once_it_is_adopted(start: Start, tmp_path: Path) -> None:
    services = (start(), start())
    name = "overlay-DEMQ1-2026-01-01"
    adopt("2020-01-01")
    refused = adopt(name, code=2)
    assert "neither packaged nor published" in refused
    assert "2020-01-01" in refused
    publish(tmp_path, OVERLAY, f"{name}.yaml")
    assert decision(services[0], 1, first_line=True)["outcome"] == "referred"
    adopt(name)
    for number, api in enumerate(services):
        assert decision(api, 2 + number, first_line=True)["outcome"] == "approved"
        found = decision(api, 4 + number, first_line=False)
        assert found["outcome"] == "criteria not met"
        assert found["findings"][-1]["layer"] == "DEMQ1 2026-01-01"


def test_a_published_text_that_was_changed_decides_nothing(
    start: Start, tmp_path: Path, database: Database, owned: Callable[[Database], sa.Engine]
) -> None:
    publish(tmp_path, STRICTER)
    adopt(SECOND)
    tamper(owned(database), "score >= 7", "score >= 0")
    api = start()
    form = initiation(1, policy=TRIAL_POLICY, answers={**TRIAL_ANSWERS, "score": "8.0"})
    told = good(api.post("/v1/requests", form), 503)
    assert told["code"] == "policy-not-usable"
    assert f"The published {TRIAL_POLICY} {SECOND} cannot be relied on" in told["detail"]
    assert good(api.get("/v1/policies"))["policies"] == []
    assert "cannot be relied on" in policies("show", TRIAL_POLICY, code=2)
    tamper(owned(database), "score >= 0", "score >= 7")
    assert decision(api, 1, score="8.0")["outcome"] == "approved"


def tamper(engine: sa.Engine, old: str, new: str) -> None:
    """Change a stored text past its triggers, as the database's owner could."""
    change = "UPDATE policy_version SET resolved = replace(resolved, :old, :new)"
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            off = "ALTER TABLE policy_version DISABLE TRIGGER policy_version_no_change"
            connection.exec_driver_sql(off)
        else:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS policy_version_no_update")
        assert connection.execute(sa.text(change), {"old": old, "new": new}).rowcount
        if connection.dialect.name == "postgresql":
            on = "ALTER TABLE policy_version ENABLE ALWAYS TRIGGER policy_version_no_change"
            connection.exec_driver_sql(on)
