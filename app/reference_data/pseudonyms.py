"""Keyed pseudonyms: what stands for a patient before those who may not know who it is.

Each organisation has a key of its own, derived from the service's secret and the organisation's
code. So one organisation sees the same pseudonym for the same patient wherever it looks, two
organisations cannot compare theirs, and one organisation's key can be handed to whoever prepares
submissions for it without giving away another's. HMAC-SHA256, cut to 160 bits: 32 letters and
digits (base32), in upper case, so that a spreadsheet or a fixed-width feed leaves them alone.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

_KEY_DOMAIN = "assent pseudonym key"
_BYTES = 20
PSEUDONYM = re.compile("[A-Z2-7]{32}")


@dataclass(frozen=True, slots=True)
class PseudonymKey:
    """One organisation's key. NHS numbers are ten digits, hospital numbers as the line reads."""

    key: bytes = field(repr=False)

    def of_nhs_number(self, number: str) -> str:
        """The pseudonym of an NHS number of ten digits."""
        return self._of("nhs number", number)

    def of_local_id(self, local_id: str) -> str:
        """The pseudonym of a hospital number. Case and spaces make no difference."""
        return self._of("local identifier", local_id.upper().replace(" ", ""))

    def of_record(self, patient_id: str) -> str:
        """The pseudonym of a patient without an NHS number, by the id of the record."""
        return self._of("record", patient_id)

    def _of(self, kind: str, value: str) -> str:
        mac = hmac.digest(self.key, f"{kind}\n{value}".encode(), "sha256")
        return base64.b32encode(mac[:_BYTES]).decode()


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """The service's secret, from which each organisation's key is derived. None: there is none."""

    secret: bytes | None = field(default=None, repr=False)

    def key_of(self, organisation: str) -> PseudonymKey | None:
        """The organisation's key; None when the service has no secret."""
        if self.secret is None:
            return None
        text = f"{_KEY_DOMAIN}\n{organisation}".encode()
        return PseudonymKey(hmac.new(self.secret, text, hashlib.sha256).digest())
