"""Frozen types of the auth room."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from app.audit.model import Actor

CallerKind = Literal["person", "system"]


class Role(StrEnum):
    """What somebody is at their organisation; one table says what each may do."""

    CLINICIAN = "clinician"
    DELEGATE = "delegate"
    PHARMACIST = "pharmacist"
    PANEL_MEMBER = "panel member"
    COMMISSIONER = "commissioner"
    INVOICE_VALIDATION = "invoice validation"
    POLICY_AUTHOR = "policy author"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, for which organisation, through which client, in which conversation.

    `client` names the credential that the call came with: over the API, the token's own id. It
    is part of the idempotency key, so that no client reads another's answers.
    """

    id: str
    name: str
    kind: CallerKind
    organisation: str
    role: Role
    client: str
    correlation_id: str
    scopes: frozenset[str] | None = None  # None: all that the role may do

    def actor(self) -> Actor:
        """The caller as the audit log names it."""
        return Actor(
            id=self.id,
            kind=self.kind,
            organisation=self.organisation,
            role=self.role.value,
            client=self.client,
            correlation_id=self.correlation_id,
        )
