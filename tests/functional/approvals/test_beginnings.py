"""Tests share what they begin with, so a copy must be the original, and nothing of one test stays.

Otherwise a test would pass or fail by what ran before it in the same process.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.db.tables import metadata
from app.db.transaction import Database
from app.db.work import EVERYBODY, enter_scope
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import Scene, set_scene
from tests.once import Begin, Counted

Rows = dict[str, list[str]]


def rows_of(database: Database) -> Rows:
    """Every row of every table, as text."""
    found: Rows = {}
    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            enter_scope(connection, EVERYBODY)
        for table in metadata.sorted_tables:
            found[table.name] = sorted(map(str, connection.execute(sa.select(table))))
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file()
    }


@pytest.fixture
def really(people: Mapping[str, Api], application: FastAPI) -> Callable[[], Scene]:
    """Sets the scene over the API."""
    return lambda: set_scene(people, application)


def again(begin: Begin, name: str, set_up: Callable[[], Scene]) -> Scene:
    """Begin as the next test of this process would."""
    following = Begin(
        begin.database, begin.store, begin.folder, begin.shelf, begin.counted, begin.kept
    )
    for source in begin.counted:
        source.stand(0)
    following("the people of the approvals' tests", lambda: pytest.fail("there is a copy"))
    return following(name, set_up)


def test_nothing_of_a_test_is_there_for_the_next(
    people: Mapping[str, Api],
    scene: Scene,
    begin: Begin,
    database: Database,
    change: Callable[[str, str, object], None],
) -> None:
    began = rows_of(database), files_of(begin.folder), begin.drawn()
    assert any(began[0]["approval"]), began[0]
    assert began[1], "the uploaded files"
    known, versions = scene.secrets(), dict(scene.versions)

    good(people["clinician"].post("/v1/requests", initiation(5)), 201)
    change("DEMQ1", "panel", "DEMP1")
    for each in begin.folder.rglob("*"):
        if each.is_file():
            each.write_bytes(b"spoilt")
    (begin.folder / "left.txt").write_text("behind")
    scene.versions.clear()  # type: ignore[attr-defined]
    assert rows_of(database) != began[0]

    name = "the scene of the approvals' tests"
    copied = again(begin, name, lambda: pytest.fail("there is a copy"))

    assert (rows_of(database), files_of(begin.folder), begin.drawn()) == began
    assert (copied.secrets(), copied.versions) == (known, versions)
    # The service goes on from there: it draws what was not drawn yet, and its log still holds.
    good(people["clinician"].post("/v1/requests", initiation(5)), 201)
    assert people["clinician"].get(f"/v1/treatments/{copied.treatment}").status_code == 200


def test_a_copy_is_what_setting_the_scene_makes(
    scene: Scene, begin: Begin, really: Callable[[], Scene], database: Database
) -> None:
    copied = again(begin, "the scene of the approvals' tests", lambda: pytest.fail("a copy"))
    of_copy = {name: len(rows) for name, rows in rows_of(database).items()}
    drawn, files = begin.drawn(), set(files_of(begin.folder))

    made = again(begin, "a scene that nobody has set yet", really)

    assert made == copied == scene
    assert {name: len(rows) for name, rows in rows_of(database).items()} == of_copy
    assert (begin.drawn(), set(files_of(begin.folder))) == (drawn, files)


def test_a_test_that_did_something_before_gets_no_copy(
    people: Mapping[str, Api], begin: Begin, really: Callable[[], Scene], database: Database
) -> None:
    """A copy would take back what it did."""
    first = good(people["clinician"].post("/v1/requests", initiation(7)), 201)

    begin("the scene of the approvals' tests", really)

    assert good(people["clinician"].get(f"/v1/requests/{first['id']}"))["id"] == first["id"]


def test_what_is_drawn_goes_on_where_the_copy_stood() -> None:
    counted = Counted(lambda number, more: (number, more))
    assert [counted("a"), counted("b"), counted.drawn] == [(1, "a"), (2, "b"), 2]

    counted.stand(41)

    assert [counted.drawn, counted("c"), counted.drawn] == [41, (42, "c"), 42]
