"""Check the signed assertion by which a system proves who it is (RFC 7523, as NHS England has it).

RS512 only, a key that was registered for the client, at most five minutes of life, meant for this
service's own token address, and used once. The once is the store's: `clients.take_jti`.
"""

import base64
import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from app.auth.errors import AssertionRefused

ALGORITHM: Final = "RS512"
LONGEST_LIFE: Final = dt.timedelta(minutes=5)
#: Clocks of two machines differ a little.
LEEWAY: Final = dt.timedelta(seconds=30)
#: Bits of an RSA key. Under 3,072 it gives fewer than 128 bits of security (NIST SP 800-57), so
#: none is taken any more; one that was registered before signs until its client has another.
SMALLEST_KEY: Final = 3072
SMALLEST_OF_BEFORE: Final = 2048
BITS_TO_MAKE: Final = 4096  # as NHS England's guide has it (unverified)
LONGEST_ASSERTION: Final = 8_192
_ID: Final = re.compile(r"[A-Za-z0-9._:@/+=~-]{1,100}")


class TooShort(ValueError):
    """A key with too few bits. The message says how many it takes."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who an assertion says that it is, before its signature is checked, and the key it names."""

    client_id: str
    kid: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion whose signature and claims hold."""

    client_id: str
    jti: str
    expires_at: dt.datetime


def claimed(text: str) -> Claimed:
    """The client and key that an assertion names. Raises AssertionRefused."""
    header, claims = _unchecked(text)
    if header.get("alg") != ALGORITHM:
        raise AssertionRefused(f"the assertion must be signed with {ALGORITHM}.")
    kid, client_id = header.get("kid"), claims.get("sub")
    if not isinstance(kid, str) or not kid:
        raise AssertionRefused("the assertion's header names no key. Set 'kid'.")
    if not isinstance(client_id, str) or claims.get("iss") != client_id:
        raise AssertionRefused("'iss' and 'sub' must both be your client id.")
    return Claimed(client_id, kid)


def check(
    text: str,
    jwk: Mapping[str, Any],
    audience: str,
    now: dt.datetime,
    smallest: int = SMALLEST_KEY,
) -> Assertion:
    """An assertion signed by this key, in time and meant for us. Raises AssertionRefused."""
    try:
        key = public_key(jwk, smallest)
    except TooShort as error:
        raise AssertionRefused(f"{error}.") from None
    except (JoseError, ValueError):
        raise AssertionRefused("your key of that 'kid' is no RSA public key.") from None
    try:
        claims = jwt.decode(text, key, algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError):
        raise AssertionRefused("the assertion's signature does not hold.") from None
    if audience not in _listed(claims.get("aud")):
        raise AssertionRefused("the assertion is meant for another service. Set 'aud' to ours.")
    expires_at = _instant(claims, "exp")
    if expires_at <= now - LEEWAY:
        raise AssertionRefused("the assertion has expired. Sign a new one for each token.")
    if expires_at > now + LONGEST_LIFE + LEEWAY:
        raise AssertionRefused("the assertion lives for over five minutes. Set 'exp' nearer.")
    for name in ("nbf", "iat"):
        if name in claims and _instant(claims, name) > now + LEEWAY:
            raise AssertionRefused(f"'{name}' lies in the future. Set your clock.")
    jti = claims.get("jti")
    if not isinstance(jti, str) or _ID.fullmatch(jti) is None:
        raise AssertionRefused("'jti' must be 1 to 100 letters, digits or . _ : @ / + = ~ -.")
    return Assertion(str(claims["sub"]), jti, expires_at)


def public_key(jwk: Mapping[str, Any], smallest: int = SMALLEST_KEY) -> RSAKey:
    """An RSA public key that is long enough. Raises ValueError for any other, or a private one."""
    key = RSAKey.import_key({str(name): value for name, value in jwk.items()})
    if key.is_private:
        raise ValueError("that is a private key: keep it, and register the public one")
    if key.public_key.key_size < smallest:
        raise TooShort(f"the key is under {smallest} bits: make one of {BITS_TO_MAKE}")
    return key


def from_pem(text: str) -> dict[str, Any]:
    """The public JWK of a PEM public key. Raises ValueError, in words, for anything else."""
    try:
        key = RSAKey.import_key(text)
    except (JoseError, UnsupportedAlgorithm, ValueError, TypeError):
        raise ValueError("that is no RSA public key in PEM") from None
    found = {str(name): value for name, value in key.as_dict(private=False).items()}
    if key.is_private:
        raise ValueError("that is a private key: keep it, and register the public one")
    public_key(found)
    return {name: found[name] for name in ("kty", "n", "e")}


def _unchecked(text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if len(text) > LONGEST_ASSERTION:
        raise AssertionRefused(f"the assertion is over {LONGEST_ASSERTION} characters.")
    try:
        # Nothing of this is relied on: it only says which key to check the signature with.
        header, claims, _ = text.split(".")
        return _json(header), _json(claims)
    except (ValueError, RecursionError):
        raise AssertionRefused("the assertion is no signed JSON Web Token.") from None


def _json(part: str) -> Mapping[str, Any]:
    padded = part + "=" * (-len(part) % 4)
    found = json.loads(base64.urlsafe_b64decode(padded))
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _listed(audience: object) -> list[object]:
    return audience if isinstance(audience, list) else [audience]


def _instant(claims: Mapping[str, Any], name: str) -> dt.datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**33:
        raise AssertionRefused(f"'{name}' must be a whole number of seconds since 1970.")
    return dt.datetime.fromtimestamp(value, dt.UTC)
