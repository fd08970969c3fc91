"""The keys that sign the audit log: the one in use, and those that were in use before it.

A key is known in the log by an id that tells nothing of it. Rows that were written before keys
had ids carry none; for them every key is tried.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

NO_ID = "none"
_ID_DOMAIN = b"assent audit key id\n"
_CHECKPOINT_DOMAIN = b"assent audit checkpoint signing key\n"


def key_id(key: bytes) -> str:
    """The id under which the log knows a key: 16 hexadecimal digits."""
    return hashlib.sha256(_ID_DOMAIN + key).hexdigest()[:16]


def checkpoint_seed(key: bytes) -> bytes:
    """The 32 bytes of the Ed25519 key that signs checkpoints, derived from the audit key."""
    return hmac.new(key, _CHECKPOINT_DOMAIN, hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every key that may have signed a row; the first is the one in use."""

    keys: tuple[bytes, ...]

    @classmethod
    def of(cls, in_use: bytes, retired: Sequence[bytes] = ()) -> "Keyring":
        """A keyring of the key in use and those retired before it."""
        return cls((in_use, *retired))

    def candidates(self, named: object) -> tuple[bytes, ...]:
        """The keys that a row naming this id may be signed with; all for a row that names none."""
        if named == NO_ID:
            return self.keys
        return tuple(key for key in self.keys if key_id(key) == named)
