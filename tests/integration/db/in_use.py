"""A service in use as an earlier release left it: what its migrations of data branch on.

Two hospitals, a third that supplies for them, two commissioners and a panel; patients with and
without NHS numbers, and two records of one person; requests in every state that a migration asks
for, with decisions older than those before them; segments superseded and not, with suppliers
named twice; submissions received in the same moment; and an audit log that is signed.
"""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from app.audit.keys import NO_ID, key_id
from app.audit.seal import bound, digest, sign
from tests.conftest import AUDIT_KEY
from tests.integration.db.any_rows import NOW, fill_every_table, put, schema_of

TREATMENTS: Final = 24
HOSPITALS, PAYERS = ("DEMO1", "DEMO2"), ("DEMQ1", "DEMQ2")
SUPPLIER, PANEL = "DEMO3", "DEMP1"
#: Half past midnight in London on Tuesday the 16th.
LATE: Final = dt.datetime(2026, 6, 15, 23, 30, tzinfo=dt.UTC)
EARLY: Final = LATE - dt.timedelta(days=30)
STOPPED: Final = NOW + dt.timedelta(hours=1)
#: Policy version → its text, where it came from, and when.
POLICIES: Final = {
    "h-days": (json.dumps({"panel": {"answer_within": {"working_days": 5}}}), "published", NOW),
    "h-all-days": (json.dumps({"panel": {"answer_within": {"days": 10}}}), "packaged", NOW),
    "h-broken": ("no JSON", "published", NOW),
    "h-none": (json.dumps({"panel": None}), "published", EARLY),
}
#: For each sixth treatment: its request's state and version, its decisions, newest first (who,
#: what, when), and the day by which its panel answers.
REQUESTS: Final[list[tuple[str, str, list[tuple[str, str, dt.datetime]], dt.date | None]]] = [
    ("referred", "h-days", [("policy", "referred", LATE)], dt.date(2026, 6, 23)),
    (
        "referred",
        "h-all-days",
        [("policy", "referred", LATE), ("policy", "criteria not met", EARLY)],
        dt.date(2026, 6, 26),
    ),
    (
        "referred",
        "h-all-days",
        [("policy", "criteria not met", LATE), ("policy", "referred", EARLY)],
        None,
    ),
    ("approved", "h-days", [("panel", "approved", LATE), ("policy", "referred", EARLY)], None),
    ("referred", "h-broken", [("policy", "referred", LATE)], None),
    ("referred", "h-none", [("policy", "referred", LATE)], None),
]
#: For each fourth treatment: its segments' suppliers, and when each was superseded.
SEGMENTS: Final[list[list[tuple[list[str], dt.datetime | None]]]] = [
    [([SUPPLIER], None)],
    [([SUPPLIER, SUPPLIER, "DEMO2"], None)],
    [([], None)],
    [([SUPPLIER], STOPPED), ([], None)],
]
#: Submission → its payer, when it was received, and its number by that: two came in one moment.
SUBMISSIONS: Final = {
    "s-b": ("DEMQ1", NOW, 3),
    "s-a": ("DEMQ1", NOW, 2),
    "s-c": ("DEMQ1", EARLY, 1),
    "s-d": ("DEMQ2", LATE, 1),
}
#: What the database holds of these has to be as the log's own keys say, or nothing.
OF_THE_LOG: Final = ("audit_event", "audit_payload", "audit_seal", "audit_epoch", "schema_release")


def fill(connection: sa.Connection, released: str) -> dict[str, list[dict[str, Any]]]:
    """Fill a released schema; returns every row. On PostgreSQL the scope is everybody's."""
    fill_every_table(connection, without=OF_THE_LOG)
    schema = schema_of(connection)
    _policies(connection, schema, released)
    for number in range(TREATMENTS):
        _treatment(connection, schema.tables, number)
    for id_, (payer, received, order) in SUBMISSIONS.items():
        own = {"organisation": payer, "received_at": received, "sha256": id_}
        put(connection, schema.tables["submission"], id=id_, number=order, **own)
        of = {"submission_id": id_, "organisation": payer}
        put(connection, schema.tables["reconciliation_run"], id=f"run-{id_}", **of)
    if "slice_touch" in schema.tables:
        _slices(connection, schema.tables)
    _log(connection, schema.tables, released)
    return {
        name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        for name, table in schema.tables.items()
        if name != "alembic_version"
    }


