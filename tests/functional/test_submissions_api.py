"""Uploading a submission over HTTP, working it off, and reading where every pound went."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.approvals import submitting
from app.approvals.library import Library
from app.approvals.office import Office
from app.auth.model import Role
from app.auth.store import register_caller
from app.db.tables import audit_event
from app.db.transaction import Database
from app.db.work import Moment
from app.handlers import make_handlers
from app.main import create_app
from app.reconciliation.slice_store import ContractMonth, set_month
from app.settings import Settings
from app.work import run_next
from tests.functional.conftest import ADMINISTRATOR
from tests.policies.library import packaged_library
from tests.workbooks import packed, parts, workbook
from tests.world import CLINICIAN, World, initiation

HEADER = (
    "FINANCIAL MONTH,FINANCIAL YEAR,ORGANISATION IDENTIFIER (CODE OF PROVIDER),"
    "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER),NHS NUMBER,PERSON BIRTH DATE,"
    "CLINICAL INTERVENTION DATE (DRUG DISPENSED),DRUG NAME,TOTAL COST"
)
TOKENS = {
    "commissioner": ("DEMQ1", Role.COMMISSIONER),
    "other-commissioner": ("DEMQ2", Role.COMMISSIONER),
    "pharmacist": ("DEMO1", Role.PHARMACIST),
    "clinician": ("DEMO1", Role.CLINICIAN),
}


@pytest.fixture(scope="module")
def library() -> Library:
    return packaged_library()


@pytest.fixture
def world(
    database: Database,
    library: Library,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> World:
    return World(database, Office(library, demonstration=True), moment, ids, random_bytes)


@pytest.fixture
def app(world: World, library: Library, tmp_path: Path) -> FastAPI:
    for name, (organisation, role) in TOKENS.items():
        world.do(
            lambda work, n=name, o=organisation, r=role: register_caller(
                work,
                ADMINISTRATOR,
                name=n,
                kind="system",
                organisation=o,
                role=r,
                demonstration=True,
                token=f"demo-{n}-token",
            )
        )
    return create_app(
        Settings(demonstration=True, data_dir=tmp_path),
        database=world.database,
        library=library,
        now=lambda: world.moment.instant,
        new_id=world.new_id,
        random_bytes=world.random_bytes,
    )


@pytest.fixture
def call(app: FastAPI) -> Iterator[Callable[..., Any]]:
    """`call(who, method, path, **more)`, with a fresh X-Request-ID on writes."""
    count = iter(range(1, 1000))
    with TestClient(app) as client:

        def send(who: str, method: str, path: str, **more: Any) -> Any:
            headers = {"Authorization": f"Bearer demo-{who}-token", **more.pop("headers", {})}
            if method == "POST":
                headers.setdefault("X-Request-ID", f"{next(count):08d}-0000-4000-8000-000000000000")
            return client.request(method, path, headers=headers, **more)

        yield send


def upload(call: Callable[..., Any], who: str, content: bytes | str) -> Any:
    return call(
        who,
        "POST",
        "/v1/submissions?file_name=lines.csv",
        content=content,
        headers={"Content-Type": "text/csv"},
    )


def work_off(app: FastAPI) -> None:
    handlers = make_handlers(app.state.desk)
    while run_next(app.state.door, handlers):
        pass


def a_submission(nhs_number: str) -> str:
    lines = [
        f"3,202627,DEMO1,DEMQ1,{nhs_number},1970-01-01,2026-06-20,HUMIRA 40mg pen,352.14",
        f"3,202627,DEMO1,DEMQ1,{nhs_number},1970-01-01,2026-05-20,ADALIMUMAB 40MG,352.14",
        ",".join(
            [
                "3",
                "202627",
                "DEMO1",
                "DEMQ1",
                "",
                "",
                "2026-06-20",
                "Homecare delivery fee",
                "45.00",
            ]
        ),
        f"3,202627,DEMO1,DEMQ1,{nhs_number},1970-01-01,2026-06-20,SOMETHING ODD,TBC",
    ]
    return "\n".join([HEADER, *lines]) + "\n"


def test_a_submission_is_reconciled_to_the_penny(
    world: World, app: FastAPI, call: Callable[..., Any]
) -> None:
    view = world.do(
        lambda work: submitting.submit_initiation(work, world.office, CLINICIAN, initiation())
    )
    assert view.approval is not None
    number = initiation().patient.nhs_number
    world.on(dt.date(2026, 7, 1))
    received = upload(call, "commissioner", a_submission(str(number)))
    assert received.status_code == 202, received.text
    work_off(app)
    job = call("commissioner", "GET", f"/v1/jobs/{received.json()['job']}").json()
    assert job["state"] == "done", job
    run = call("commissioner", "GET", f"/v1/runs/{job['run']}").json()
    assert run["total"] == "749.28"
    assert Decimal(run["accepted"]) + Decimal(run["queried"]) == Decimal("749.28")
    lines = call("commissioner", "GET", f"/v1/runs/{job['run']}/lines").json()["lines"]
    assert [line["outcome"] for line in lines] == [
        "matched",
        "outside approval period",
        "not a drug line",
        "cannot be read",
    ]
    assert lines[0]["reference"] == view.approval.reference
    text = call("commissioner", "GET", f"/v1/runs/{job['run']}/summary.txt").text
    assert "749.28" in text
    back = call("commissioner", "GET", f"/v1/runs/{job['run']}/file").text
    assert f",{view.approval.reference},matched,352.14,0.00," in back.splitlines()[1]


def test_the_same_file_twice_changes_nothing(app: FastAPI, call: Callable[..., Any]) -> None:
    first = upload(call, "commissioner", a_submission("9990000018")).json()
    work_off(app)
    again = upload(call, "commissioner", a_submission("9990000018")).json()
    work_off(app)
    assert again["submission"] == first["submission"]
    detail = call("commissioner", "GET", f"/v1/submissions/{first['submission']['id']}").json()
    assert len(detail["runs"]) == 1
    assert len(call("commissioner", "GET", "/v1/submissions").json()["submissions"]) == 1


@pytest.mark.parametrize("who", ["other-commissioner", "pharmacist"])
def test_another_organisation_finds_no_submission_job_or_run(
    app: FastAPI, call: Callable[..., Any], who: str
) -> None:
    received = upload(call, "commissioner", a_submission("9990000018")).json()
    work_off(app)
    run = call("commissioner", "GET", f"/v1/jobs/{received['job']}").json()["run"]
    for path in (
        f"/v1/submissions/{received['submission']['id']}",
        f"/v1/jobs/{received['job']}",
        f"/v1/runs/{run}",
        f"/v1/runs/{run}/lines",
        f"/v1/runs/{run}/summary.txt",
        f"/v1/runs/{run}/summary.csv",
        f"/v1/runs/{run}/file",
    ):
        assert call(who, "GET", path).status_code == 404, path
    assert call(who, "GET", "/v1/submissions").json() == {"submissions": []}


def test_a_clinician_may_not_reconcile(call: Callable[..., Any]) -> None:
    refused = upload(call, "clinician", a_submission("9990000018"))
    assert refused.status_code == 403
    assert refused.json()["code"] == "not-allowed"


def test_a_pharmacist_may_not_reconcile_another_provider(call: Callable[..., Any]) -> None:
    content = a_submission("9990000018").replace("DEMO1", "DEMO2")
    refused = upload(call, "pharmacist", content)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-your-submission")
    assert call("pharmacist", "GET", "/v1/submissions").json() == {"submissions": []}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"PK\x03\x04" + b"\x00" * 200, 422),
        (b"%PDF-1.7 not a table", 422),
        (b"just one line of words", 422),
        (HEADER.encode(), 422),
        (b"\xff\xfe\x00", 422),
    ],
)
def test_an_unreadable_file_is_a_clear_problem_and_leaves_nothing(
    call: Callable[..., Any], content: bytes, status: int
) -> None:
    refused = upload(call, "commissioner", content)
    assert refused.status_code == status, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert call("commissioner", "GET", "/v1/submissions").json() == {"submissions": []}


def test_a_wrong_media_type_is_refused(call: Callable[..., Any]) -> None:
    refused = call(
        "commissioner",
        "POST",
        "/v1/submissions?file_name=lines.csv",
        json={"file": "x"},
    )
    assert refused.status_code == 415


# --- slices ---------------------------------------------------------------------------------------

NO_SLICES: dict[str, list[Any]] = {"slices": [], "commissioners": [], "months": []}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def monthly(*totals: str) -> list[list[str]]:
    """A header and a line for each total, all of June."""
    rows = [["3", "202627", "DEMO1", "DEMQ1", "", "", "2026-06-20", "HUMIRA", t] for t in totals]
    return [HEADER.split(","), *rows]


def send(call: Callable[..., Any], rows: list[list[str]], path: str = "submissions") -> Any:
    reply = call(
        "commissioner",
        "POST",
        f"/v1/{path}?file_name=lines.xlsx",
        content=workbook({"Lines": rows}),
        headers={"Content-Type": XLSX},
    )
    assert reply.status_code in (200, 202), reply.text
    return reply.json()


def test_a_restated_month_is_previewed_replaces_the_slice_and_is_never_added_to_it(
    app: FastAPI, call: Callable[..., Any]
) -> None:
    first = send(call, monthly("10.15", "5"))
    assert [(s["kind"], s["total"]) for s in first["slices"]] == [("statement", "15.15")]
    told = send(call, monthly("10.15", "6"), "submission-previews")
    assert [(s["how"], s["was_total"], s["total"]) for s in told["slices"]] == [
        ("replaces", "15.15", "16.15")
    ]
    assert {row["kind"] for row in told["slices"][0]["rows"]} == {"added", "removed"}
    assert len(call("commissioner", "GET", "/v1/submissions").json()["submissions"]) == 1
    send(call, monthly("10.15", "6"))
    work_off(app)
    listed = call("commissioner", "GET", "/v1/slices").json()
    assert [(s["version"], s["total"]) for s in listed["slices"]] == [(2, "16.15")]
    (whole,) = listed["commissioners"]
    assert (whole["commissioner"], whole["total"], whole["without_run"]) == ("DEMQ1", "16.15", 0)
    assert Decimal(whole["accepted"]) + Decimal(whole["queried"]) == Decimal("16.15")
    detail = call("commissioner", "GET", f"/v1/submissions/{first['submission']['id']}").json()
    assert [s["current"] for s in detail["slices"]] == [False]
    for who in ("other-commissioner", "pharmacist"):
        assert call(who, "GET", "/v1/slices").json() == NO_SLICES
    assert call("clinician", "GET", "/v1/slices").status_code == 403
    narrowed = call("commissioner", "GET", "/v1/slices?provider=DEMO2").json()
    assert narrowed == NO_SLICES
    (june,) = listed["months"]
    assert (june["financial_month"], june["total"], june["closed"]) == (3, "16.15", 0)
    other = call("commissioner", "GET", "/v1/slices?financial_month=4").json()
    assert other == NO_SLICES


def test_a_closed_month_is_told_and_corrected(world: World, call: Callable[..., Any]) -> None:
    send(call, monthly("10"))
    frozen = dt.date(2026, 8, 20)
    month = ContractMonth("202627", 3, None, None, frozen, None, "invented for the tests")
    world.do(lambda work: set_month(work, "DEMQ1", "someone", month))
    world.on(dt.date(2026, 8, 21))
    told = send(call, monthly("12"), "submission-previews")["slices"]
    assert [(s["how"], s["closed_since"]) for s in told] == [("corrects", "2026-08-20")]
    stated = send(call, monthly("12"))["slices"]
    assert [(s["kind"], s["total_more"], s["current"]) for s in stated] == [
        ("correction", "2", False)
    ]
    (row,) = call("commissioner", "GET", "/v1/slices").json()["slices"]
    assert (row["closed"], row["total"], row["corrected"]) == (True, "10", "12")


@pytest.mark.parametrize("path", ["submissions", "submission-previews"])
def test_a_zip_bomb_named_as_a_workbook_leaves_nothing(call: Callable[..., Any], path: str) -> None:
    files = parts({"Lines": monthly("1")})
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    name = "xl/worksheets/sheet1.xml"
    files[name] = files[name].replace("</sheetData>", far)
    refused = call(
        "commissioner",
        "POST",
        f"/v1/{path}?file_name=lines.xlsx",
        content=packed(files),
        headers={"Content-Type": XLSX},
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "submission-unreadable")
    assert "too far" in refused.json()["detail"]
    assert call("commissioner", "GET", "/v1/submissions").json() == {"submissions": []}
    assert call("commissioner", "GET", "/v1/slices").json()["slices"] == []


MONTH = {"financial_year": "202627", "financial_month": 3}
JUNE = {"provider": "DEMO101", "commissioner": "DEMQ1", **MONTH}


def state(call: Callable[..., Any], who: str, path: str, body: dict[str, Any]) -> Any:
    headers = {} if path.endswith("previews") else {"X-Request-ID": str(uuid.uuid4())}
    return call(who, "POST", f"/v1/{path}", json=body, headers=headers)


def test_a_month_is_stated_as_empty_only_by_whoever_saw_what_stands(
    world: World, call: Callable[..., Any]
) -> None:
    send(call, monthly("10.15", "5"))
    for who, status in (("other-commissioner", 404), ("pharmacist", 404), ("clinician", 403)):
        assert state(call, who, "empty-month-previews", JUNE).status_code == status
    told = state(call, "commissioner", "empty-month-previews", JUNE).json()
    assert (told["how"], told["was_lines"], told["was_total"]) == ("replaces", 2, "15.15")
    assert [row["kind"] for row in told["rows"]] == ["removed", "removed"]
    reason = {"reason": "Posted to the wrong month."}
    seen = {**JUNE, "lines": 2, "total": "15.1", **reason}
    refused = state(call, "commissioner", "empty-months", seen)
    assert (refused.status_code, refused.json()["code"]) == (409, "step-not-possible")
    assert [s["total"] for s in call("commissioner", "GET", "/v1/slices").json()["slices"]] == [
        "15.15"
    ]
    done = state(call, "commissioner", "empty-months", seen | {"total": "15.150"})
    assert done.status_code == 201, done.text
    (row,) = call("commissioner", "GET", "/v1/slices").json()["slices"]
    assert (row["lines"], row["total"], row["version"]) == (0, "0", 2)
    again = state(call, "commissioner", "empty-months", seen | {"total": "15.15"})
    assert again.status_code == 409
    query = sa.select(audit_event.c.action).where(audit_event.c.action == "month stated as empty")
    assert len(world.do(lambda work: work.connection.execute(query).all())) == 1


def test_a_closed_month_is_corrected_to_nothing_and_may_be_stated_again(
    world: World, call: Callable[..., Any]
) -> None:
    send(call, monthly("10"))
    month = {**MONTH, "freeze": "2026-08-20"}
    calendar = {"months": [{**month, "source": "Invented"}]}
    assert state(call, "clinician", "calendar", calendar).status_code == 403
    assert state(call, "commissioner", "calendar", calendar).json() == {"set": 1}
    listed = call("commissioner", "GET", "/v1/calendar?financial_year=202627").json()["months"]
    assert [m["freeze"] for m in listed] == ["2026-08-20"]
    assert call("other-commissioner", "GET", "/v1/calendar").json() == {"months": []}
    wrong = {"months": [{**month, "flex": "2026-08-21", "source": "Invented"}]}
    assert state(call, "commissioner", "calendar", wrong).status_code == 422
    total = {**JUNE, "amount": "10.00", "source": "Invented"}
    assert state(call, "commissioner", "stated-totals", {"totals": [total]}).json() == {"set": 1}
    assert state(call, "commissioner", "stated-totals", {"totals": [total] * 2}).status_code == 422
    finer = {"totals": [total | {"amount": "0.123456789"}]}
    assert state(call, "commissioner", "stated-totals", finer).status_code == 422
    (kept,) = call("commissioner", "GET", "/v1/stated-totals").json()["totals"]
    assert kept["provider"] == "DEMO1"  # folded, as the lines' own codes are

    world.on(dt.date(2026, 8, 21))
    seen = {**JUNE, "lines": 1, "total": "10", "reason": "None was supplied."}
    done = state(call, "commissioner", "empty-months", seen)
    assert (done.status_code, done.json()["how"]) == (201, "corrects")
    (row,) = call("commissioner", "GET", "/v1/slices").json()["slices"]
    assert (row["total"], row["corrected"], row["difference"]) == ("10", "0", "-10")
    send(call, monthly("12"))  # lines came after all, and go again
    assert state(call, "commissioner", "empty-months", seen | {"total": "12"}).status_code == 201
    (row,) = call("commissioner", "GET", "/v1/slices").json()["slices"]
    assert (row["corrections"], row["corrected"]) == (3, "0")
