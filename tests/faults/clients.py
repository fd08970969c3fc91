"""Clients over HTTP: invented patients' forms, sent twice now and then, and again after failures.

Every choice is drawn from the seed; what the threads and the faults make of it is not repeatable.
"""

import csv
import datetime as dt
import http.client
import io
import itertools
import json
import random
import threading
import time
import uuid
from typing import Any

from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.faults.ledger import Call, Ledger, Reply
from tests.faults.patience import LONGEST_SECONDS, Patience, Unanswered
from tests.world import ADALIMUMAB

CLINICIAN, COMMISSIONER = "faults-clinician", "faults-commissioner"
CLAIMANT = "faults-claimant"  # of another hospital
TIMEOUT_SECONDS = 20.0
#: How long the threads may go on after they were told to stop: the longest wait of a few calls.
STOP_SECONDS = 3 * LONGEST_SECONDS
#: Shares of the calls that are sent twice on purpose, and that a client gives up at a failure.
TWICE, GIVES_UP = 0.3, 0.03
SUBMISSIONS, CLAIMS = 0.06, 0.2


class Load:
    """Threads that send forms until they are told to stop."""

    def __init__(
        self,
        port: int,
        ledger: Ledger,
        patience: Patience,
        seed: int,
        threads: int,
        numbers: "itertools.count[int]",
    ) -> None:
        self.port, self.ledger, self.patience = port, ledger, patience
        self.timeout = TIMEOUT_SECONDS
        self._numbers, self._stop = numbers, threading.Event()
        self._failed: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed}/{n}"),), daemon=True)
            for n in range(threads)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        if kind is not None:  # the service may be down for good: nobody waits for it
            self.patience.end()
        until = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if kind is not None:
            return  # what ended the load is told, not what came of it
        self.raise_failure()
        if any(thread.is_alive() for thread in self._threads):
            raise Unanswered(f"a client does not end: {'; '.join(self.patience.waiting())}")

    def raise_failure(self) -> None:
        """Raise what ended a client, if anything did."""
        if self._failed:
            raise self._failed[0]

    def _run(self, draw: random.Random) -> None:
        try:
            while not self._stop.is_set():
                Case(self, draw, next(self._numbers)).play()
        except BaseException as error:
            self._failed.append(error)


