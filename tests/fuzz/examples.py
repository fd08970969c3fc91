"""A good call of every operation: what to send, drawn from what the world holds.

An operation that is not here is sent the example of its own description, or nothing.
"""

import datetime as dt
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import RSAKey

from app.api.oauth import ASSERTION_TYPE, GRANT
from app.api.oauth import PATH as OAUTH
from app.db.tables import adoption_proposal, client, linkage_proposal, slice_head, slice_version
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import answering, continuation, initiation, without
from tests.functional.approvals.scene import (
    ATTACHED,
    IMPORT_ROW,
    KID,
    PANEL_SETTING,
    SUBMISSION_ROW,
    table,
)
from tests.fuzz import stage
from tests.fuzz.sight import Known, Person, known, patients
from tests.fuzz.stage import FIRST_NUMBER, OWN, WORD, Seat


@dataclass
class Hand:
    """Draws what a caller may send: each draw follows from the seed and from the world."""

    draw: random.Random
    connection: sa.Connection
    now: dt.datetime
    key: RSAKey
    #: NHS numbers that are in use already are above this, by family.
    used: dict[str, int]
    seat: Seat
    #: The object of the path.
    target: Known | None = None
    #: Every mark of a patient that this run made up → the family.
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def family(self) -> str:
        return self.seat.family

    def pick(self, *options: Any) -> Any:
        return self.draw.choice(options)

    def day(self, days: int = 0) -> str:
        return (self.now.date() + dt.timedelta(days)).isoformat()

    def words(self) -> str:
        """Words that name a patient of the caller's family, as nobody should and somebody will."""
        return f"{WORD[self.family]} {self.pick('said so.', 'was seen today.', 'moved away.')}"

    def reason(self) -> dict[str, Any]:
        return {"reason": self.words()}

    def fresh(self) -> dict[str, Any]:
        """Somebody whom nobody knows yet."""
        self.used[self.family] = number = self.used.get(self.family, 0) + 1
        sequence = FIRST_NUMBER[self.family] + 100 + number
        local = f"H{self.family}{sequence:06d}"
        nhs = invented_nhs_number(sequence)
        self.marks |= {nhs: self.family, local: self.family}
        born = (
            f"19{self.draw.randint(40, 99)}-0{self.draw.randint(1, 9)}-1{self.draw.randint(0, 9)}"
        )
        return {"birth_date": born, "sex": "female", "nhs_number": nhs, "local_id": local}

    def person(self, but_of: str | None = None) -> Person:
        """A patient of the caller's family; if possible of another hospital than this."""
        found = [
            each
            for each in patients(self.connection)
            # Somebody whom several families treat may be told of to each.
            if each.nhs_number
            and {stage.FAMILIES.get(o) for o in each.organisations} == {self.family}
        ]
        elsewhere = [each for each in found if but_of not in each.organisations]
        return self.draw.choice(elsewhere if but_of and elsewhere else found)

    def one(self, kind: str, *states: Any) -> str:
        """The id of an object in which the caller's organisation has a part, if there is one."""
        found = known(self.connection, kind)
        mine = [each for each in found if self.seat.organisation in each.organisations]
        fitting = [each for each in mine if each.state in states]
        choice = (states and fitting) or mine or found
        return self.draw.choice(choice).id if choice else "00000000-0000-4000-8000-000000000000"


def _initiation(hand: Hand) -> Any:
    form = initiation(1, commissioner=OWN[hand.family][1])
    form |= {"patient": hand.fresh(), "decision_to_treat": hand.day(-hand.draw.randint(0, 6))}
    kind = hand.draw.random()
    if kind < 0.15:
        return without(form, hand.pick("das28_at_start", "screened", "csdmards"))
    if kind < 0.3:
        return answering(form, screened=False)
    if kind < 0.4:
        return answering(form, das28_at_start="5.1")
    if kind < 0.45:
        sound = hand.person(hand.seat.organisation)
        form["patient"] |= {"nhs_number": sound.nhs_number, "birth_date": sound.birth_date}
    return form


