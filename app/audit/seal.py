"""Canonical texts, salted digests and the rows' HMAC: pure functions."""

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from app.audit.errors import UnauditableValue
from app.audit.keys import NO_ID, Keyring
from app.audit.merkle import leaf

#: The columns that the HMAC of the first release's rows covers, in the order of their names.
SIGNED_BEFORE_KEY_IDS = (
    "action",
    "actor",
    "actor_kind",
    "after_digest",
    "at",
    "before_digest",
    "client",
    "correlation_id",
    "id",
    "object_id",
    "object_number",
    "object_type",
    "organisation",
    "payload_id",
    "policy_hash",
    "request_id",
    "role",
    "treatment_id",
    "xid",
)
#: Those of rows that do not bind their payload: of before revision 0056, or without a payload.
SIGNED_UNBOUND = tuple(sorted((*SIGNED_BEFORE_KEY_IDS, "epoch", "key_id")))
#: The columns that the HMAC covers: all but the HMAC itself, in the order of their names.
SIGNED = tuple(sorted((*SIGNED_UNBOUND, "payload_of")))


#: Made once: `json.dumps` makes one anew for each text.
_TEXT = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_AS_IT_IS = frozenset({str, int, bool, type(None)})
_NAMES = frozenset({str})


def canonical(value: Any) -> str:
    """One text for one value: keys sorted, decimals and dates as text, no spaces.

    Raises UnauditableValue for a float or anything else that JSON and we cannot hold exactly.
    """
    return _TEXT.encode(_plain(value))


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _AS_IT_IS:  # most are; the rest is told apart one by one
        return value
    if kind is dict and _NAMES.issuperset(map(type, value)):
        return {
            key: item if type(item) in _AS_IT_IS else _plain(item) for key, item in value.items()
        }
    return _told_apart(value)


def _told_apart(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case str():
            return str(value)
        case Decimal():
            return format(value, "f")
        case dt.datetime():
            if value.tzinfo is None:
                raise UnauditableValue("datetime without a time zone")
            return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
        case dt.date():
            return value.isoformat()
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise UnauditableValue("mapping with a key that is not text")
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case set() | frozenset():
            return sorted((_plain(item) for item in value), key=canonical)
    raise UnauditableValue(type(value).__name__)


def digest(salt: str, side: str, value: Any) -> str | None:
    """SHA-256 of one side ("before" or "after") of a payload with its salt; None for None."""
    return None if value is None else digest_of_text(salt, side, canonical(value))


def digest_of_text(salt: str, side: str, text: str) -> str:
    """The same of a side whose canonical text is at hand."""
    return hashlib.sha256(f"{salt}\n{side}\n{text}".encode()).hexdigest()


def bound(payload_id: str, patient_id: str | None, organisation: str | None) -> str:
    """SHA-256 of whose a payload is. Not salted: it holds no more than the payload's row keeps
    after its erasure, and must be provable then."""
    whose = _TEXT.encode([payload_id, patient_id, organisation])
    return hashlib.sha256(f"payload\n{whose}".encode()).hexdigest()


def sign(row: Mapping[str, Any], key: bytes) -> str:
    """HMAC-SHA256 over a row of audit_event, every column but `hmac`."""
    return mac(signed_content(row), key)


def mac(content: str, key: bytes) -> str:
    """HMAC-SHA256 of a text, in hexadecimal."""
    return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()


def signed_content(row: Mapping[str, Any]) -> str:
    """The text that a row's HMAC is over. Raises UnauditableValue for a value of a wrong kind."""
    return canonical({name: row[name] for name in _signed_names(row)})


def _signed_names(row: Mapping[str, Any]) -> tuple[str, ...]:
    if row["key_id"] == NO_ID:
        return SIGNED_BEFORE_KEY_IDS
    # Taking the binding out of a row that has it does not make it an older row: the text differs.
    return SIGNED_UNBOUND if row["payload_of"] is None else SIGNED


def leaf_of(row: Mapping[str, Any]) -> str:
    """The Merkle leaf of a row: over all of its columns, whoever signed it."""
    bind = SIGNED_UNBOUND if row["payload_of"] is None else SIGNED
    names = (*bind, "hmac")
    try:
        return leaf(canonical({name: row[name] for name in names}))
    except UnauditableValue:  # an intruder's value of a wrong kind: no honest row has this leaf
        return leaf(repr(sorted((name, repr(row[name])) for name in names)))


def signed_by(row: Mapping[str, Any], keys: Keyring) -> bool:
    """Whether the row is as one of the keys signed it; any value at all may have got into it."""
    try:
        content = signed_content(row)
    except UnauditableValue:
        return False
    return signed_with(content, row["hmac"], keys.candidates(row["key_id"]))


def signed_with(content: str, given: object, candidates: Iterable[bytes]) -> bool:
    """Whether `given` is the HMAC of a text by one of the keys; compared in constant time.

    Any value at all may have got into its place, of any type.
    """
    text = str(given).encode("utf-8", "surrogatepass")
    return any(hmac.compare_digest(mac(content, key).encode(), text) for key in candidates)
