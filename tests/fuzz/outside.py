"""Readers of what comes from beside the API: other services' keys and tokens, commissioners' files,
submissions read by column as they are kept, and attached files."""

import base64
import datetime as dt
import io
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from pydantic import ValidationError

from app.api.attachments import AttachmentBody
from app.api.jwks import KeySets
from app.approvals.attachment_kinds import ENDINGS, kind_of
from app.approvals.errors import DetailsNotAccepted
from app.auth import assertions
from app.auth.errors import AssertionRefused
from app.auth.model import Role
from app.auth.national import meanings, name_of, seats_from, subject_of
from app.auth.store import ORGANISATION_CODE
from app.reconciliation import term_rows
from app.reconciliation.calendar import read_calendar, read_figures
from app.reconciliation.errors import (
    SettingNotAccepted,
    TermsNotAccepted,
    UnreadableSubmission,
)
from app.reconciliation.intake import read_submission
from app.reconciliation.stored_lines import read_file
from app.settings import RoleMeaning, Settings
from app.web.provider import LOGOUT_EVENT, Provider, ProviderRefused, _Known
from tests.fuzz.mutate import spoil
from tests.fuzz.target import Target, files

ROOT: Final = Path(__file__).parents[2]
NOON: Final = dt.datetime(2026, 6, 15, 12, 0, tzinfo=dt.UTC)
AUDIENCE: Final = "https://assent.example/oauth/token"
ISSUER: Final = "https://issuer.example"
#: Values that no claim or key should have, and some do.
ODD: Final[tuple[Any, ...]] = (
    *(None, True, 0, -1, 10**30, 1.5, "", "x" * 5000, "\x00", "ü", [], {}, [[]], {"a": None}),
    *("AQAB", "RSA", ["key-1"], 2**63, "1e999"),
)


@cache
def _key() -> RSAKey:
    return RSAKey.generate_key(3072, {"kid": "key-1"})


def _spoilt(draw: random.Random, whole: dict[str, Any], share: float) -> dict[str, Any]:
    """Some of the values exchanged for what they should not be, some names left out."""
    kept = {name: value for name, value in whole.items() if draw.random() > share / 3}
    return {
        name: draw.choice(ODD) if draw.random() < share else value for name, value in kept.items()
    }


# --- a client's own keys --------------------------------------------------------------------------


def _key_set(draw: random.Random) -> bytes:
    public = {name: value for name, value in _key().as_dict(private=False).items()}
    keys: Any = [_spoilt(draw, public, draw.choice((0.0, 0.3))) for _ in range(draw.randint(0, 3))]
    if draw.random() < 0.1:
        keys = draw.choice(ODD)
    text = json.dumps({"keys": keys} if draw.random() < 0.95 else keys)
    return (text if draw.random() < 0.6 else spoil(draw, [text])).encode("utf-8", "surrogatepass")


@cache
def _assertion() -> str:
    now = int(NOON.timestamp())
    claims = {"iss": "c", "sub": "c", "aud": AUDIENCE, "exp": now + 240, "jti": "j"}
    return jwt.encode({"alg": "RS512", "kid": "key-1"}, claims, _key(), algorithms=["RS512"])


def _by_key_set(data: bytes) -> None:
    """A key that cannot be one lets nobody in, and is no fault of ours."""
    found = KeySets(fetch=lambda _: data).find("https://client.example/keys", "key-1", NOON)
    if found is not None:
        assertions.check(_assertion(), found, AUDIENCE, NOON)


# --- the provider at which people sign in ---------------------------------------------------------


def _logout(draw: random.Random) -> str:
    """A logout token with spoilt claims, signed all the same; or a good one spoilt."""
    claims: dict[str, Any] = {
        "iss": ISSUER, "aud": "assent", "iat": int(NOON.timestamp()), "jti": "j-1", "sid": "s",
        "sub": "p", "events": {LOGOUT_EVENT: {}}, "exp": int(NOON.timestamp()) + 60,
    }  # fmt: skip
    if draw.random() < 0.7:
        claims = _spoilt(draw, claims, 0.15)
    try:
        text = jwt.encode({"alg": "RS256", "kid": "key-1"}, claims, _key(), algorithms=["RS256"])
    except ValueError:  # it will not sign that
        text = jwt.encode({"alg": "RS256", "kid": "key-1"}, {}, _key(), algorithms=["RS256"])
    return text if draw.random() < 0.6 else spoil(draw, [text])


@cache
def _provider() -> Provider:
    made = Provider(
        Settings(demonstration=True, oidc_issuer=ISSUER, oidc_client_id="assent"), lambda: NOON
    )
    made._known = _Known(NOON, {}, KeySet([_key()]))
    return made


def _signed_out(text: str) -> None:
    found = _provider().signed_out(text)
    assert found.session or found.subject or found.session == "" or found.subject == ""
    assert 0 < len(found.jti) <= 200


def _claims(draw: random.Random) -> Any:
    entry = {"org_code": "DEMO1", "role_code": "S8000:G8000:R8000", "person_roleid": "1"}
    roles: Any = [_spoilt(draw, entry, 0.2) if draw.random() < 0.9 else draw.choice(ODD)
                  for _ in range(draw.randint(0, 4))]  # fmt: skip
    whole = {
        "sub": "p", "nhsid_useruid": "9", "name": "N", "nhsid_nrbac_roles": roles,
        "selected_roleid": "1",
    }  # fmt: skip
    return _spoilt(draw, whole, 0.15)


