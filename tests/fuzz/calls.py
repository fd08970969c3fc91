"""Draws one call after another: who calls, about which object, with what; and what must come of it.

Most calls are good ones, or good ones spoilt in one place. The others are Schemathesis's own, as
described and not, with ids that exist put into those of their paths that are as described.
"""

import copy
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import jsonschema_rs
import schemathesis
from schemathesis.core.parameters import ParameterLocation

from app.approvals.lifecycle import REQUEST_TRANSITIONS, RequestEvent
from app.auth.model import Role
from app.reconciliation.worklists import Worklist
from tests.fuzz.examples import BODIES, FILES, QUERIES, Hand, described
from tests.fuzz.mutate import TOKENS, spoil_bytes
from tests.fuzz.sight import KINDS, Known, known
from tests.fuzz.stage import FAMILIES, SEATS, Seat

NOBODYS: Final = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
_EVENTS: Final = {
    "fund": RequestEvent.FUND,
    "panel-approve": RequestEvent.PANEL_APPROVE,
    "panel-decline": RequestEvent.PANEL_DECLINE,
    "panel-overturn": RequestEvent.PANEL_OVERTURN,
    "panel-return": RequestEvent.PANEL_RETURN,
    "declare-interest": RequestEvent.DECLARE_INTEREST,
    "refuse-funding": RequestEvent.REFUSE_FUNDING,
    "refuse-authorisation": RequestEvent.REFUSE_AUTHORISATION,
    "refuse-consent": RequestEvent.REFUSE_CONSENT,
    "enter-in-error": RequestEvent.ENTER_IN_ERROR,
}
#: Kind of object and step → the states in which the step may be taken; requests' are the table's.
_STATES: Final[Mapping[tuple[str, str], tuple[Any, ...]]] = {
    ("approvals", "uphold"): ("under query",),
    ("approvals", "withdraw"): ("under query",),
    ("approvals", "confirm-error"): ("under query",),
    ("challenges", "raise"): ("drafted",),
    ("challenges", "answer"): ("raised",),
    ("challenges", "uphold"): ("answered",),
    ("challenges", "withdraw"): ("drafted", "raised", "answered"),
    ("challenges", "credit"): ("upheld",),
    ("drafts", "change"): (None,),
    ("drafts", "discard"): (None,),
    ("drafts", "submit"): (None,),
    ("drug-names", "accept"): (None,),
    ("imports", "accept"): ("previewed",),
    ("imports", "discard"): ("previewed",),
    ("patients", "take-back"): ("death",),
    ("patients", "withdraw"): ("objection",),
    ("patients", "unlink"): ("linked",),
    ("patients", "links"): ("unnumbered",),
    ("patients", "death"): (None,),
    ("patients", "objection"): (None,),
    ("line-decisions", "undo"): (None,),
    ("linkage-proposals", "accept"): ("open",),
    ("linkage-proposals", "refuse"): ("open",),
    ("adoption-proposals", "confirm"): ("waiting",),
    ("adoption-proposals", "decline"): ("waiting",),
    ("hand-over-proposals", "confirm"): ("waiting",),
    ("hand-over-proposals", "decline"): ("waiting",),
    ("proposals", "confirm"): ("waiting",),
    ("proposals", "decline"): ("waiting",),
    ("treatments", "first-dose"): (None,),
    ("treatments", "not-started"): (None,),
    ("break-glass", "record"): (None,),
    ("break-glass", "end"): (None,),
}


#: Step of a request → which of its parts takes it: provider, commissioner, panel, other provider.
_TAKES: Final = {
    **dict.fromkeys(("consent", "refuse-consent"), 3),
    **dict.fromkeys(("panel-approve", "panel-decline", "panel-overturn", "panel-return"), 2),
    "declare-interest": 2,
    **dict.fromkeys(("authorise", "refuse-authorisation", "amend", "correct", "escalate"), 0),
    **dict.fromkeys(("fund", "refuse-funding"), 1),
}


def _steps(step: str) -> tuple[str, ...]:
    event = _EVENTS.get(step) or (RequestEvent(step) if step in set(RequestEvent) else None)
    return tuple(state.value for state, taken in REQUEST_TRANSITIONS if taken is event)


@dataclass(frozen=True)
class Call:
    """A case to send, who sends it, and what is known of it beforehand."""

    case: schemathesis.Case
    seat: Seat
    #: Whether it is as described; None where Schemathesis drew it, which then knows.
    sound: bool | None
    #: The object of the path exists, and is of no concern to the caller's family.
    foreign: bool
    #: The caller's role may not make the call at all.
    barred: bool
    words: str