def _follow_up(hand: Hand) -> Any:
    day = hand.day(-hand.draw.randint(0, 3))
    kinds = ["continuation", "stop", "pause", "resume", "switch", "dose change"]
    # The others have one hospital: a transfer would give another family a part in it.
    kind = hand.pick(*kinds, *(["transfer"] if hand.family == "A" else []))
    details: dict[str, dict[str, Any]] = {
        "stop": {"from_day": day, "stop_reason": hand.pick("other", "no response", "moved away")},
        "pause": {"from_day": day},
        "resume": {"from_day": day},
        "switch": {"product": "imraldi", "from_day": hand.day(3)},
        "transfer": {"to_provider": "DEMO2", "from_day": hand.day(14)},
        "dose change": {
            "dose": {"amount": "40", "unit": "mg", "every_days": 7},
            "from_day": hand.day(),
        },
    }
    if kind == "continuation":
        return continuation(day)
    return {"kind": kind, "decision_to_treat": day, "details": details[kind]}


def _checked(hand: Hand) -> Any:
    """Only a continuation and a stop have criteria to check."""
    form = _follow_up(hand)
    return form if form["kind"] in {"continuation", "stop"} else continuation(hand.day())


def _draft(hand: Hand) -> Any:
    if hand.draw.random() < 0.3:
        return {"kind": "stop", "treatment_id": hand.one("treatments")}
    form = _initiation(hand)
    answers, policy = form.pop("answers"), form.pop("policy")
    return {"kind": "initiation", "policy": policy, "form": form, "answers": answers}


def _draft_content(hand: Hand) -> Any:
    made = _draft(hand)
    return {"form": made.get("form", {}), "answers": made.get("answers", {})}


def _existence(hand: Hand) -> Any:
    who = hand.person(hand.seat.organisation)
    return {
        "nhs_number": who.nhs_number,
        "birth_date": who.birth_date,
        "drug": "adalimumab",
        "indication": "ra",
        "care_reason": hand.words(),
    }


def _break_glass(hand: Hand) -> Any:
    who = hand.person(hand.seat.organisation)
    return {
        "nhs_number": who.nhs_number,
        "birth_date": who.birth_date,
        "reason": hand.pick("emergency", "adverse effect"),
        "words": hand.words(),
    }


def _known_answers(hand: Hand) -> Any:
    who = hand.person()
    return {
        "policy": hand.pick("adalimumab-ra-severe", "etanercept-ra-severe"),
        "kind": "initiation",
        "decision_to_treat": hand.day(),
        "birth_date": who.birth_date,
        "nhs_number": who.nhs_number,
    }


def _supply(hand: Hand) -> Any:
    who = hand.person()
    return {
        "drug": hand.pick("Humira 40mg", "Humira 40mg pen", "HUMIRRAA PENN"),
        "supply_date": hand.day(-hand.draw.randint(0, 20)),
        "nhs_number": who.nhs_number,
        "birth_date": who.birth_date,
        "commissioner": OWN[hand.family][1],
        "total": "352.14",
    }


def _search(hand: Hand) -> Any:
    who = hand.person()
    return hand.pick(
        {},
        {"nhs_number": who.nhs_number},
        {"drug": "adalimumab", "limit": hand.draw.randint(1, 200)},
        {"local_id": who.local_id or "H000001"},
        {"policy": "adalimumab-ra-severe", "approval_state": "live"},
    )


def _funding(hand: Hand) -> Any:
    return {
        "basis": hand.pick("individual funding", "group approval"),
        "case_reference": f"IFR-{hand.draw.randint(1, 999)}",
        "from_day": hand.day(),
        "terms": "None.",
        **hand.reason(),
    }


def _slice(hand: Hand) -> Any:
    provider, payer = OWN[hand.family]
    return {
        "provider": provider,
        "commissioner": payer,
        "financial_year": "202627",
        "financial_month": hand.pick(2, 3),
    }


