"""What a system's token may be used for: each scope is a part of what its role may do."""

from typing import Final

#: Scope → what it opens, in words for the API's description.
SCOPES: Final[dict[str, str]] = {
    "check": "check a form, or whether an approval exists, without submitting",
    "requests": "submit requests and take the trust's steps on them",
    "read": "read requests, treatments and approvals, and follow changes",
    "decide": "take a panel's or a commissioner's steps",
    "reconcile": "upload and reconcile submissions",
    "import": "bring existing approvals in",
    "audit": "read audit trails, and how often identifiers were shown",
    "break-glass": "open what other providers hold of a patient, for their safety",
    "administer": "administer an organisation's people, systems and settings",
    "identifiers": "see who a patient is, with a reason, for validating invoices",
}
