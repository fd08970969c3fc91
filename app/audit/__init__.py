"""The append-only log of who did what to which object, and the proof that it was not altered."""

from app.audit.erasing import erase, erase_told_of
from app.audit.errors import InvalidCursor, UnauditableValue
from app.audit.keys import Keyring
from app.audit.log import READING, record, recorded_together
from app.audit.model import Actor, Event, Fault, TrailEntry
from app.audit.reading import Reading, record_reading
from app.audit.store import changes_after, feed_position, parse_cursor, request_trail, trail
from app.audit.verify import verify_rows

__all__ = [
    "READING",
    "Actor",
    "Event",
    "Fault",
    "InvalidCursor",
    "Keyring",
    "Reading",
    "TrailEntry",
    "UnauditableValue",
    "changes_after",
    "erase",
    "erase_told_of",
    "feed_position",
    "parse_cursor",
    "record",
    "record_reading",
    "recorded_together",
    "request_trail",
    "trail",
    "verify_rows",
]
