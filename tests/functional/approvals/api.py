"""Calling the API in the tests of approvals: a signed-in caller, and forms of invented patients."""

import copy
import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response

from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.patience import tries
from tests.world import ADALIMUMAB, ADALIMUMAB_REVIEW


@dataclass
class Clock:
    """What the application reads as now; a test turns it."""

    instant: dt.datetime

    def on(self, day: str) -> None:
        self.instant = dt.datetime.fromisoformat(f"{day}T11:00:00+00:00")


@dataclass(frozen=True)
class Api:
    """One signed-in caller. Writes draw an X-Request-ID unless one is given."""

    client: TestClient
    token: str
    #: Waits until the change feed shows all that is committed: on PostgreSQL it keeps back what is
    #: newer than the oldest open transaction of the server, be it another test's.
    settle: Callable[[], None] = lambda: None

    def get(self, path: str, **params: Any) -> Response:
        if path == "/v1/changes":
            self.settle()
        return self.client.get(path, params=params or None, headers=self._headers())

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        version: int | None = None,
        request_id: str | None = None,
        **headers: str,
    ) -> Response:
        """POST a JSON body (or bytes as they are), with If-Match where a version is given."""
        sent = self._headers() | headers
        sent["X-Request-ID"] = request_id or str(uuid.uuid4())
        if version is not None:
            sent["If-Match"] = f'W/"{version}"'
        if isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
            return self.client.post(path, content=body, headers=sent)
        return self.client.post(path, json=body, headers=sent)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def initiation(sequence: int = 1, /, **changes: Any) -> dict[str, Any]:
    """A form that meets every criterion; each sequence has its own invented patient."""
    form: dict[str, Any] = {
        "policy": "adalimumab-ra-severe",
        "commissioner": "DEMQ1",
        "patient": {
            "birth_date": "1970-01-01",
            "sex": "female",
            "nhs_number": invented_nhs_number(sequence),
            "local_id": f"H{sequence:06d}",
        },
        "decision_to_treat": "2026-06-10",
        "answers": copy.deepcopy(ADALIMUMAB),
    }
    return form | changes


def without(form: dict[str, Any], *questions: str) -> dict[str, Any]:
    """The form without its answers to some questions."""
    answers = {name: value for name, value in form["answers"].items() if name not in questions}
    return form | {"answers": answers}


def answering(form: dict[str, Any], **answers: Any) -> dict[str, Any]:
    """The form with other answers."""
    return form | {"answers": form["answers"] | answers}


def continuation(day: str, **changes: Any) -> dict[str, Any]:
    """A continuation whose criteria are met."""
    form = {"kind": "continuation", "decision_to_treat": day, "answers": dict(ADALIMUMAB_REVIEW)}
    return form | changes


def good(reply: Response, status: int = 200) -> Any:
    """The JSON of a reply that must have this status."""
    assert reply.status_code == status, reply.text
    return reply.json()


def follow(api: Api, after: str | None, *reaching: str, limit: int = 100) -> tuple[list[Any], str]:
    """Poll the feed until it has told of the last step of these requests; its changes and cursor.

    On PostgreSQL a change waits for every older transaction of the server, another test's too.
    """
    seen: list[Any] = []
    cursor = after
    for _ in tries(0.01):
        page = good(api.get("/v1/changes", limit=limit, **({"after": cursor} if cursor else {})))
        seen += page["changes"]
        cursor = page["next"]
        if not page["changes"] and set(reaching) <= {change["request_id"] for change in seen}:
            break
    assert cursor is not None
    return seen, cursor
