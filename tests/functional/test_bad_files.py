"""Files that cannot be taken: a clear problem, nothing lost, nothing half accepted."""

import asyncio
import json
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.auth.store import register_caller
from app.db import tables
from app.main import create_app
from app.settings import Settings
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.test_submissions_api import HEADER, TOKENS, XLSX, upload
from tests.functional.test_submissions_api import call as call
from tests.functional.test_submissions_api import library as library
from tests.functional.test_submissions_api import world as world
from tests.workbooks import parts
from tests.world import World

LIMIT = 1_000_000
LINE = "3,202627,DEMO101,DEMQ1,9990000018,1970-01-01,2026-06-20,TYSABRI 300mg,10"
#: Everything that a submission is kept in.
KEPT = (
    *(tables.submission, tables.submission_rows, tables.slice_head, tables.slice_version),
    *(tables.job, tables.reconciliation_run),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def app(world: World, library: Any, folder: Path) -> FastAPI:
    """As for submissions, with a small limit on uploads."""
    for name, (organisation, role) in TOKENS.items():
        world.do(
            lambda work, n=name, o=organisation, r=role: register_caller(
                work, ADMINISTRATOR, name=n, kind="system", organisation=o, role=r,
                demonstration=True, token=f"demo-{n}-token",
            )
        )  # fmt: skip
    return create_app(
        Settings(demonstration=True, data_dir=folder, max_upload_bytes=LIMIT),
        database=world.database,
        library=library,
        now=lambda: world.moment.instant,
        new_id=world.new_id,
        random_bytes=world.random_bytes,
    )


def kept(world: World) -> list[int]:
    def count(work: Any) -> list[int]:
        ask = work.connection.execute
        return [ask(sa.select(sa.func.count()).select_from(each)).scalar_one() for each in KEPT]

    return world.do(count)


def files(folder: Path) -> set[str]:
    return {each.name for each in folder.rglob("*") if each.is_file() and "db" not in each.name}


def large() -> Iterator[bytes]:
    """Good lines for three times the limit, whose length is not announced."""
    yield f"{HEADER}\n".encode()
    chunk = f"{LINE}\n".encode() * 100
    for _ in range(3 * LIMIT // len(chunk)):
        yield chunk


def bomb() -> bytes:
    """A workbook of a few hundred kilobytes whose sheet unpacks to 300 MB."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts({"Lines": []}).items():
            if name != "xl/worksheets/sheet1.xml":
                packed.writestr(name, text)
        with packed.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(300):
                sheet.write(b" " * (1 << 20))
    return out.getvalue()


def bad(kind: str) -> dict[str, Any]:
    text, csv = {"Content-Type": "text/csv"}, f"{HEADER}\n{LINE}\n"
    return {
        "unannounced csv": {"content": large(), "headers": text},
        "large csv": {"content": csv + f"{LINE}\n" * 20_000, "headers": text},
        "zip bomb": {"content": bomb(), "headers": {"Content-Type": XLSX}},
        "csv named xlsx": {"content": csv, "headers": {"Content-Type": XLSX}},
        "unknown layout": {"content": "colour,size\nred,3\n", "headers": text},
        "no lines": {"content": f"{HEADER}\n", "headers": text},
        "nothing": {"content": "", "headers": text},
        "bytes of a picture": {"content": b"\x89PNG\r\n\x1a\n" + bytes(300), "headers": text},
    }[kind]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unannounced csv", 413, "body-too-large"),
        ("large csv", 413, "body-too-large"),
        ("zip bomb", 422, "submission-unreadable"),
        ("unknown layout", 422, "submission-unreadable"),
        ("no lines", 422, "submission-unreadable"),
        ("bytes of a picture", 422, "submission-unreadable"),
        ("csv named xlsx", 422, "submission-unreadable"),
        ("nothing", 400, "bad-request"),
    ],
)
@pytest.mark.parametrize("path", ["submissions", "submission-previews"])
def test_a_file_that_cannot_be_taken_is_told_and_leaves_nothing(
    world: World,
    call: Callable[..., Any],
    folder: Path,
    path: str,
    kind: str,
    status: int,
    code: str,
) -> None:
    before = kept(world), files(folder)
    name = "lines.xlsx" if kind in ("zip bomb", "csv named xlsx") else "lines.csv"
    refused = call("commissioner", "POST", f"/v1/{path}?file_name={name}", **bad(kind))
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert len(refused.json()["detail"]) > 20
    assert (kept(world), files(folder)) == before


@pytest.mark.parametrize("kind", ["unannounced csv", "zip bomb", "unknown layout"])
def test_what_stood_before_a_bad_file_stands_after_it(
    world: World, call: Callable[..., Any], kind: str
) -> None:
    assert upload(call, "commissioner", f"{HEADER}\n{LINE}\n").status_code in (201, 202)
    before = kept(world), call("commissioner", "GET", "/v1/slices").json()
    call("commissioner", "POST", "/v1/submissions?file_name=lines.csv", **bad(kind))
    assert (kept(world), call("commissioner", "GET", "/v1/slices").json()) == before


@pytest.mark.parametrize("path", ["submissions", "submission-previews"])
def test_another_provider_s_file_leaves_nothing(
    world: World, call: Callable[..., Any], folder: Path, path: str
) -> None:
    before = kept(world), files(folder)
    other = LINE.replace("DEMO101", "DEMO201")
    refused = call(
        "pharmacist",
        "POST",
        f"/v1/{path}?file_name=lines.csv",
        content=f"{HEADER}\n{LINE}\n{other}\n",
        headers={"Content-Type": "text/csv"},
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "not-your-submission")
    assert "1 line(s)" in refused.json()["detail"]
    assert (kept(world), files(folder)) == before


# --- two gigabytes --------------------------------------------------------------------------------


def answered(app: FastAPI, headers: dict[str, str], body: Callable[[], bytes]) -> dict[str, Any]:
    """What the service answers to an upload, of which it takes as much as it asks for."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body(), "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    told = {
        "authorization": "Bearer demo-commissioner-token",
        "x-request-id": "00000009-0000-4000-8000-000000000000",
        "content-type": "text/csv",
        **headers,
    }
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": "/v1/submissions", "raw_path": b"/v1/submissions",
        "query_string": b"file_name=lines.csv", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "headers": [(name.encode(), text.encode()) for name, text in told.items()],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    text = b"".join(each.get("body", b"") for each in sent)
    return {"status": sent[0]["status"], **json.loads(text)}


def test_two_gigabytes_that_are_announced_are_refused_before_any_is_read(
    world: World, app: FastAPI, folder: Path
) -> None:
    before = kept(world), files(folder)
    length = {"content-length": str(2 << 30)}
    refused = answered(app, length, lambda: pytest.fail("the body was asked for"))
    assert (refused["status"], refused["code"]) == (413, "body-too-large")
    assert "1,000,000 bytes" in refused["detail"]
    assert (kept(world), files(folder)) == before


def test_a_body_without_an_end_is_cut_at_the_limit(
    world: World, app: FastAPI, folder: Path
) -> None:
    before = kept(world), files(folder)
    pieces = chain([f"{HEADER}\n".encode()], repeat(f"{LINE}\n".encode() * 100))
    taken: list[int] = []

    def piece() -> bytes:
        found = next(pieces)
        taken.append(len(found))
        return found

    refused = answered(app, {"transfer-encoding": "chunked"}, piece)
    assert (refused["status"], refused["code"]) == (413, "body-too-large")
    assert LIMIT < sum(taken) <= LIMIT + taken[-1]
    assert (kept(world), files(folder)) == before
