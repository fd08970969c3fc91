"""A run that is not held in memory is looked at, challenged, decided and exported as any other."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from python_calamine import CalamineWorkbook

from app.handlers import make_handlers
from app.reconciliation import challenging, deciding_lines, large_drafts
from app.reconciliation.errors import StepNotPossible
from app.reconciliation.line_filter import EVERY_LINE, LineFilter
from app.reconciliation.model import DecisionKind
from app.reconciliation.service import Desk
from app.work import run_next
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, run_of
from tests.functional.approvals.test_challenges import LOCAL, ROW, ROWS, UNKNOWN, as_csv
from tests.world import COMMISSIONER

NUMBER = SUBMISSION_ROW["NHS NUMBER"]
#: Also a fee, a name of no drug, a line of another month and one whose total cannot be read.
FILE = as_csv(
    *ROWS,
    UNKNOWN | {"DRUG NAME": "SOMETHING ODD", "TOTAL COST": "12.30"},
    UNKNOWN | {"DRUG NAME": "Homecare delivery charge", "TOTAL COST": "15.00"},
    ROW | {"FINANCIAL MONTH": "4", "TOTAL COST": "311.11"},
    ROW | {"TOTAL COST": "TBC"},
    ROW | {LOCAL: "=1+1", "TOTAL COST": "0.5"},
)


@pytest.fixture
def large(application: FastAPI) -> Iterator[Desk]:
    """A desk that holds no line in memory, beside the application's, which holds all."""
    desk = application.state.desk
    yield replace(desk, matching=replace(desk.matching, most_lines=0))
    application.state.desk = desk


@pytest.fixture
def runs(people: Mapping[str, Api], application: FastAPI, large: Desk) -> tuple[str, str]:
    """The runs of one file: held in memory, and from file to file. The latter is how it is read."""
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    small = run_of(people["commissioner"], application, FILE)
    application.state.desk = large
    return small, run_of(people["commissioner"], application, FILE)


def both(application: FastAPI, large: Desk, runs: tuple[str, str], ask: Any) -> Any:
    """What both ways answer alike, each of its own run; the run's id is left out."""
    small_desk = replace(large, matching=replace(large.matching, most_lines=1_000_000))
    told = []
    for run, desk in zip(runs, (small_desk, large), strict=True):
        application.state.desk = desk
        told.append(ask(run))
    texts = (json.dumps(x).replace(run, "RUN") for x, run in zip(told, runs, strict=True))
    one, two = map(json.loads, texts)
    assert one == two
    return two


def test_pages_filters_and_evidence_are_those_of_a_run_in_memory(
    people: Mapping[str, Api], application: FastAPI, large: Desk, runs: tuple[str, str]
) -> None:
    payer = people["commissioner"]

    def of(**query: Any) -> Any:
        return both(
            application, large, runs, lambda run: good(payer.get(f"/v1/runs/{run}/lines", **query))
        )

    every = of(limit=100)["lines"]
    assert len(every) == len(ROWS) + 5
    summary = good(payer.get(f"/v1/runs/{runs[1]}"))["summary"]
    assert summary["note"].startswith("The file has over 0 lines")
    for name in ("outcome", "provider", "drug", "month"):
        for bucket in summary[f"by_{name}"][:2]:
            found = of(**{name: bucket[name]}, limit=3)
            assert len(found["lines"]) == min(3, bucket["lines"])
    by_stake = of(order="queried")["lines"]
    assert sorted(by_stake, key=lambda x: x["row"]) == sorted(every, key=lambda x: x["row"])
    again = of(order="queried", limit=5, after=by_stake[4]["row"])["lines"]
    assert again == by_stake[5:10]
    for line in every[::2]:

        def evidence(run: str, row: int = line["row"]) -> Any:
            found = good(payer.get(f"/v1/runs/{run}/lines/{row}"))
            # Of the two runs the later stands, and of the other more is looked up.
            assert found.pop("unchanged") is (run == runs[1])
            return found

        told = both(application, large, runs, evidence)
        assert told["line"] == line
        assert told["stated"]["nhs_number"] is None
        assert NUMBER not in json.dumps(told)