@cache
def _meanings() -> Any:
    return meanings([RoleMeaning(code="R8000", role="clinician", from_day=dt.date(2020, 1, 1))])


def _people(claims: Any) -> None:
    subject, name = subject_of(claims), name_of(claims)
    assert subject is None or subject
    assert 0 < len(name) <= 120
    for seat in seats_from(claims, _meanings(), NOON.date()):
        assert ORGANISATION_CODE.fullmatch(seat.organisation)
        assert seat.role is Role.CLINICIAN


# --- commissioners' files -------------------------------------------------------------------------


def _terms(read: Callable[[str], list[dict[str, Any]]]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        assert len(read(text)) <= term_rows.MOST_ROWS

    return run


_CONTRACTS: Final = b"""provider,drug,basis,from,to,demonstration,source
DEMO1,adalimumab,pass-through,2026-04-01,2027-03-31,true,A contract
DEMO1,*,block,2026-04-01,,true,A contract
"""
_PAYERS: Final = b"""drug,among,responsible,from,to,demonstration,source
adalimumab,DEMQ1;DEMQ2,DEMQ1,2026-04-01,,true,A rule
"""
_PRICES: Final = (
    ",".join(term_rows.PRICE_COLUMNS)
    + "\nDEMO1,adalimumab,,imraldi,40mg,CM/1,pen,316.93,2026-04-01,,30,1,5,true,A list\n"
).encode()
_SUPPLIES: Final = b"""kind,provider,drug,amount,from,to,demonstration,source
home delivery,DEMO1,adalimumab,25.00,2026-04-01,,true,A contract
fee days,DEMO1,*,7,2026-04-01,,true,A contract
last deliveries after a stop,DEMO1,,14,2026-04-01,,true,A contract
"""
_CALENDAR: Final = b"""financial_year,financial_month,submission,flex,freeze,challenge_by,source
202627,3,2026-07-15,2026-08-15,2026-09-15,2026-10-01,A calendar
2026/27,April,,,,,A calendar
"""
_FIGURES: Final = (
    b"provider,commissioner,financial_year,financial_month,amount,source\n"
    b'DEMO1,DEMQ1,202627,3,"1,234.56",A data set\n'
)


# --- lines as they are kept, and attached files ---------------------------------------------------


def _columns(data: bytes) -> None:
    """Read by column, as it is kept, a file says what it says read row by row."""
    kept = read_file(data, "file.csv")
    try:
        told = read_submission(data, "file.csv")
    except UnreadableSubmission:
        raise AssertionError("read by column only") from None
    assert (kept.lines, kept.skipped) == (told.lines, told.skipped), "a row is read otherwise"
    assert io.BytesIO(kept.as_rows or b"").getvalue()[:4] == b"PAR1"


_ATTACHED: Final = (
    b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n",
    b"\x89PNG\r\n\x1a\n0000IEND\xaeB`\x82",
    b"\xff\xd8\xff\xe0JFIF\xff\xd9",
)


def _attachment(draw: random.Random) -> str:
    data = files(_ATTACHED)(draw)
    content = base64.b64encode(data).decode()
    body = {"title": "A letter", "shared": False, "content": content}
    if draw.random() < 0.3:
        body["content"] = spoil(draw, [content])
    return json.dumps(body)


def _attached(text: str) -> None:
    data = base64.b64decode(AttachmentBody.model_validate_json(text).content, validate=True)
    kind = kind_of(data)
    assert kind is None or kind in ENDINGS


#: Seeds by the target that they are of.
GOOD: Final = {
    "contract terms": _CONTRACTS,
    "who pays": _PAYERS,
    "agreed prices": _PRICES,
    "supply terms": _SUPPLIES,
    "calendar": _CALENDAR,
    "stated totals": _FIGURES,
}


def targets() -> tuple[Target, ...]:
    """Every one of them."""
    submission = [(ROOT / "examples" / "submission.csv").read_bytes()[:6000]]
    terms, setting = (TermsNotAccepted,), (SettingNotAccepted, UnreadableSubmission)
    return (
        Target("key set of a client", _key_set, _by_key_set, (AssertionRefused,)),
        Target("logout token", _logout, _signed_out, (ProviderRefused,), 0.3),
        Target("claims of a person", _claims, _people),
        Target("contract terms", files([_CONTRACTS]), _terms(term_rows.read_contracts), terms, 0.5),
        Target("who pays", files([_PAYERS]), _terms(term_rows.read_payers), terms, 0.5),
        Target("agreed prices", files([_PRICES]), _terms(term_rows.read_prices), terms, 0.5),
        Target("supply terms", files([_SUPPLIES]), _terms(term_rows.read_supplies), terms, 0.5),
        Target("calendar", files([_CALENDAR]), read_calendar, setting, 0.5),
        Target("stated totals", files([_FIGURES]), lambda data: read_figures(data, _as_it_is),
               setting, 0.5),
        Target("submission, by column", files(submission), _columns, (UnreadableSubmission,), 0.1),
        Target("attached file", _attachment, _attached, (ValidationError, DetailsNotAccepted)),
        Target("kind of a file", files(_ATTACHED), kind_of),
    )  # fmt: skip


def _as_it_is(code: str, _on: dt.date | None) -> str:
    return code
