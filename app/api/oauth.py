"""Where a system exchanges its signed assertion for a short-lived token (OAuth 2, RFC 6749)."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from app.api import security
from app.api.callers import door_of
from app.api.security import What
from app.auth import assertions, clients
from app.auth.clients import Client, Token
from app.auth.errors import AssertionRefused
from app.auth.scopes import SCOPES
from app.db.work import Work
from app.problems import BAD_REQUEST, WRONG_MEDIA_TYPE, DoorProblem

router = APIRouter(tags=["sign-in"])

PATH: Final = "/oauth2/token"
FORM: Final = "application/x-www-form-urlencoded"
GRANT: Final = "client_credentials"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TAKEN: Final = ("grant_type", "client_assertion_type", "client_assertion", "scope")

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"const": GRANT},
                        "client_assertion_type": {"const": ASSERTION_TYPE},
                        "client_assertion": {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": assertions.LONGEST_ASSERTION,
                            "description": "A JWT that you sign with RS512: header 'kid'; claims "
                            "'iss' and 'sub' (your client id), 'aud' (this address), 'jti' (used "
                            "once) and 'exp' (at most five minutes ahead)",
                        },
                        "scope": {
                            "type": "string",
                            "description": "Scopes with spaces between; left out, all of yours. "
                            + "; ".join(f"{name}: {words}" for name, words in SCOPES.items()),
                        },
                    },
                }
            }
        },
    }
}


class TokenReply(BaseModel):
    """A bearer token. It cannot be shown again."""

    model_config = ConfigDict(extra="forbid")

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    scope: str


async def _form(request: Request) -> dict[str, str]:
    """The form's fields, each once. Raises DoorProblem for anything else."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM:
        raise DoorProblem(
            WRONG_MEDIA_TYPE,
            f"The body must be a form. Send it with 'Content-Type: {FORM}'.",
            headers={"Accept": FORM},
        )
    found: dict[str, str] = {}
    async with request.form(max_fields=20) as form:
        for name, value in form.multi_items():
            if name in _TAKEN:
                if name in found or not isinstance(value, str):
                    raise _bad(f"{name} stands twice.")
                found[name] = value
    return found


@router.post(
    PATH,
    summary="Get a token for a system",
    openapi_extra=_BODY,
    responses={400: {}, 401: {}, 413: {}, 415: {}, 429: {}, 503: {}},
)
def give_token(request: Request, form: Annotated[dict[str, str], Depends(_form)]) -> TokenReply:
    """OAuth 2 client credentials with a signed assertion, as NHS England's APIs take it.

    A refusal is a problem whose `code` is OAuth's own word with hyphens (`invalid-client`).
    """
    door = door_of(request)
    peer = request.client.host if request.client else ""
    request.app.state.limits.check(f"token from {peer}", door.now())
    if form.get("grant_type") != GRANT:
        raise _bad(f"grant_type must be {GRANT}.", "unsupported-grant-type")
    if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
        raise _bad("client_assertion_type and client_assertion are needed.")
    text = form["client_assertion"]
    named = assertions.claimed(text)

    def known(work: Work) -> tuple[Client | None, Any]:
        found = clients.find_client(work, named.client_id[:36])
        return found, found and clients.find_key(work, found.id, named.kid[:100])

    client, jwk = door.read(known)
    if client is None:
        raise AssertionRefused("no active client has that id.")
    security.claims(request, client.id)
    # A key set is its client's to change; a registered key has waited for an administrator.
    smallest = assertions.SMALLEST_KEY if jwk is None else assertions.SMALLEST_OF_BEFORE
    if jwk is None and client.jwks_url is not None:
        jwk = request.app.state.key_sets.find(client.jwks_url, named.kid, door.now())
    if jwk is None:
        raise AssertionRefused("your client has no key of that 'kid'. Register it first.")
    audience = f"{request.app.state.settings.public_url.rstrip('/')}{PATH}"
    assertion = assertions.check(text, jwk, audience, door.now(), smallest)
    wanted = form.get("scope", "").split()
    token: Token = door.transact(lambda work: clients.give_token(work, client, assertion, wanted))
    scopes = " ".join(token.scopes)
    security.note(request, What.TOKEN, security.ACCEPTED, how="signed assertion", scopes=scopes)
    return TokenReply(access_token=token.text, expires_in=token.seconds, scope=scopes)


def _bad(why: str, code: str = "invalid-request") -> DoorProblem:
    kind = type(BAD_REQUEST)(400, code, BAD_REQUEST.title)
    return DoorProblem(kind, f"No token is given: {why}")