@dataclass(frozen=True)
class Operation:
    """One operation of the API, as the fuzz run sees it."""

    raw: Any  # an APIOperation, which Schemathesis does not export

    @property
    def label(self) -> str:
        return str(self.raw.label)

    @property
    def roles(self) -> frozenset[Role]:
        """Who may call: no role at all where nobody need sign in, or where it is not told."""
        return frozenset(Role(name) for name in self.raw.definition.raw.get("x-roles", ()))

    @property
    def signed_in(self) -> bool:
        return self.label.split(" ")[1].startswith("/v1/")

    @property
    def kind(self) -> str | None:
        """The kind of object that the path names, or None."""
        parts = self.label.split(" ")[1].strip("/").split("/")
        if "{" not in self.label:
            return None
        if "{attachment}" in parts:
            return "attachments"
        kind = parts[2] if parts[1] == "administration" else parts[1]
        return kind if kind not in {"policies", "worklists"} else None

    @property
    def step(self) -> str:
        return self.label.rsplit("/", 1)[1]


def drawn(
    operation: Operation, hand: Hand, generated: Sequence[schemathesis.Case], number: int
) -> Call:
    """The next call of an operation. The first of each is a good one."""
    draw = hand.draw
    plain = number == 0
    lot = 0.0 if plain else draw.random()
    # Three in four are made by somebody who may, one in six by another family.
    manner = "insider" if lot < 0.72 else "outsider" if lot < 0.9 else "anybody"
    family = "A" if plain or draw.random() < 0.8 else draw.choice(_OTHERS)
    target = _target(operation, hand, family, plain)
    seat = hand.seat = _seat(operation, draw, family, manner, target)
    hand.target = target
    barred = bool(operation.roles) and seat.role not in operation.roles
    exists = target is not None and bool(target.organisations)
    foreign = exists and operation.kind in _HELD and seat.family not in target.families  # type: ignore[union-attr]
    mine = plain or not generated or draw.random() < 0.65
    if mine:
        case, sound = _made(operation, hand, target, spoilt=not plain and draw.random() < 0.4)
    else:
        case, sound = _placed(draw.choice(generated), operation, hand, target), None
    words = f"{manner} {seat.name!r}"
    return Call(case, seat, sound, foreign, barred, words)


_HELD: Final = frozenset(KINDS)
#: Families that have less than the first.
_OTHERS: Final = tuple(sorted({*FAMILIES.values()} - {"A"}))


def _target(operation: Operation, hand: Hand, family: str, plain: bool) -> Known | None:
    """An object of the family for the path: if possible in a state that allows the step."""
    kind = operation.kind
    if kind is None:
        return None
    if not plain and hand.draw.random() < 0.08:
        return _nobodys(kind)
    found = [each for each in known(hand.connection, kind) if family in each.families]
    states = _steps(operation.step) if kind == "requests" else _STATES.get((kind, operation.step))
    fitting = [each for each in found if states and each.state in states]
    if fitting and (plain or hand.draw.random() < 0.75):
        found = fitting
    return hand.draw.choice(found) if found else _nobodys(kind)


def _nobodys(kind: str) -> Known:
    """What is not there, under a well-formed id."""
    id_ = "PA0000000000000" if kind == "approvals" else NOBODYS
    return Known(id_, 0, None, ())


def _seat(
    operation: Operation, draw: random.Random, family: str, manner: str, target: Known | None
) -> Seat:
    if manner == "anybody":
        return draw.choice(SEATS)
    able = [seat for seat in SEATS if not operation.roles or seat.role in operation.roles]
    other = manner == "outsider"
    # Of every other family alike, however many seats it has.
    whose = draw.choice(sorted({*FAMILIES.values()} - {family})) if other else family
    able = [seat for seat in able if seat.family == whose] or list(SEATS)
    if target is not None and not other:
        able = [seat for seat in able if seat.organisation in target.organisations] or able
        if operation.kind == "requests" and operation.step in _TAKES and target.parts:
            taker = target.parts[_TAKES[operation.step]]
            able = [seat for seat in able if seat.organisation == taker] or able
    return draw.choice(able)


def _path(operation: Operation, hand: Hand, target: Known | None) -> dict[str, Any]:
    names = {part.strip("{}") for part in operation.label.split("/") if part.startswith("{")}
    values: dict[str, Any] = {}
    for name in sorted(names):
        if name == "policy":
            values[name] = hand.pick("adalimumab-ra-severe", "etanercept-ra-severe")
        elif name == "version":
            values[name] = "2016-01-26"
        elif name == "name":
            values[name] = hand.draw.choice(list(Worklist)).value
        elif name == "row":
            values[name] = hand.draw.randint(1, max(1, (target and target.state) or 1))
        elif name == "id" and target and operation.kind == "attachments":
            values[name] = target.state or NOBODYS
        else:
            values[name] = target.id if target else NOBODYS
    return values


def _request_id(hand: Hand) -> str:
    return f"{hand.draw.getrandbits(32):08x}-0000-4000-8000-{hand.draw.getrandbits(48):012x}"


