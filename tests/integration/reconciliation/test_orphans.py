"""Files that no row names: the old ones go, and never one that a row names or may still name."""

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from app.commands import serve
from app.housekeeping import tidying
from app.reconciliation import orphans, service
from app.reconciliation.files import FileStore
from app.reconciliation.orphans import KEPT, KINDS, erase_orphans
from app.reconciliation.service import Desk
from app.reconciliation.stored_lines import OUTCOMES, ROWS, SUBMISSIONS
from tests.integration.reconciliation.test_runs import FILE, door, run, stored
from tests.patience import PATIENCE_SECONDS
from tests.world import COMMISSIONER, World

BEFORE = KEPT + dt.timedelta(hours=1)


class Refused(Exception):
    """A transaction that fails after the file was written."""


def age(*paths: Path, by: dt.timedelta = BEFORE) -> None:
    """Let files be as if they had been stored so long ago."""
    for path in paths:
        then = path.stat().st_mtime - by.total_seconds()
        os.utime(path, (then, then))


def left_behind(world: World, desk: Desk, data: bytes = FILE) -> list[Path]:
    """What an upload leaves whose transaction fails."""

    def receive(work: Any) -> None:
        service.receive(work, desk, COMMISSIONER, data, submission)
        raise Refused

    submission = service.read_own(desk, COMMISSIONER, data, "lines.csv")
    with pytest.raises(Refused):
        world.do(receive)
    return stored(desk)


def test_what_a_failed_upload_left_goes_once_it_is_old(world: World, desk: Desk) -> None:
    assert [path.parent.name for path in left_behind(world, desk)] == [ROWS, SUBMISSIONS]
    assert erase_orphans(door(world).read, desk.files) == 0  # its transaction may go on yet

    age(*stored(desk))
    tidying(desk).do(door(world))

    assert stored(desk) == []
    assert "tidying" in vars(serve)  # and the worker does it


def test_what_a_row_names_stays_however_old_it_is(world: World, desk: Desk) -> None:
    done = run(world, desk)
    named = stored(desk)
    assert {path.parent.name for path in named} == set(KINDS)
    unfinished = named[0].with_name(f"{named[0].name}.77-88.part")
    unfinished.write_bytes(b"of a writer that was killed")
    ended = named[0].with_name("0" * 64 + ".ended")
    ended.touch()
    age(*named, unfinished, ended)

    assert erase_orphans(door(world).read, desk.files) == 1

    assert stored(desk) == sorted([*named, ended])
    assert run(world, desk).run == done.run


@pytest.mark.parametrize("kind", [SUBMISSIONS, ROWS, OUTCOMES])
def test_the_same_name_of_another_organisation_keeps_nothing(
    world: World, desk: Desk, kind: str
) -> None:
    run(world, desk)
    (mine,) = (path for path in stored(desk) if path.parent.name == kind)
    theirs = desk.files.folder / "DEMO2" / kind / mine.name
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(mine.read_bytes())
    age(mine, theirs)

    assert erase_orphans(door(world).read, desk.files) == 1

    assert mine.exists()
    assert not theirs.exists()


def test_an_upload_that_takes_up_an_old_file_keeps_it_before_it_has_committed(
    world: World, desk: Desk
) -> None:
    """The upload has found the file there and has not committed while the worker tidies."""
    age(*left_behind(world, desk))
    submission = service.read_own(desk, COMMISSIONER, FILE, "lines.csv")
    there, go_on = Event(), Event()

    def receive(work: Any) -> None:
        service.receive(work, desk, COMMISSIONER, FILE, submission)
        there.set()
        assert go_on.wait(PATIENCE_SECONDS)

    upload = Thread(target=lambda: world.do(receive))
    upload.start()
    assert there.wait(PATIENCE_SECONDS)
    try:
        assert erase_orphans(door(world).read, desk.files) == 0
    finally:
        go_on.set()
        upload.join()

    assert run(world, desk).is_new
    assert len(stored(desk)) == len(KINDS)


def test_an_upload_amid_the_tidying_keeps_its_file(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was old when the worker listed it, no row named it when the rows were read, and it
    is taken up before the worker gets to it."""
    age(*left_behind(world, desk))
    named = orphans._named

    def meanwhile(work: Any) -> set[Any]:
        found = named(work)
        for path in stored(desk):
            owner, kind = path.parent.parent.name, path.parent.name
            desk.files.save(owner, kind, path.name, path.read_bytes())
        return found

    monkeypatch.setattr(orphans, "_named", meanwhile)

    assert erase_orphans(door(world).read, desk.files) == 0
    assert len(stored(desk)) == 2


@pytest.mark.parametrize("way", ["save", "save_file"])
def test_content_that_is_stored_again_is_young(tmp_path: Path, way: str) -> None:
    files, source = FileStore(tmp_path / "files"), tmp_path / "source"
    source.write_bytes(b"lines")
    name = files.digest(b"lines")
    again: Callable[[], str] = {
        "save": lambda: files.save("DEMO1", ROWS, name, b"lines"),
        "save_file": lambda: files.save_file("DEMO1", ROWS, source),
    }[way]
    again()
    age(files.path_of("DEMO1", ROWS, name))
    assert files.older(ROWS, KEPT) == [("DEMO1", name)]

    again()

    assert files.older(ROWS, KEPT) == []
    assert not files.erase_if_older(ROWS, "DEMO1", name, KEPT)
    assert files.has("DEMO1", ROWS, name)
