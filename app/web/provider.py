"""The OpenID Connect provider: its addresses and keys, and what it says of a person.

Authorization code flow with PKCE through Authlib. The ID token's signature, issuer, audience,
times and nonce are checked; the claims about the person come from the userinfo endpoint, whose
subject must be the ID token's. A provider's word is not relied on further than that.
"""

import datetime as dt
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from app.auth.assertions import SMALLEST_KEY
from app.auth.sessions import Expected
from app.problems import NOT_READY, DoorProblem
from app.settings import Settings

log = structlog.stdlib.get_logger("assent.http")

SECONDS: Final = 10.0
KEPT: Final = dt.timedelta(minutes=10)
LEEWAY: Final = 120  # seconds by which two clocks may differ
#: Signatures that are taken; "none" and shared secrets are not among them.
ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
OLDEST_LOGOUT: Final = 600  # seconds
#: What a provider calls a way to sign in.
_WORD: Final = re.compile(r"[A-Za-z0-9._:/-]{1,100}")
#: What a logout token may call itself. `JWT`, or nothing, says no kind: then its claims must.
LOGOUT_TYPES: Final = frozenset({"logout+jwt", "jwt", ""})
#: Asks for a factor now, whoever is signed in there (OpenID Connect Core, 3.1.2.1): with
#: `max_age` the provider must also say when it did (`auth_time`).
_ASKED_AGAIN: Final = {"prompt": "login", "max_age": "0"}
_LAST_SECOND: Final = 253_402_300_800  # the year 10000
#: How we sign for ourselves, and for how long each assertion holds.
OUR_ALGORITHM: Final = "RS512"
OUR_ASSERTION_SECONDS: Final = 300


class ProviderRefused(Exception):
    """What came from the provider does not hold. The message names no value of it."""