def _empty_month(hand: Hand) -> Any:
    """A month that stands, stated as it stands."""
    h, v = slice_head.c, slice_version.c
    query = (
        sa.select(h.provider, h.commissioner, h.financial_year, h.financial_month, v.lines, v.total)
        .join_from(slice_head, slice_version, v.id == h.current_version)
        .where(h.organisation == hand.seat.organisation, v.lines > 0)
        .order_by(h.id)
    )
    rows = hand.connection.execute(query).all()
    if not rows:
        return {**_slice(hand), "lines": 1, "total": "1.00", **hand.reason()}
    stated = {str(name): value for name, value in hand.draw.choice(rows)._mapping.items()}
    return stated | {"total": f"{stated['total']:.2f}", **hand.reason()}


def _candidate(hand: Hand) -> Any:
    """An approval that the proposal names."""
    id_ = hand.target.id if hand.target else ""
    c = linkage_proposal.c
    found = hand.connection.scalar(sa.select(c.evidence).where(c.id == id_))
    if not found:
        return _reference(hand)
    named = hand.draw.choice(found["candidates"])["approval_reference"]
    return {"approval_reference": named, **hand.reason()}


def _proposal(hand: Hand) -> Any:
    # A role is granted only where people sign in, which is nowhere here (test_administration).
    return hand.pick(
        PANEL_SETTING,
        {"act": "register client", "name": f"System {hand.draw.randint(0, 999)}",
         "role": "clinician", "scopes": ["read", "check"]},
        {"act": "add client key", "client_id": hand.one("clients"),
         "kid": f"k-{hand.draw.randint(0, 999)}",
         "jwk": {key: str(value) for key, value in hand.key.as_dict(private=False).items()
                 if key in {"kty", "n", "e"}}},
        {"act": "tie credential", "credential": hand.one("clients"), "person": hand.one("people")},
    )  # fmt: skip


def _adoption(hand: Hand) -> Any:
    """A version that the caller's organisation does not wait for already, if there is one."""
    c = adoption_proposal.c
    waiting = sa.select(c.policy, c.version).where(
        c.organisation == hand.seat.organisation, c.state != "declined"
    )
    asked = {(row.policy, row.version) for row in hand.connection.execute(waiting)}
    every = [
        (policy, version)
        for policy in ("adalimumab-ra-severe", "etanercept-ra-severe")
        for version in ("2007-10-01", "2016-01-26", "2016-01-26.1")
    ]
    policy, version = hand.pick(*([each for each in every if each not in asked] or every))
    return {
        "act": "end" if (policy, version) in asked else "adopt",
        "policy": policy,
        "version": version,
        "from_day": hand.day(hand.draw.randint(0, 300)),
    }


def _hand_over(hand: Hand) -> Any:
    """Of a drug that nobody in the world has: whose the treatments are is told beforehand."""
    return {
        "receiver": "DEMQ1" if hand.seat.organisation != "DEMQ1" else "DEMQ2",
        "drug": hand.pick("infliximab", "tocilizumab", "sarilumab"),
        "from_day": hand.day(-hand.draw.randint(0, 300)),
        "why": hand.words(),
    }


def _attachment(hand: Hand) -> Any:
    return {**ATTACHED, "title": hand.words(), "shared": hand.pick(True, False)}


def _assertion(hand: Hand) -> Any:
    c = client.c
    query = sa.select(c.id).where(c.name.startswith(stage.SYSTEM)).order_by(c.id)
    id_ = hand.draw.choice(hand.connection.scalars(query).all())
    claims = {
        "iss": id_,
        "sub": id_,
        "aud": f"{stage.PUBLIC_URL}{OAUTH}",
        "jti": f"jti-{hand.draw.getrandbits(64)}",
        "exp": int(hand.now.timestamp()) + 240,
    }
    header = {"alg": "RS512", "kid": stage.KID}
    return {
        "grant_type": GRANT,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": jwt.encode(header, claims, hand.key, algorithms=["RS512"]),
    }


