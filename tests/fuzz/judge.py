"""Sends a call and holds its reply against all that must be true of every reply."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.fuzz.api import BEYOND_SCHEMAS, UPLOADS, WELL_FORMED
from tests.fuzz.calls import Call, Operation
from tests.fuzz.stage import WORD

_ID: Final = re.compile("00000000-0000-4000-8000-[0-9]{12}|PA[0-9A-Z]{13}")
_NUMBER: Final = re.compile("(?<![0-9])[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}(?![0-9])")
_LOCAL: Final = re.compile("H[0-9ABC][0-9]{5,6}")
CLAIM: Final = "POST /v1/treatment-claims"
#: What is checked here was typed long before, and kept as it was typed: a 422 tells of that.
SUBMITTED: Final = "POST /v1/drafts/{id}/submit"
#: Refusals of a call that is as described, for another reason than what it asks for.
_REFUSED: Final = frozenset({403, 404})


class Wrong(AssertionError):
    """A reply that must not have come."""


@dataclass
class Totals:
    """What came of the calls."""

    classes: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        shares = ", ".join(f"{how} {count}" for how, count in sorted(self.classes.items()))
        return f"{self.calls.total()} calls ({shares}), {self.failures.total()} failures"

    def add(self, other: "Totals") -> None:
        for name in ("classes", "calls", "succeeded", "failures", "kinds"):
            getattr(self, name).update(getattr(other, name))


@dataclass
class Marks:
    """What tells of a patient, and the ids that only one family may be told → the family."""

    marks: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    def leaked(self, text: str, family: str, sent: str) -> list[str]:
        """What a reply tells of another family that its caller did not say themselves."""
        told = self.of(text) | {
            found: self.ids[found] for found in set(_ID.findall(text)) if found in self.ids
        }
        return sorted(
            mark for mark, whose in told.items() if whose != family and not _within(mark, sent)
        )

    def of(self, text: str) -> dict[str, str]:
        """The patients' marks in a text."""
        found = {"".join(filter(str.isdigit, each)) for each in _NUMBER.findall(text)}
        found |= set(_LOCAL.findall(text))
        told = {each: self.marks[each] for each in found if each in self.marks}
        return told | {word: family for family, word in WORD.items() if word in text}


def _within(mark: str, sent: str) -> bool:
    return mark in sent or mark in re.sub("[ -]", "", sent)


def judged(operation: Operation, call: Call, session: Any, marks: Marks, totals: Totals) -> Any:
    """Send a call; raises what Schemathesis raises, or Wrong."""
    case = call.case
    empty = case.media_type in UPLOADS and not case.body
    headers = {"Authorization": f"Bearer {call.seat.token}"}
    reply = case.call_and_validate(
        session=session,
        headers=headers,
        excluded_checks=[positive_data_acceptance] if empty else [],
    )
    status = reply.status_code
    totals.classes[f"{status // 100}xx"] += 1
    totals.calls[operation.label] += 1
    totals.succeeded[operation.label] += status < 300
    text = reply.content.decode("utf-8", "replace")
    wrong = [*_as_it_should(operation, call, status, text, empty)]
    if status >= 400:
        wrong += _not_a_problem(reply, text)
        wrong += [f"an error tells of a patient: {mark}" for mark in marks.of(text)]
    sent = _sent(case)
    if operation.label == CLAIM:
        # Told to whoever knows a number and the birth date that fits it, and declares care.
        text = re.sub("PA[0-9A-Z]{13}", "", text)
    told = marks.leaked(text + str(reply.headers), call.seat.family, sent)
    wrong += [f"another family's {mark} is told" for mark in told]
    if call.foreign:
        totals.kinds["of another organisation's object"] += 1
    if call.barred:
        totals.kinds["by a role that may not"] += 1
    if call.sound is False:
        totals.kinds["not as described, by hand"] += 1
    if operation.signed_in and operation.label.startswith("POST") and status < 300:
        wrong += _again(case, session, headers, reply, totals)
    if status == 201 and reply.headers.get("location"):
        wrong += _not_there(reply, session, headers, totals)
    if wrong:
        curl = case.as_curl_command(headers=headers)
        raise Wrong(f"{'; '.join(wrong)}\n{status} {text[:600]}\n{call.words}\n{curl}")
    return reply


def _sent(case: schemathesis.Case) -> str:
    body = case.body
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    parts = [case.path_parameters, case.query, dict(case.headers), body]
    return json.dumps(parts, default=str, ensure_ascii=False)


def _as_it_should(
    operation: Operation, call: Call, status: int, text: str, empty: bool
) -> list[str]:
    """What is wrong with the status, for who called about what."""
    if call.sound is False:
        return ["what is not as described was taken"] if status < 400 else []
    if call.foreign and status < 300:
        return ["another organisation's object was reached"]
    if call.barred and operation.signed_in and status < 300:
        return ["a role that may not was let"]
    if operation.label == SUBMITTED:
        return []
    if not call.sound:
        meta = call.case.meta
        positive = meta is not None and meta.generation.mode.is_positive
        return _beyond(text) if positive and status == 422 and not empty else []
    if status >= 300 and status not in WELL_FORMED:
        return ["a call as described was refused as malformed"]
    wrong = _beyond(text) if status == 422 else []
    if call.foreign and status not in _REFUSED:
        wrong.append("another organisation's object was not hidden")
    # What of a body no schema tells is read before the role is asked; it tells of no object.
    if call.barred and operation.signed_in and status not in {*_REFUSED, 422}:
        wrong.append("a role that may not was not refused as such")
    return wrong


def _beyond(text: str) -> list[str]:
    problem = json.loads(text)
    if problem["code"] != "not-as-described":
        return []
    told = {error["message"] for error in problem["errors"]}
    return [] if told <= BEYOND_SCHEMAS else [f"what is as described was refused: {sorted(told)}"]


def _not_a_problem(reply: Any, text: str) -> list[str]:
    kinds = reply.headers.get("content-type") or [""]
    if not kinds[0].startswith("application/problem+json"):
        return [f"an error is {kinds[0]!r}"]
    named = json.loads(text).get("correlation_id")
    if not named or named != (reply.headers.get("x-correlation-id") or [""])[0]:
        return ["an error without the correlation id of its reply"]
    return []


def _again(
    case: schemathesis.Case, session: Any, headers: dict[str, str], reply: Any, totals: Totals
) -> list[str]:
    """Now and then the same call once more: it happens once, and answers the same."""
    request_id = case.headers.get("X-Request-ID")
    if not request_id or int(str(request_id)[:2], 16) > 25:  # one in ten, as its id has it
        return []
    totals.kinds["sent twice with one X-Request-ID"] += 1
    again = case.call(session=session, headers=headers)
    same = (again.status_code, again.content) == (reply.status_code, reply.content)
    return [] if same else [f"another answer to the same call: {again.status_code}"]


def _not_there(reply: Any, session: Any, headers: dict[str, str], totals: Totals) -> list[str]:
    """What was made is there, for whoever made it."""
    (location,) = reply.headers["location"]
    totals.kinds["fetched where its Location says"] += 1
    got = session.get(location, headers=headers)
    return [] if got.status_code == 200 else [f"{location} answers {got.status_code}"]