def _headers(operation: Operation, hand: Hand, target: Known | None) -> dict[str, str]:
    described_ = {each.definition["name"] for each in operation.raw.headers.items}
    headers = {}
    if "X-Request-ID" in described_:
        headers["X-Request-ID"] = _request_id(hand)
    if "If-Match" in described_ and target is not None:
        version = target.version + (hand.pick(-1, 1, 7) if hand.draw.random() < 0.06 else 0)
        headers["If-Match"] = f'W/"{max(0, version)}"'
    return headers


def _made(
    operation: Operation, hand: Hand, target: Known | None, *, spoilt: bool
) -> tuple[schemathesis.Case, bool]:
    """A good call, or one spoilt in one place; and whether it is as described."""
    label, sound = operation.label, True
    body = BODIES[label](hand) if label in BODIES else _example(operation)
    media = "application/json"
    more: dict[str, Any] = {}
    if label in FILES:
        media = "text/csv"
        body = spoil_bytes(hand.draw, [body]) or b"x" if spoilt else body
    elif label == "POST /oauth2/token":
        media = "application/x-www-form-urlencoded"
    if body is not None:
        if spoilt and label not in FILES:
            body = spoilt_json(hand.draw, body)
            sound = _as_described(operation, media, body)
        more = {"body": body, "media_type": media}
    case = operation.raw.Case(
        path_parameters=_path(operation, hand, target),
        query=QUERIES[label](hand) if label in QUERIES else {},
        headers=_headers(operation, hand, target),
        **more,
    )
    return case, sound


def _placed(
    case: schemathesis.Case, operation: Operation, hand: Hand, target: Known | None
) -> schemathesis.Case:
    """A case of Schemathesis's, with ids that exist where its own are as described."""
    placed = schemathesis.Case(
        case.operation,
        case.method,
        case.path,
        path_parameters=dict(case.path_parameters),
        headers=type(case.headers)(case.headers),
        cookies=dict(case.cookies),
        query=dict(case.query),
        body=case.body,
        media_type=case.media_type,
        meta=copy.deepcopy(case._meta),
    )
    good = {location for location, info in placed._meta.components.items() if info.mode.is_positive}
    if ParameterLocation.PATH in good and "{" in operation.label and hand.draw.random() < 0.7:
        placed.path_parameters = _path(operation, hand, target)
    if ParameterLocation.HEADER in good and hand.draw.random() < 0.7:
        for name, value in _headers(operation, hand, target).items():
            placed.headers[name] = value
    return placed


@cache
def _example_of(operation: Operation) -> str:
    return json.dumps(
        described(
            operation.raw.definition.raw, operation.raw.schema.raw_schema["components"]["schemas"]
        )
    )


def _example(operation: Operation) -> Any:
    return json.loads(_example_of(operation))


# --- one place spoilt ---------------------------------------------------------------------------

#: A NUL is refused with 400, which no schema can tell (tests/functional/approvals/test_bad_input).
_TEXTS: Final = tuple(token for token in TOKENS if "\x00" not in token and "\ud7ff" not in token)
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1.5, 10**15, 1e300, "", [], {}, [[]], {"value": None}),
    *("2026-02-30", "1900-01-01", "2199-12-31", "0", "-0.00000001", "99999999999999999999"),
    *("adalimumab", "DEMO2", "initiation", NOBODYS, "x" * 300, "é", " "),
)


def spoilt_json(draw: random.Random, body: Any) -> Any:
    """The body with one place changed."""
    whole = copy.deepcopy(body)
    places = list(_places(whole))
    if not places or draw.random() < 0.03:
        return draw.choice(_VALUES)
    holder, key = draw.choice(places)
    manner = draw.random()
    if manner < 0.2:
        del holder[key]
    elif manner < 0.3 and isinstance(holder, dict):
        holder[draw.choice(("extra", "id", "", "é" * 3, key + "_"))] = draw.choice(_VALUES)
    elif manner < 0.4 and isinstance(holder, list):
        holder.extend([copy.deepcopy(holder[key])] * draw.choice((1, 60)))
    elif manner < 0.6 and isinstance(holder[key], str):
        at = draw.randint(0, len(holder[key]))
        holder[key] = (
            holder[key][:at] + draw.choice(_TEXTS) + holder[key][at + draw.randint(0, 3) :]
        )
    else:
        holder[key] = copy.deepcopy(draw.choice(_VALUES))
    return whole


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, each in inside:
        yield value, key
        yield from _places(each)


@cache
def _validator(operation: Operation, media: str) -> jsonschema_rs.Draft202012Validator:
    schema = operation.raw.get_body_for_media_type(media).validation_schema
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def _as_described(operation: Operation, media: str, body: Any) -> bool:
    return bool(_validator(operation, media).is_valid(body))
