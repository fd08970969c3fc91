"""What the audit log records: actors, events, and the rows that came of them."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person or a system, for which organisation, in which role, through what."""

    id: str
    kind: str  # person | system
    organisation: str
    role: str
    client: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Event:
    """One change to one object: what it was before, what it is after."""

    action: str
    object_type: str
    object_id: str
    treatment_id: str | None = None
    request_id: str | None = None
    patient_id: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    policy_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with one row of the log, or with a seal (then `object_type` says so)."""

    event_id: int
    object_type: str
    object_id: str
    object_number: int
    what: str


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """A row of the log. `before` and `after` are None, too, once `erased_at` is set."""

    id: int
    at: dt.datetime
    actor: Actor
    action: str
    object_type: str
    object_id: str
    object_number: int
    treatment_id: str | None
    request_id: str | None
    policy_hash: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    erased_at: dt.datetime | None
