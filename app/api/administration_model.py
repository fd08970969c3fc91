"""Bodies and documents of administration."""

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from app.api.documents import Document
from app.api.fields import WORDS_PATTERN, Key, ObjectId, PlausibleDay, Reason
from app.api.listed import NEXT
from app.api.types import OrganisationCode
from app.approvals.errors import DetailsNotAccepted
from app.auth.assertions import from_pem, public_key

#: A test holds this to the roles of the permission table.
RoleName = Literal[
    "clinician",
    "delegate",
    "pharmacist",
    "panel member",
    "commissioner",
    "invoice validation",
    "policy author",
    "auditor",
    "administrator",
]
ScopeName = Annotated[str, Field(max_length=120, pattern=WORDS_PATTERN)]
Name = Annotated[str, Field(max_length=120, pattern=WORDS_PATTERN)]
Kid = Annotated[str, Field(pattern="^[A-Za-z0-9._:@/+=~-]{1,100}$", examples=["key-2026-11"])]
SettingValue = (
    bool
    | OrganisationCode
    | Annotated[list[Key], Field(max_length=500)]
    | Annotated[dict[Annotated[str, Field(max_length=80)], OrganisationCode], Field(max_length=500)]
)


class GrantBody(Document):
    """A role for a person at your organisation; panel membership is the role panel member."""

    act: Literal["grant role"]
    subject: Annotated[str, Field(pattern="^[A-Za-z0-9._:@/+=~-]{1,120}$")] = Field(
        description="Their id at the provider where people sign in", examples=["555012345678"]
    )
    name: Name = Field(description="As colleagues know them; kept if the person is new here")
    role: RoleName


class ClientBody(Document):
    """A system that is to call for your organisation alone. It signs in once it has a key."""

    act: Literal["register client"]
    name: Name
    role: RoleName
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=20)]


class Jwk(Document):
    """A public RSA key as JSON Web Key."""

    kty: Literal["RSA"]
    n: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,2048}$")]
    e: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,16}$")]


class KeyBody(Document):
    """A public key for a system of yours, beside those that it has: so keys rotate."""

    act: Literal["add client key"]
    client_id: ObjectId
    kid: Kid
    pem: Annotated[str, Field(max_length=10_000)] | None = Field(
        default=None, description="The public key in PEM; either this or jwk"
    )
    jwk: Jwk | None = None

    def public(self) -> dict[str, Any]:
        """The key as it is stored. Raises DetailsNotAccepted for one that cannot be used."""
        if (self.pem is None) is (self.jwk is None):
            raise DetailsNotAccepted("pem", "Send the key either as pem or as jwk.")
        field = "jwk" if self.pem is None else "pem"
        try:
            if self.pem is not None:
                return from_pem(self.pem)
            assert self.jwk is not None
            found = self.jwk.model_dump()
            public_key(found)
        except ValueError as error:
            why = str(error) or "its numbers make no RSA key"
            raise DetailsNotAccepted(field, f"The key cannot be used: {why}.") from None
        return found


class TieBody(Document):
    """Whose a token or a system of yours is: where two people must act, it counts as theirs."""

    act: Literal["tie credential"]
    credential: ObjectId = Field(description="A caller's or a client's id")
    person: ObjectId = Field(description="Somebody with a role granted here")


class SettingBody(Document):
    """A setting of your organisation from a day on, today or later."""

    act: Literal["change setting"]
    setting: Literal[
        "pharmacist_authorisation", "panel", "approval_not_required", "back_entry_covers"
    ]
    value: SettingValue
    from_day: PlausibleDay


AnyProposal = GrantBody | ClientBody | KeyBody | TieBody | SettingBody
ProposalBody = Annotated[AnyProposal, Field(discriminator="act")]


def content_of(body: AnyProposal) -> dict[str, Any]:
    """What a proposal keeps of its body."""
    if isinstance(body, KeyBody):
        return {"client_id": body.client_id, "kid": body.kid, "jwk": body.public()}
    found = body.model_dump(exclude={"act"})
    if isinstance(body, SettingBody):
        found["from_day"] = body.from_day.isoformat()
    return found


class ProposalDocument(Document):
    """An act that waits for a second administrator, or what became of it."""

    id: str
    act: str
    content: dict[str, Any]
    state: Literal["waiting", "confirmed", "declined"]
    proposed_at: AwareDatetime
    proposed_by: str
    decided_at: AwareDatetime | None
    decided_by: str | None
    made: str | None = Field(description="The id of what was made by it")


class ProposalList(Document):
    """Those that wait first, then the newest."""

    proposals: list[ProposalDocument]
    next: str | None = Field(description=NEXT)


class PersonDocument(Document):
    """Somebody who was granted a role here; roles that the provider names are not listed."""

    id: str
    subject: str
    name: str
    roles: list[str]


class PersonList(Document):
    """By name."""

    people: list[PersonDocument]


class ClientDocument(Document):
    """A system that acts for your organisation."""

    id: str
    name: str
    role: str
    organisations: list[str]
    scopes: list[str]
    keys: list[str] = Field(description="The ids of its keys in use")
    person: str | None = Field(description="The id of whom it acts for, where it is tied to one")
    jwks_url: str | None
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None


class ClientList(Document):
    """Newest first."""

    clients: list[ClientDocument]


class CallerDocument(Document):
    """Who may call with a long-lived token."""

    id: str
    name: str
    kind: str
    role: str
    person: str | None = Field(description="The id of whose it is, where it is tied to somebody")
    created_at: AwareDatetime


class CallerList(Document):
    """Newest first."""

    callers: list[CallerDocument]


class SettingsDocument(Document):
    """The organisation's settings as they hold today; null where one was never set."""

    on: dt.date
    settings: dict[str, Any]


class RoleBody(Document):
    """A role that was granted here."""

    role: RoleName


class EndBody(Document):
    """Why the sessions end; kept in the audit log."""

    reason: Reason


class KidBody(Document):
    """A key of a system, by its id."""

    kid: Kid


class DoneDocument(Document):
    """What was done."""

    done: str
    sessions_ended: int | None = None
