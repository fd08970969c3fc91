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
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_KEY_DOMAIN = "assent pseudonym key"
_BYTES = 20
_NHS_NUMBER, _LOCAL = "nhs number", "local identifier"
PSEUDONYM = re.compile("[A-Z2-7]{32}")


@dataclass(frozen=True, slots=True)
class PseudonymKey:
    """One organisation's key. NHS numbers are ten digits, hospital numbers as the line reads."""

    key: bytes = field(repr=False)

    def of_nhs_number(self, number: str) -> str:
        """The pseudonym of an NHS number of ten digits."""
        return self._of(_NHS_NUMBER, number)

    def of_local_id(self, local_id: str) -> str:
        """The pseudonym of a hospital number. Case and spaces make no difference."""
        return self._of(_LOCAL, _compared(local_id))

    def of_record(self, patient_id: str) -> str:
        """The pseudonym of a patient without an NHS number, by the id of the record."""
        return self._of("record", patient_id)

    def nhs_number_among(self, pseudonyms: Iterable[str]) -> Callable[[str], bool]:
        """Whether a number of ten digits has one of these pseudonyms: for asking of very many."""
        return self._among(_NHS_NUMBER, pseudonyms, str)

    def local_id_among(self, pseudonyms: Iterable[str]) -> Callable[[str], bool]:
        """The same of a hospital number."""
        return self._among(_LOCAL, pseudonyms, _compared)

    def _among(
        self, kind: str, pseudonyms: Iterable[str], compared: Callable[[str], str]
    ) -> Callable[[str], bool]:
        wanted = {base64.b32decode(each) for each in pseudonyms if PSEUDONYM.fullmatch(each)}
        begun = hmac.new(self.key, f"{kind}\n".encode(), "sha256")

        def is_one(value: str) -> bool:
            mac = begun.copy()
            mac.update(compared(value).encode())
            return mac.digest()[:_BYTES] in wanted

        return is_one

    def _of(self, kind: str, value: str) -> str:
        mac = hmac.digest(self.key, f"{kind}\n{value}".encode(), "sha256")
        return base64.b32encode(mac[:_BYTES]).decode()


def _compared(local_id: str) -> str:
    return local_id.upper().replace(" ", "")


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