class TooWeak(ProviderRefused):
    """The provider does not say that the person signed in as strongly as the settings ask."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the provider says of a person who signed in.

    `acr` and `amr`: how strongly, and by which means, as the ID token says it; often nothing.
    `proved_at`: when the person proved who they are (`auth_time`), which may be long before.
    """

    claims: Mapping[str, Any] = field(repr=False)
    session: str | None = field(repr=False)
    acr: str = ""
    amr: tuple[str, ...] = ()
    proved_at: dt.datetime | None = None

    def assurance(self) -> dict[str, str]:
        """How the person signed in, as a log may tell it."""
        return {"acr": self.acr, "amr": " ".join(self.amr)}


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What a logout token says: once (`jti`), which session there, or which person."""

    jti: str
    session: str | None = field(repr=False)
    subject: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Known:
    at: dt.datetime
    metadata: Mapping[str, Any]
    keys: KeySet


class Provider:
    """The provider that the settings name. Shared by threads; read lazily and briefly kept."""

    def __init__(self, settings: Settings, now: Callable[[], dt.datetime]) -> None:
        self.issuer = settings.oidc_issuer
        self._settings = settings
        self._now = now
        self._key = _our_key(settings)
        self._known: _Known | None = None
        self._lock = threading.Lock()

    def address(self, state: str, expected: Expected, *, again: bool = False) -> str:
        """Where to send the browser to sign in; `again`: whoever is signed in there is asked."""
        known = self._metadata()
        with self._client() as client:
            address, _ = client.create_authorization_url(
                known.metadata["authorization_endpoint"],
                state=state,
                code_verifier=expected.verifier,
                nonce=expected.nonce,
                **self._asked(),
                **(_ASKED_AGAIN if again else {}),
            )
        return str(address)

    def _asked(self) -> dict[str, str]:
        """How strongly people are to sign in, where the settings say so."""
        accepted = self._settings.oidc_acr
        return {"acr_values": " ".join(accepted)} if accepted else {}

    def exchange(self, code: str, expected: Expected) -> SignedIn:
        """What the provider says of whoever brought this code. Raises ProviderRefused."""
        known = self._metadata()
        try:
            with self._client() as client:
                token = client.fetch_token(
                    known.metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=expected.verifier,
                )
                identity = self._identity(token, expected.nonce)
                reply = client.get(known.metadata["userinfo_endpoint"])
                reply.raise_for_status()
                said = reply.json()
        except Exception as error:  # Authlib, HTTP and JSON each have their own; none may pass
            log.warning("sign-in refused", error=type(error).__qualname__)
            raise ProviderRefused("The sign-in could not be completed.") from None
        if not isinstance(said, dict) or said.get("sub") != identity.get("sub"):
            raise ProviderRefused("The provider's answers are about two people.")
        sid = identity.get("sid")
        acr, amr = _assurance(identity)
        if self._settings.oidc_acr and acr not in self._settings.oidc_acr:
            log.warning("sign-in refused", error=TooWeak.__qualname__)
            raise TooWeak("The sign-in was not as strong as the settings ask.")
        proved_at = _proved_at(identity.get("auth_time"), self._now())
        return SignedIn(
            {**identity, **said}, sid if isinstance(sid, str) else None, acr, amr, proved_at
        )

    def signed_out(self, text: str) -> SignedOut:
        """What a logout token says, once its signature and claims hold. Raises ProviderRefused."""
        try:
            decoded = self._decode(text)
        except (JoseError, ValueError, TypeError, KeyError):
            raise ProviderRefused("The logout token's signature does not hold.") from None
        claims = decoded.claims
        if str(decoded.header.get("typ", "")).lower() not in LOGOUT_TYPES:
            raise ProviderRefused("The token says that it is another kind than a logout token.")
        now = self._now().timestamp()
        audience = claims.get("aud")
        listed = audience if isinstance(audience, list) else [audience]
        events, issued = claims.get("events"), claims.get("iat")
        if claims.get("iss") != self.issuer or self._settings.oidc_client_id not in listed:
            raise ProviderRefused("The logout token is not of our provider, or not for us.")
        if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in claims:
            raise ProviderRefused("That is no logout token.")
        if not isinstance(issued, int) or not now - OLDEST_LOGOUT < issued < now + LEEWAY:
            raise ProviderRefused("The logout token is not of now.")
        if isinstance(claims.get("exp"), int) and claims["exp"] < now - LEEWAY:
            raise ProviderRefused("The logout token has expired.")
        jti, sid, subject = (claims.get(name) for name in ("jti", "sid", "sub"))
        if not isinstance(jti, str) or not 0 < len(jti) <= 200:
            raise ProviderRefused("The logout token has no usable 'jti'.")
        if not isinstance(sid, str) and not isinstance(subject, str):
            raise ProviderRefused("The logout token names neither a session nor a person.")
        return SignedOut(
            jti,
            sid if isinstance(sid, str) else None,
            subject if isinstance(subject, str) else None,
        )

    def sign_out_address(self) -> str | None:
        """Where the browser signs out at the provider too; None where it offers that not."""
        end = self._metadata().metadata.get("end_session_endpoint")
        return end if isinstance(end, str) else None

    def _identity(self, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        decoded = self._decode(token["id_token"])
        client_id = self._settings.oidc_client_id
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": client_id},
                "nonce": {"essential": True, "value": nonce},
            },
            {"nonce": nonce, "client_id": client_id, "access_token": token["access_token"]},
        )
        claims.validate(now=int(self._now().timestamp()), leeway=LEEWAY)
        return dict(claims)

    def _decode(self, text: str) -> jwt.Token:
        try:
            return jwt.decode(text, self._metadata().keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # The provider may have changed its keys since they were read.
            return jwt.decode(text, self._metadata(afresh=True).keys, algorithms=ALGORITHMS)

    def _metadata(self, *, afresh: bool = False) -> _Known:
        with self._lock:
            now, known = self._now(), self._known
            if known is None or now - known.at > KEPT or (afresh and now > known.at):
                known = self._read(now)
                self._known = known
            return known

    def _read(self, now: dt.datetime) -> _Known:
        base = self.issuer.rstrip("/")
        try:
            with self._client() as client:
                found = _json(client, f"{base}/.well-known/openid-configuration")
                if found.get("issuer") != self.issuer:
                    raise ValueError("another issuer answers")
                keys = KeySet.import_key_set(_json(client, found["jwks_uri"]))
        except Exception as error:
            log.warning("provider not read", error=type(error).__qualname__)
            raise DoorProblem(
                NOT_READY,
                "The sign-in service cannot be reached. Nothing is lost: drafts are kept. Try "
                "again in a minute.",
            ) from None
        return _Known(now, found, keys)

    def _client(self) -> Any:
        settings = self._settings
        client = OAuth2Client(
            client_id=settings.oidc_client_id,
            client_secret=self._key or settings.oidc_client_secret.get_secret_value() or None,
            token_endpoint_auth_method=settings.oidc_client_auth,
            scope=settings.oidc_scopes,
            redirect_uri=settings.address("/sign-in/callback"),
            code_challenge_method="S256",
            timeout=SECONDS,
            follow_redirects=False,
        )
        if self._key is not None:
            client.register_client_auth_method(self._signing())
        return client

    def _signing(self) -> PrivateKeyJWT:
        """Signs an assertion of its own for each call to the token endpoint (RFC 7523)."""
        issued = int(self._now().timestamp())
        return PrivateKeyJWT(
            claims={"iat": issued, "exp": issued + OUR_ASSERTION_SECONDS},
            headers={"kid": self._settings.oidc_client_key_id},
            alg=OUR_ALGORITHM,
        )


def _our_key(settings: Settings) -> RSAKey | None:
    """Our private key, where we prove who we are with one. Raises ValueError for another file."""
    if settings.oidc_client_auth != "private_key_jwt" or settings.oidc_client_key_file is None:
        return None
    wrong = "ASSENT_OIDC_CLIENT_KEY_FILE holds no private RSA key in PEM. Name the right file."
    try:
        key = RSAKey.import_key(settings.oidc_client_key_file.read_text(encoding="ascii"))
    except (JoseError, ValueError, TypeError):
        raise ValueError(wrong) from None
    if not key.is_private:
        raise ValueError(wrong)
    if key.public_key.key_size < SMALLEST_KEY:
        raise ValueError(
            f"ASSENT_OIDC_CLIENT_KEY_FILE has under {SMALLEST_KEY} bits. Make another."
        )
    return key


def _proved_at(said: Any, now: dt.datetime) -> dt.datetime | None:
    """An ID token's `auth_time`; never later than now, whatever the provider's clock says."""
    if isinstance(said, bool) or not isinstance(said, int) or not 0 < said < _LAST_SECOND:
        return None
    return min(dt.datetime.fromtimestamp(said, dt.UTC), now)


def _assurance(identity: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    acr, amr = identity.get("acr"), identity.get("amr")
    listed = amr if isinstance(amr, list) else []
    return (
        acr if isinstance(acr, str) and _WORD.fullmatch(acr) else "",
        tuple(each for each in listed if isinstance(each, str) and _WORD.fullmatch(each)),
    )


def _json(client: Any, url: str) -> Any:
    reply = client.request("GET", url, withhold_token=True)
    reply.raise_for_status()
    return reply.json()