def reached() -> dict[str, set[str]]:
    """Organisation → the treatments that it may see, and no other."""
    numbers = range(TREATMENTS)
    return {
        **{each: {f"t-{n}" for n in numbers if _hospital(n) == each} for each in HOSPITALS},
        **{each: {f"t-{n}" for n in numbers if _payer(n) == each} for each in PAYERS},
        SUPPLIER: {f"t-{n}" for n in numbers if n % 4 < 2},
        PANEL: {f"t-{n}" for n in numbers if REQUESTS[n % 6][0] == "referred"},
        "DEMX9": set(),
    }


def supplies() -> set[tuple[str, str, str, dt.datetime, dt.datetime | None]]:
    """Segment, supplier, treatment, and when the segment came into force and left it."""
    return {
        (f"g-{n}-{at}", supplier, f"t-{n}", NOW, superseded)
        for n in range(TREATMENTS)
        for at, (suppliers, superseded) in enumerate(SEGMENTS[n % 4])
        for supplier in suppliers
    }


def _hospital(number: int) -> str:
    return HOSPITALS[number % 2]


def _payer(number: int) -> str:
    return PAYERS[number // 2 % 2]


def _policies(connection: sa.Connection, schema: sa.MetaData, released: str) -> None:
    for hash_, (resolved, origin, recorded) in POLICIES.items():
        text = {"hash": hash_, "policy": f"of {hash_}", "resolved": resolved, "origin": origin}
        put(connection, schema.tables["policy_version"], **text, recorded_at=recorded)
    if released >= "0016":
        for number, hash_ in enumerate(published(), start=2):  # after the plain row
            own = {"hash": hash_, "policy": f"of {hash_}", "kind": "version", "number": number}
            put(connection, schema.tables["publication"], **own)


def published() -> list[str]:
    """The published versions in the order of their publication."""
    theirs = [hash_ for hash_, (_, origin, _) in POLICIES.items() if origin == "published"]
    return sorted(theirs, key=lambda hash_: (POLICIES[hash_][2], hash_))


def _treatment(connection: sa.Connection, tables: Mapping[str, sa.Table], number: int) -> None:
    parties = {"provider": _hospital(number), "commissioner": _payer(number)}
    has_number = number % 2 == 0
    person = {
        "nhs_number": f"99900{number:05}" if has_number else None,
        "no_nhs_number_reason": None if has_number else "withheld",
        "linked_to": "p-3" if number == 5 else None,
        "registered_by": parties["provider"],
    }
    put(connection, tables["patient"], id=f"p-{number}", **person)
    local = {"organisation": parties["provider"], "local_id": f"H{number}"}
    named = {"id": f"i-{number}", "patient_id": f"p-{number}"}
    put(connection, tables["patient_identifier"], **named, **local)
    of_patient = {"patient_id": f"p-{number}", "drug": "d", "indication": "i"}
    put(connection, tables["treatment"], id=f"t-{number}", **of_patient, **parties)
    put(connection, tables["live_treatment"], treatment_id=f"t-{number}", **of_patient)
    state, policy, decisions, answer_by = REQUESTS[number % 6]
    request = {
        "treatment_id": f"t-{number}",
        "state": state,
        "policy_hash": policy,
        "panel": PANEL if state == "referred" else None,
        "details": {"n": number, "words": ["é", None]},
        "answer_by": answer_by,
    }
    put(connection, tables["request"], id=f"r-{number}", **request, **parties)
    put(connection, tables["request_revision"], request_id=f"r-{number}", revision=1)
    for at, (made_by, outcome, decided) in enumerate(decisions):
        made = {"made_by": made_by, "outcome": outcome, "decided_at": decided}
        whose = {"request_id": f"r-{number}", "number": len(decisions) - at}
        put(connection, tables["decision"], id=f"d-{number}-{at}", **made, **whose)
    if state == "approved":
        issued = {"reference": f"REF-{number}", "request_id": f"r-{number}"}
        of = {"treatment_id": f"t-{number}", "decision_id": f"d-{number}-0"}
        put(connection, tables["approval"], id=f"a-{number}", **issued, **of, **parties)
    for at, (suppliers, superseded) in enumerate(SEGMENTS[number % 4]):
        segment = {"id": f"g-{number}-{at}", "treatment_id": f"t-{number}", "recorded_at": NOW}
        lies = {"supplying_providers": suppliers, "superseded_at": superseded}
        put(connection, tables["segment"], **segment, **lies, **parties)
    if "supply" in tables:
        for segment_id, supplier, treatment_id, recorded, superseded in supplies():
            if treatment_id == f"t-{number}":
                when = {"recorded_at": recorded, "superseded_at": superseded}
                of = {"segment_id": segment_id, "treatment_id": treatment_id}
                put(connection, tables["supply"], provider=supplier, **of, **when)


def _slices(connection: sa.Connection, tables: Mapping[str, sa.Table]) -> None:
    """A second version of the plain slice: touched by two keys; marks with a job and without."""
    put(connection, tables["slice_version"], id="v-2", slice_id="x", submission_id="s-a", number=2)
    for key in ("one", "two"):
        put(connection, tables["slice_touch"], key=key, version_id="v-2", organisation="DEMQ1")
    for id_, job in (("m-idle", None), ("m-taken", "x")):
        mark = {"version_id": "v-2", "submission_id": "s-a", "organisation": "DEMQ1"}
        tries = 0 if job is None else 1  # as far as the release counts them
        put(connection, tables["slice_mark"], id=id_, job_id=job, tries=tries, **mark)


def _log(connection: sa.Connection, tables: Mapping[str, sa.Table], released: str) -> None:
    """Three events for each of four treatments, with payloads; one payload is erased."""
    postgres = connection.dialect.name == "postgresql"
    xid = 0
    if postgres:
        xid = connection.exec_driver_sql("SELECT pg_current_xact_id()::text::bigint").scalar_one()
    for at in range(12):
        treatment, erased = f"t-{at % 4}", at == 5
        whose = (f"pay-{at}", f"p-{at % 4}", _hospital(at % 4))
        body = {"before": None, "after": {"step": at, "sum": "1.50"}}
        payload = {"salt": f"{at:064x}", "body": json.dumps(body), "erased_at": None}
        digested = digest(str(payload["salt"]), "after", body["after"])
        if erased:
            payload = {"salt": None, "body": None, "erased_at": LATE}
        own = dict(zip(("id", "patient_id", "organisation"), whose, strict=True))
        put(connection, tables["audit_payload"], **own, **payload)
        row: dict[str, Any] = {
            **{"id": at + 1, "at": NOW, "actor": "somebody", "actor_kind": "person"},
            **{"organisation": whose[2], "role": "clinician", "client": "tests"},
            **{"action": "request submitted", "object_type": "treatment", "object_id": treatment},
            **{"object_number": at // 4 + 1, "treatment_id": treatment, "request_id": None},
            **{"before_digest": None, "after_digest": digested, "payload_id": whose[0]},
            **{"policy_hash": None, "correlation_id": "c", "xid": xid, "epoch": 1},
            "key_id": key_id(AUDIT_KEY) if released >= "0004" else NO_ID,
            "payload_of": bound(*whose) if released >= "0056" and not erased else None,
        }
        put(connection, tables["audit_event"], **row, hmac=sign(row, AUDIT_KEY))
    if postgres:
        connection.exec_driver_sql("SELECT setval('audit_event_id_seq', 12)")