class Case:
    """One invented patient's forms, each of which follows from the reply to the last."""

    def __init__(self, load: Load, draw: random.Random, number: int) -> None:
        self.load, self.draw, self.number = load, draw, number
        self.today = dt.datetime.now(dt.UTC).date()

    def play(self) -> None:
        """Send an initiation, and what comes after it."""
        if self.draw.random() < SUBMISSIONS:
            self.submit_file()
        request = self.initiate()
        if request is None or request["approval"] is None:
            return
        if self.draw.random() < CLAIMS:
            self.claim()
        if self.draw.random() < 0.6:
            treatment = self.record_first_dose(request)
            if treatment is not None and self.draw.random() < 0.3:
                self.stop(treatment)

    def initiate(self) -> Any:
        gap = self.draw.random() < 0.25
        form = initiation(self.number, self.today)
        if gap:
            del form["answers"]["das28_at_start"]
        request = self.send("initiation", "/v1/requests", form)
        if request is None or not gap:
            return request
        more = {"answers": {"das28_at_start": "5.8"}}
        at = f"/v1/requests/{request['id']}/amend"
        return self.send("amendment", at, more, request["version"])

    def record_first_dose(self, request: Any) -> Any:
        at = f"/v1/treatments/{request['treatment_id']}"
        day = request["approval"]["covers_from"]
        treatment = self.fetch(at)
        if treatment is None:
            return None
        return self.send(
            "first dose", f"{at}/first-dose", {"first_dose": day}, treatment["version"]
        )

    def stop(self, treatment: Any) -> None:
        form = {
            "kind": "stop",
            "decision_to_treat": treatment["first_dose"],
            "details": {"from_day": treatment["first_dose"], "stop_reason": "remission"},
        }
        self.send("stop", f"/v1/treatments/{treatment['id']}/requests", form)

    def claim(self) -> None:
        """Another hospital claims the treatment, again under another id: that is the same claim."""
        body = {
            "nhs_number": invented_nhs_number(self.number),
            "birth_date": "1970-01-01",
            "drug": "adalimumab",
            "indication": "ra",
            "care_reason": "Seen today (invented).",
        }
        for _ in range(2):
            sent = json.dumps(body).encode()
            self._deliver(self._call("claim", "/v1/treatment-claims", sent, CLAIMANT))

    def submit_file(self) -> None:
        people = range(max(1, self.number - 4), self.number + 1)
        data = invoice([invented_nhs_number(number) for number in people], self.today)
        path = f"/v1/submissions?file_name=file-{self.number}.csv"
        self._deliver(self._call("submission", path, data, COMMISSIONER, media_type="text/csv"))

    def send(self, what: str, path: str, body: Any, version: int | None = None) -> Any:
        """Deliver a form; the reply's JSON, or None when it was refused or given up."""
        call = self._call(what, path, json.dumps(body).encode(), CLINICIAN, version)
        reply = self._deliver(call)
        return None if reply is None else json.loads(reply.body)

    def fetch(self, path: str) -> Any:
        reply = self.load.patience.until_answered(
            f"GET {path}", lambda: ask(self.load.port, "GET", path, CLINICIAN)
        )
        return json.loads(reply.body) if reply is not None and reply.status == 200 else None

    def _call(
        self,
        what: str,
        path: str,
        body: bytes,
        token: str,
        version: int | None = None,
        media_type: str = "application/json",
    ) -> Call:
        request_id = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
        return Call(what, path, body, token, request_id, version, media_type)

    def _deliver(self, call: Call) -> Reply | None:
        if self.draw.random() >= TWICE:
            return self._insist(call, random.Random(self.draw.random()))
        self.load.ledger.count("sent twice")
        replies: list[Reply | None] = []
        failed: list[BaseException] = []
        at_once = self.draw.random() < 0.5
        generators = [random.Random(self.draw.random()) for _ in range(2)]
        threads = [
            threading.Thread(target=self._insist_apart, args=(call, g, replies, failed))
            for g in generators
        ]
        for thread in threads:
            thread.start()
            if not at_once:
                thread.join()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        return next((reply for reply in replies if reply is not None), None)

    def _insist_apart(
        self,
        call: Call,
        draw: random.Random,
        replies: list[Reply | None],
        failed: list[BaseException],
    ) -> None:
        """Insist in a thread of its own, whose failure is not to be lost with it."""
        try:
            replies.append(self._insist(call, draw))
        except BaseException as error:
            failed.append(error)

    def _insist(self, call: Call, draw: random.Random) -> Reply | None:
        """Send a call again until it is answered, unless the client gives up at a failure."""
        reply = self.load.patience.until_answered(
            f"{call.what} {call.request_id}",
            lambda: send(self.load.port, call, self.load.timeout),
            lambda: draw.random() < GIVES_UP,
        )
        if reply is None:
            self.load.ledger.abandon(call)
        elif reply.status < 300:
            self.load.ledger.keep(call, reply)
            return reply
        else:
            self.load.ledger.refuse(call, reply)
        return None


def initiation(number: int, today: dt.date) -> dict[str, Any]:
    """A patient's first form, which is approved."""
    return {
        "policy": "adalimumab-ra-severe",
        "commissioner": "DEMQ1",
        "patient": {
            "birth_date": "1970-01-01",
            "sex": "female",
            "nhs_number": invented_nhs_number(number),
            "local_id": f"H{number:07d}",
        },
        "decision_to_treat": str(today - dt.timedelta(days=5)),
        "answers": dict(ADALIMUMAB),
    }


def send(port: int, call: Call, timeout: float = TIMEOUT_SECONDS) -> Reply:
    """Send a write once."""
    headers = {"X-Request-ID": call.request_id, "Content-Type": call.media_type}
    if call.version is not None:
        headers["If-Match"] = f'W/"{call.version}"'
    return ask(port, "POST", call.path, call.token, call.body, headers, timeout)


def ask(
    port: int,
    method: str,
    path: str,
    token: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Reply:
    """One HTTP call on a connection of its own. Raises OSError or HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        connection.request(method, path, body, sent)
        reply = connection.getresponse()
        return Reply(reply.status, reply.read())
    finally:
        connection.close()


def invoice(nhs_numbers: list[str], day: dt.date) -> bytes:
    """A commissioner's file with one line for each patient."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        (
            "FINANCIAL MONTH",
            "FINANCIAL YEAR",
            "ORGANISATION IDENTIFIER (CODE OF PROVIDER)",
            "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)",
            "NHS NUMBER",
            "PERSON BIRTH DATE",
            "CLINICAL INTERVENTION DATE (DRUG DISPENSED)",
            "DRUG NAME",
            "TOTAL COST",
        )
    )
    month, year = (day.month - 4) % 12 + 1, day.year - (day.month < 4)
    period = (str(month), f"{year}{(year + 1) % 100:02d}")
    for number in nhs_numbers:
        writer.writerow(
            (*period, "DEMO1", "DEMQ1", number, "1970-01-01", str(day), "Humira 40mg", "300.00")
        )
    return text.getvalue().encode()
