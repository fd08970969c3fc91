"""Keyed pseudonyms: what stands for a patient before those who may not know who it is.

Each organisation has a key of its own, derived from the service's secret and the organisation's
code. So one organisation sees the same pseudonym for the same patient wherever it looks, two
organisations cannot compare theirs, and one organisation's key can be handed to whoever prepares
submissions for it without giving away another's. HMAC-SHA256, cut to 160 bits: 32 letters and
digits (base32), in upper case, so that a spreadsheet or a fixed-width feed leaves them alone.
"""

import base64
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_KEY_DOMAIN = "assent pseudonym key"
_INDEX_DOMAIN, _SECRET_DOMAIN = "assent pseudonym index", "assent pseudonym secret"
_BYTES = 20
_NHS_NUMBER, _LOCAL = "nhs number", "local identifier"
PSEUDONYM = re.compile("[A-Z2-7]{32}")


@dataclass(frozen=True, slots=True)
class IndexKey:
    """What a pseudonym is kept under, so that only the service finds whom it stands for.

    Not made from the organisation's key, which others hold who make its files: with that one and
    the database alone nobody can tell whose a kept row is. `of_secret` tells one secret's rows from
    another's, and nothing of the secret.
    """

    key: bytes = field(repr=False)
    of_secret: str

    def of(self, pseudonym: str) -> str:
        """The MAC that a pseudonym is found by."""
        mac = hmac.digest(self.key, pseudonym.encode(), "sha256")
        return base64.b32encode(mac[:_BYTES]).decode()


@dataclass(frozen=True, slots=True)
class PseudonymKey:
    """One organisation's key. NHS numbers are ten digits, hospital numbers as the line reads.

    Whoever prepares files for the organisation has no `index`, which does not leave the service.
    """

    key: bytes = field(repr=False)
    index: IndexKey | None = field(default=None, repr=False)

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
        of_secret = self.name_of_secret
        assert of_secret is not None
        index = IndexKey(self._derived(_INDEX_DOMAIN, organisation), of_secret)
        return PseudonymKey(self._derived(_KEY_DOMAIN, organisation), index)

    @property
    def name_of_secret(self) -> str | None:
        """What tells this secret from another one; None when there is none."""
        if self.secret is None:
            return None
        return base64.b32encode(self._derived(_SECRET_DOMAIN, "")[:10]).decode()

    def _derived(self, domain: str, organisation: str) -> bytes:
        assert self.secret is not None
        return hmac.digest(self.secret, f"{domain}\n{organisation}".encode(), "sha256")