def _lines(hand: Hand) -> bytes:
    """A submission of a few lines of the family's own."""
    provider, payer = OWN[hand.family]
    if hand.seat.organisation in {"DEMO2"}:
        provider = hand.seat.organisation
    rows = []
    for _ in range(hand.draw.randint(1, 4)):
        number = hand.person().nhs_number
        rows.append(
            SUBMISSION_ROW
            | {
                "ORGANISATION IDENTIFIER (CODE OF PROVIDER)": provider,
                "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)": payer,
                "FINANCIAL MONTH": str(hand.pick(2, 3)),
                "NHS NUMBER": hand.pick(number, number, "", f"{str(number)[:-2]}99"),
                "DRUG NAME": hand.pick("Humira 40mg", "HUMIRRAA PENN", "TYSABRI 300mg"),
                "TOTAL COST": f"{hand.draw.randint(1, 999)}.{hand.draw.randint(0, 99):02d}",
            }
        )
    return _joined(rows)


def _approvals(hand: Hand) -> bytes:
    provider, payer = OWN[hand.family]
    rows = []
    for _ in range(hand.draw.randint(1, 3)):
        who = hand.fresh()
        year, month, day = who["birth_date"].split("-")
        rows.append(
            IMPORT_ROW
            | {
                "Blueteq ID": f"BLQ-{hand.draw.randint(10_000, 99_999)}",
                "NHS No": who["nhs_number"],
                "Hospital No": who["local_id"],
                "DoB": f"{day}/{month}/{year}",
                "Trust code": provider,
                "Commissioner code": payer,
            }
        )
    return _joined(rows)


def _joined(rows: Sequence[Mapping[str, str]]) -> bytes:
    first, *others = [table(row) for row in rows]
    return first + b"".join(other.split(b"\n", 1)[1] for other in others)


def _reasoned(**more: Any) -> Callable[[Hand], Any]:
    return lambda hand: {**more, **hand.reason()}


def _reference(hand: Hand) -> Any:
    return {"approval_reference": hand.one("approvals", "live"), **hand.reason()}


