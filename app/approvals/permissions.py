"""Who may do what: one table of action × role, and the caller's relation to the object.

`check_can` raises with the reason; `can` wraps it. What a caller may *see* is decided by scope in
the store (an object of another organisation is not found); this table says what they may *do*.
"""

from enum import StrEnum

from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role


class Action(StrEnum):
    CHECK = "check a form without submitting it"
    PREPARE = "prepare a form for a clinician to submit"
    SUBMIT = "submit a request"
    AMEND = "amend a request"
    WITHDRAW = "withdraw a request"
    ESCALATE = "send a request to the panel"
    CORRECT = "correct a request"
    AUTHORISE = "authorise a request as trust pharmacist"
    CONSENT = "consent to a transfer"
    RECORD_START = "record that a treatment started or did not"
    LINK_PATIENTS = "link patient records"
    DECIDE_AS_PANEL = "decide as the panel"
    FUND = "record an individual funding or group approval"
    RESOLVE_QUERY = "resolve a query on an approval"
    READ = "read requests, treatments and approvals"
    READ_AUDIT = "read the audit trail"
    DECLARE_CARE = "declare a care relationship"
    IMPORT = "import existing approvals"
    REPORT = "read reports of requests"
    RECONCILE = "upload and reconcile submissions"
    SEE_IDENTIFIERS = "see who a patient is, for validating invoices"
    REPORT_IDENTIFIERS = "read how often identifiers were shown"


_CARE_TEAM = frozenset({Role.CLINICIAN, Role.DELEGATE, Role.PHARMACIST})
_PRESCRIBERS = frozenset({Role.CLINICIAN})
_READERS = frozenset(Role) - {Role.POLICY_AUTHOR}

ROLES: dict[Action, frozenset[Role]] = {
    Action.CHECK: _CARE_TEAM,
    Action.PREPARE: _CARE_TEAM,
    Action.SUBMIT: _PRESCRIBERS,
    Action.AMEND: _PRESCRIBERS,
    Action.WITHDRAW: frozenset({Role.CLINICIAN, Role.PHARMACIST}),
    Action.ESCALATE: _PRESCRIBERS,
    Action.CORRECT: _PRESCRIBERS,
    Action.AUTHORISE: frozenset({Role.PHARMACIST}),
    Action.CONSENT: frozenset({Role.CLINICIAN, Role.PHARMACIST}),
    Action.RECORD_START: _CARE_TEAM,
    Action.LINK_PATIENTS: frozenset({Role.CLINICIAN, Role.PHARMACIST}),
    Action.DECIDE_AS_PANEL: frozenset({Role.PANEL_MEMBER, Role.COMMISSIONER}),
    Action.FUND: frozenset({Role.COMMISSIONER}),
    Action.RESOLVE_QUERY: frozenset({Role.COMMISSIONER}),
    Action.READ: _READERS,
    Action.READ_AUDIT: frozenset({Role.AUDITOR, Role.COMMISSIONER, Role.PHARMACIST}),
    Action.DECLARE_CARE: frozenset({Role.CLINICIAN, Role.PHARMACIST}),
    Action.IMPORT: frozenset({Role.PHARMACIST, Role.COMMISSIONER}),
    Action.REPORT: frozenset({Role.CLINICIAN, Role.PHARMACIST, Role.COMMISSIONER, Role.AUDITOR}),
    Action.RECONCILE: frozenset({Role.PHARMACIST, Role.COMMISSIONER, Role.INVOICE_VALIDATION}),
    Action.SEE_IDENTIFIERS: frozenset({Role.INVOICE_VALIDATION}),
    Action.REPORT_IDENTIFIERS: frozenset({Role.COMMISSIONER, Role.AUDITOR}),
}

#: The scope that a system's token needs for each action, besides its role.
SCOPE_OF: dict[Action, str] = {
    Action.CHECK: "check",
    Action.DECLARE_CARE: "check",
    Action.PREPARE: "requests",
    Action.SUBMIT: "requests",
    Action.AMEND: "requests",
    Action.WITHDRAW: "requests",
    Action.ESCALATE: "requests",
    Action.CORRECT: "requests",
    Action.AUTHORISE: "requests",
    Action.CONSENT: "requests",
    Action.RECORD_START: "requests",
    Action.LINK_PATIENTS: "requests",
    Action.DECIDE_AS_PANEL: "decide",
    Action.FUND: "decide",
    Action.RESOLVE_QUERY: "decide",
    Action.READ: "read",
    Action.REPORT: "read",
    Action.READ_AUDIT: "audit",
    Action.IMPORT: "import",
    Action.RECONCILE: "reconcile",
    Action.SEE_IDENTIFIERS: "identifiers",
    Action.REPORT_IDENTIFIERS: "audit",
}

#: Roles that belong to a hospital provider, and may act only on its own treatments.
PROVIDER_ROLES = _CARE_TEAM
#: Roles that belong to a commissioner and see what it pays for.
PAYER_ROLES = frozenset({Role.COMMISSIONER, Role.INVOICE_VALIDATION})


def may_see_price(caller: Caller, provider: str, commissioner: str) -> bool:
    """Whether the reader is of the two who agreed a price: who pays it, and who was given it."""
    return caller.organisation in (provider, commissioner)


def check_can(caller: Caller, action: Action) -> None:
    """Raise NotAllowed unless the caller's role, and its token, may do the action at all."""
    if caller.scopes is not None and SCOPE_OF[action] not in caller.scopes:
        raise NotAllowed(
            action.value,
            f"the token lacks the scope '{SCOPE_OF[action]}'",
            "Ask for a token with that scope, if your client has it.",
        )
    if caller.role not in ROLES[action]:
        allowed = ", ".join(sorted(ROLES[action]))
        raise NotAllowed(
            action.value,
            f"the role '{caller.role}' may not do it",
            f"Ask somebody of your organisation with the role {allowed}.",
        )


def check_acts_for(caller: Caller, action: Action, organisation: str | None) -> None:
    """Raise NotAllowed unless the caller may do the action and belongs to the organisation."""
    check_can(caller, action)
    if caller.organisation != organisation:
        raise NotAllowed(
            action.value,
            "that step belongs to another organisation",
            "Ask that organisation to take it.",
        )


def can(caller: Caller, action: Action) -> bool:
    """Whether the caller's role may do the action at all."""
    try:
        check_can(caller, action)
    except NotAllowed:
        return False
    return True