def test_drafts_of_challenges_are_those_of_a_run_in_memory(
    people: Mapping[str, Api],
    application: FastAPI,
    large: Desk,
    runs: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payer, door = people["commissioner"], application.state.door.acting_for("DEMQ1")
    small_desk = replace(large, matching=replace(large.matching, most_lines=1_000_000))

    def plan(desk: Desk, run: str, asked: LineFilter, by_month: bool) -> Any:
        return door.read(
            lambda work: challenging.planned(
                work,
                COMMISSIONER,
                challenging.load_for_draft(work, desk, COMMISSIONER, run, asked),
                by_month,
            )
        )

    for asked in (EVERY_LINE, LineFilter(outcome="no approval"), LineFilter(provider="DEMO2")):
        for by_month in (False, True):
            made = plan(large, runs[1], asked, by_month)
            assert made == plan(small_desk, runs[0], asked, by_month)
            assert made.groups
    monkeypatch.setattr(large_drafts, "MOST", 3)
    refused = payer.post("/v1/challenges", {"run": runs[1]})
    assert refused.status_code == 409
    assert "Draft by outcome, provider, commissioner, drug or month" in refused.json()["detail"]
    assert good(payer.get("/v1/challenges"))["challenges"] == []
    of_one = {"run": runs[1], "provider": "DEMO2", "outcome": "no approval"}
    drafted = good(payer.post("/v1/challenges", of_one), 201)
    assert {each["provider"] for each in drafted["challenges"]} == {"DEMO2"}
    monkeypatch.undo()
    rest = good(payer.post("/v1/challenges", {"run": runs[1]}), 201)
    held = {each["why"]: each["lines"] for each in rest["left_out"]}
    assert held["it is challenged already"] == sum(x["lines"] for x in drafted["challenges"])
    (first, *_) = drafted["challenges"]
    shown = good(payer.get(f"/v1/challenges/{first['id']}"))
    assert len(shown["lines"]) == first["lines"]
    # Matched again they are the same lines: nothing is challenged twice, in either way.
    application.state.desk = small_desk
    once_more = good(payer.post("/v1/challenges", {"run": runs[0]}), 201)
    assert once_more["challenges"] == []


def test_a_line_is_decided_as_in_a_run_in_memory_and_stays_so(
    people: Mapping[str, Api], application: FastAPI, large: Desk, runs: tuple[str, str]
) -> None:
    payer, door = people["commissioner"], application.state.door.acting_for("DEMQ1")
    small_desk = replace(large, matching=replace(large.matching, most_lines=1_000_000))
    (matched,) = good(payer.get(f"/v1/runs/{runs[1]}/lines", outcome="matched", limit=1))["lines"]

    def decided(desk: Desk, run: str, row: int, kind: DecisionKind, reference: str | None) -> Any:
        seen = door.read(
            lambda work: deciding_lines.look(work, desk, COMMISSIONER, run, row, kind, reference)
        )
        try:
            return deciding_lines.draft(desk, COMMISSIONER, seen, row, kind, reference)
        except StepNotPossible as error:
            return str(error)

    made = []
    # Matched, without approval, elsewhere, taken back, and of another month.
    for row in (1, 2, 6, 9, 12):
        for kind in (DecisionKind.MATCH, DecisionKind.ACCEPT):
            reference = matched["reference"] if kind is DecisionKind.MATCH else None
            one = decided(large, runs[1], row, kind, reference)
            assert one == decided(small_desk, runs[0], row, kind, reference), (row, kind)
            made.append(one)
    assert any(isinstance(each, str) for each in made)
    assert any(not isinstance(each, str) for each in made)

    body = {"kind": "accept", "reason": "Agreed in writing."}
    good(payer.post(f"/v1/runs/{runs[1]}/lines/2/override", body), 201)
    application.state.desk = large
    work_off(application)
    newest = newest_run(payer, runs[1])
    assert newest != runs[1]
    (line,) = good(payer.get(f"/v1/runs/{newest}/lines", after=1, limit=1))["lines"]
    assert (line["found_by"], Decimal(line["queried"])) == ("manual decision", 0)
    assert line["reason"].startswith("Accepted by a decision by hand. Without it:")


def work_off(application: FastAPI) -> None:
    handlers = make_handlers(application.state.desk)
    while run_next(application.state.door, handlers):
        pass


def newest_run(api: Api, run: str) -> str:
    submission = good(api.get(f"/v1/runs/{run}"))["submission"]
    return str(good(api.get(f"/v1/submissions/{submission}"))["runs"][0]["id"])


def test_an_export_is_written_by_the_worker_and_is_that_of_a_run_in_memory(
    people: Mapping[str, Api],
    application: FastAPI,
    large: Desk,
    runs: tuple[str, str],
) -> None:
    payer, at = people["commissioner"], f"/v1/runs/{runs[1]}"
    formats = ("csv", "json", "parquet", "xlsx")
    early = payer.get(f"{at}/export", format="csv")
    assert early.status_code == 409
    assert early.json()["type"].endswith("export-not-written")
    jobs = [good(payer.post(f"{at}/exports", {"format": x}), 202)["job"] for x in formats]
    work_off(application)
    assert {good(payer.get(f"/v1/jobs/{job}"))["state"] for job in jobs} == {"done"}
    small_desk = replace(large, matching=replace(large.matching, most_lines=1_000_000))
    for format in formats:
        application.state.desk = large
        written = payer.get(f"{at}/export", format=format)
        assert written.status_code == 200
        assert written.headers["content-disposition"].endswith(f'"run-{runs[1]}.{format}"')
        application.state.desk = small_desk
        made = payer.get(f"/v1/runs/{runs[0]}/export", format=format)
        assert told(written.content, format, runs[1]) == told(made.content, format, runs[0])
    application.state.desk = large
    # A colleague of the same kind reads it, another organisation learns not even that there is one.
    assert people["second commissioner"].get(f"{at}/export", format="csv").status_code == 200
    other = people["other commissioner"]
    assert other.get(f"{at}/export", format="csv").status_code == 404
    assert other.post(f"{at}/exports", {"format": "csv"}).status_code == 404
    assert people["clinician"].post(f"{at}/exports", {"format": "csv"}).status_code == 403


def told(data: bytes, format: str, run: str) -> Any:
    if format == "parquet":
        return pq.read_table(io.BytesIO(data)).to_pylist()
    if format == "xlsx":
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    return data.decode().replace(run, "RUN")


def test_a_trust_exports_its_own_numbers_and_a_payer_pseudonyms(
    people: Mapping[str, Api], application: FastAPI, large: Desk, runs: tuple[str, str]
) -> None:
    own = as_csv(*(row for row in ROWS if "DEMO2" not in row.values()))
    trusts = run_of(people["pharmacist"], application, own)
    for who, run, sees in (("pharmacist", trusts, True), ("commissioner", runs[1], False)):
        api = people[who]
        good(api.post(f"/v1/runs/{run}/exports", {"format": "csv"}), 202)
        work_off(application)
        text = api.get(f"/v1/runs/{run}/export", format="csv").text
        assert ("NHS NUMBER PSEUDONYM" in text) is not sees
        assert (NUMBER in text) is sees
        assert people["other pharmacist"].get(f"/v1/runs/{run}/lines").status_code == 404


def test_the_file_comes_back_byte_for_byte_as_that_of_a_run_in_memory(
    people: Mapping[str, Api], application: FastAPI, large: Desk, runs: tuple[str, str]
) -> None:
    payer, trust = people["commissioner"], people["pharmacist"]
    own = as_csv(*(row for row in ROWS if "DEMO2" not in row.values()))
    small_desk = replace(large, matching=replace(large.matching, most_lines=1_000_000))
    trusts = run_of(trust, application, own)
    for api, of_large, of_small in ((payer, runs[1], runs[0]), (trust, trusts, trusts)):
        for safe in (False, True):
            application.state.desk = large
            early = api.get(f"/v1/runs/{of_large}/file", safe=safe)
            assert early.status_code == 409
            assert early.json()["type"].endswith("export-not-written")
            format = "returned-safe" if safe else "returned"
            good(api.post(f"/v1/runs/{of_large}/exports", {"format": format}), 202)
            work_off(application)
            back = api.get(f"/v1/runs/{of_large}/file", safe=safe)
            application.state.desk = small_desk
            whole = api.get(f"/v1/runs/{of_small}/file", safe=safe)
            assert (back.status_code, back.content) == (200, whole.content)
            for name in ("content-type", "content-disposition"):
                assert back.headers[name] == whole.headers[name]
            assert (NUMBER in back.text) is (api is trust)
            assert "ASSENT OUTCOME" in back.text
    application.state.desk = large
    at = f"/v1/runs/{runs[1]}"
    assert people["other commissioner"].get(f"{at}/file").status_code == 404
    other = people["other commissioner"].post(f"{at}/exports", {"format": "returned"})
    assert other.status_code == 404
    assert trust.get(f"{at}/file").status_code == 404
    assert people["clinician"].get(f"{at}/file").status_code == 403


def test_the_file_with_identities_is_that_of_a_run_in_memory_and_on_record(
    people: Mapping[str, Api], application: FastAPI, large: Desk, runs: tuple[str, str]
) -> None:
    validation, body = people["invoice validation"], {"reason": "Two lines are to be told apart."}
    small_desk = replace(large, matching=replace(large.matching, most_lines=1_000_000))
    for safe in (False, True):
        application.state.desk = large
        back = validation.post(f"/v1/runs/{runs[1]}/identified-file", body | {"safe": safe})
        application.state.desk = small_desk
        whole = validation.post(f"/v1/runs/{runs[0]}/identified-file", body | {"safe": safe})
        assert (back.status_code, back.content) == (200, whole.content)
        assert back.headers["content-type"] == whole.headers["content-type"]
        assert NUMBER in back.text
        assert ("'=1+1" in back.text) is safe
    application.state.desk = large
    at = f"/v1/runs/{runs[1]}/identified-file"
    assert people["commissioner"].post(at, body).status_code == 403
    assert people["other commissioner"].post(at, body).status_code in (403, 404)
    counted = good(
        people["commissioner"].get(
            "/v1/reports/identifier-access", **{"from": "2026-01-01", "to": "2026-12-31"}
        )
    )["rows"]
    assert [each["times"] for each in counted if each["way"].endswith("run")] == [4]