#: Operation → its body.
BODIES: Final[Mapping[str, Callable[[Hand], Any]]] = {
    "POST /oauth2/token": _assertion,
    "POST /v1/administration/clients/{id}/remove-key": lambda hand: {
        "kid": hand.pick(KID, stage.KID)
    },
    "POST /v1/administration/people/{id}/end-sessions": _reasoned(),
    "POST /v1/administration/people/{id}/withdraw-role": lambda hand: {"role": "auditor"},
    "POST /v1/administration/proposals": _proposal,
    "POST /v1/approval-existence": _existence,
    "POST /v1/treatment-claims": _existence,
    "POST /v1/break-glass": _break_glass,
    "POST /v1/runs/{run}/exports": lambda hand: {
        "format": hand.pick("csv", "json", "parquet", "xlsx")
    },
    "POST /v1/challenges": lambda hand: {
        "run": hand.one("runs"),
        "by_month": hand.pick(True, False),
    },
    "POST /v1/challenges/{id}/answer": lambda hand: {"evidence": hand.words()},
    "POST /v1/challenges/{id}/raise": lambda hand: {"respond_by": hand.day(30)},
    "POST /v1/challenges/{id}/uphold": _reasoned(),
    "POST /v1/checks": _initiation,
    "POST /v1/requests": _initiation,
    "POST /v1/treatments/{id}/checks": _checked,
    "POST /v1/treatments/{id}/requests": _follow_up,
    "POST /v1/drafts": _draft,
    "POST /v1/drafts/{id}/change": _draft_content,
    "POST /v1/drug-names": lambda hand: {
        "name": f"HUMIRRA {hand.draw.randint(0, 9_999)}",
        "drug": "adalimumab",
    },
    "POST /v1/empty-month-previews": _slice,
    "POST /v1/empty-months": _empty_month,
    "POST /v1/known-answers": _known_answers,
    "POST /v1/linkage-proposals/{id}/accept": _candidate,
    "POST /v1/linkage-proposals/{id}/refuse": _reasoned(),
    "POST /v1/patients/{id}/death": lambda hand: {"died_on": hand.day(-1)},
    "POST /v1/patients/{id}/links": lambda hand: {"to": hand.one("patients"), **hand.reason()},
    "POST /v1/requests/{id}/amend": lambda hand: {
        "answers": hand.pick({}, {"das28_at_start": "5.8"}, {"screened": True})
    },
    "POST /v1/requests/{id}/correct": lambda hand: {
        "answers": hand.pick({"das28_at_start": "5.6"}, {"das28_at_start": "4.9"}),
        **hand.reason(),
    },
    "POST /v1/adoption-proposals": _adoption,
    "POST /v1/hand-over-proposals": _hand_over,
    "POST /v1/requests/{id}/attachments": _attachment,
    "POST /v1/requests/{id}/attachments/{attachment}/remove": _reasoned(),
    "POST /v1/requests/{id}/refuse-funding": _reasoned(),
    "POST /v1/requests/{id}/declare-interest": lambda hand: {"interest": hand.words()},
    "POST /v1/requests/{id}/fund": _funding,
    "POST /v1/requests/{id}/panel-approve": _reasoned(declares_no_interest=True),
    "POST /v1/requests/{id}/panel-decline": _reasoned(declares_no_interest=True),
    "POST /v1/requests/{id}/panel-overturn": lambda hand: {
        **hand.reason(),
        "doses_given": hand.pick("paid", "not paid"),
        "declares_no_interest": True,
    },
    "POST /v1/requests/{id}/panel-return": lambda hand: {
        "question": hand.words(),
        "declares_no_interest": True,
    },
    "POST /v1/runs/{run}/lines/{row}/match": _reference,
    "POST /v1/runs/{run}/lines/{row}/override": lambda hand: {
        "kind": hand.pick("accept", "query"),
        **hand.reason(),
    },
    "POST /v1/searches": _search,
    "POST /v1/supply-checks": _supply,
    "POST /v1/treatments/{id}/first-dose": lambda hand: {"first_dose": hand.day()},
    "POST /v1/submissions": _lines,
    "POST /v1/submission-checks": _lines,
    "POST /v1/submission-previews": _lines,
    "POST /v1/imports": _approvals,
}
_YEAR: Final = {"from": "2026-01-01", "to": "2026-12-31"}
#: Operation → its query.
QUERIES: Final[Mapping[str, Callable[[Hand], dict[str, Any]]]] = {
    "GET /v1/approval-needs": lambda hand: {"drug": hand.pick("adalimumab", "natalizumab")},
    "GET /v1/calendar": lambda hand: {"financial_year": "202627"},
    "GET /v1/challenges": lambda hand: hand.pick(
        {}, {"state": "raised"}, {"financial_year": "202627", "financial_month": 3}
    ),
    "GET /v1/changes": lambda hand: {"limit": hand.draw.randint(1, 500)},
    "GET /v1/policies/{policy}/versions/{version}/questions": lambda hand: {
        "kind": hand.pick("initiation", "continuation")
    },
    "GET /v1/reports/best-value": lambda hand: dict(_YEAR),
    "GET /v1/reports/break-glass": lambda hand: dict(_YEAR),
    "GET /v1/reports/identifier-access": lambda hand: dict(_YEAR),
    "GET /v1/reports/overrides": lambda hand: dict(_YEAR),
    "GET /v1/runs/{run}/export": lambda hand: {"format": hand.pick("xlsx", "csv", "json")},
    "GET /v1/runs/{run}/file": lambda hand: {"safe": hand.pick(True, False)},
    "GET /v1/runs/{run}/lines": lambda hand: {"limit": hand.draw.randint(1, 1000)},
    "GET /v1/slice-deltas": lambda hand: {"financial_year": "202627"},
    "GET /v1/unknown-drug-names": lambda hand: hand.pick({}, {"run": hand.one("runs")}),
    "POST /v1/submissions": lambda hand: {"file_name": "file.csv"},
    "POST /v1/submission-checks": lambda hand: {"file_name": "file.csv"},
    "POST /v1/submission-previews": lambda hand: {"file_name": "file.csv"},
    "POST /v1/imports": lambda hand: {"file_name": "file.csv"},
}
FILES: Final = frozenset(
    {"POST /v1/submissions", "POST /v1/submission-checks", "POST /v1/submission-previews",
     "POST /v1/imports"}
)  # fmt: skip


def described(definition: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """The example in an operation's own description of its body, or None."""
    content = definition.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    schema = content["schema"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    return json.loads(json.dumps(schema.get("example")))
