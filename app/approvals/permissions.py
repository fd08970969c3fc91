"""Who may do what: one table of action × role × the caller's relation to the object.

`check_can` raises with the reason; `can` wraps it. What a caller may *see* is decided by scope in
the store (an object of another organisation is not found), and a step is its own organisation's
(`check_acts_for`): a test calls every route in every role and relation and holds both to the table.
`docs/assurance/permissions.md` is printed from it.
"""

from enum import StrEnum
from typing import Final

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
    ATTACH = "attach files to a request"
    AUTHORISE = "authorise a request as trust pharmacist"
    CONSENT = "consent to a transfer"
    RECORD_START = "record that a treatment started"
    RECORD_NOT_STARTED = "record that a treatment never started"
    LINK_PATIENTS = "link patient records"
    RECORD_OBJECTION = "record a patient's objection to being shown"
    RECORD_DEATH = "record a patient's death"
    DECIDE_AS_PANEL = "decide as the panel"
    FUND = "record an individual funding or group approval"
    RESOLVE_QUERY = "resolve a query on an approval"
    READ = "read requests, treatments and approvals"
    READ_AUDIT = "read the audit trail"
    DECLARE_CARE = "declare a care relationship"
    IMPORT = "import existing approvals"
    REPORT = "read reports of requests"
    RECONCILE = "upload and reconcile submissions"
    CHECK_SUPPLY = "check supplies before they are invoiced"
    CHALLENGE = "challenge lines, and decide on the answers"
    ANSWER_CHALLENGE = "answer a challenge"
    READ_CHALLENGES = "read challenges"
    DECIDE_LINE = "match a line to an approval by hand"
    OVERRIDE_LINE = "accept or query a line by hand"
    PROPOSE_LINKS = "have approvals proposed for lines without a usable NHS number, or refuse them"
    KEEP_TERMS = "review drug names and keep contract terms"
    KEEP_CALENDAR = "keep the contract calendar, stated totals and empty months"
    SEE_IDENTIFIERS = "see who a patient is, for validating invoices"
    REPORT_IDENTIFIERS = "read how often identifiers were shown"
    READ_OVERVIEW = "read the overview of what one's organisation pays for"
    BREAK_GLASS = "open what other providers hold of a patient, for their safety"
    REPORT_BREAK_GLASS = "read who opened records by break-glass"
    END_BREAK_GLASS = "end break-glass access of one's own, or as auditor another's"
    READ_MINUTES = "read the minutes of a panel's decisions"
    REMIND = "be reminded by e-mail of what waits for one's role"
    ADMINISTER = "administer people, systems and settings"
    WRITE_POLICY = "write, check and publish policies"
    ADOPT = "adopt a policy version for one's organisation"
    HAND_OVER = "hand a drug's treatments to another commissioner"
    REPLAY = "replay one's organisation's requests under another policy version"


class Relation(StrEnum):
    """What a caller's organisation has to do with the object that an action is about."""

    OWN_PROVIDER = "own provider"  # it prescribes the treatment, or made the request
    PAYING_COMMISSIONER = "paying commissioner"
    PANEL_ASKED = "panel asked"
    RECEIVING_PROVIDER = "receiving provider"  # asked to consent to a transfer
    FORMER_PROVIDER = "former provider"  # handed the treatment over: sees its own part
    SUPPLYING_PROVIDER = "supplying provider"  # supplies the drug for another: sees that part
    NOBODY = "nobody"  # no part in it, or the action is about no object of anybody's yet


Relations = frozenset[Relation]
_R = Relation
_OWN = frozenset({_R.OWN_PROVIDER})
_PAYER = frozenset({_R.PAYING_COMMISSIONER})
_NO_OBJECT = frozenset({_R.NOBODY})
_SEEN = frozenset({_R.OWN_PROVIDER, _R.RECEIVING_PROVIDER, _R.FORMER_PROVIDER})
_SUPPLIER = frozenset({_R.SUPPLYING_PROVIDER})
_AUDITED = frozenset({_R.OWN_PROVIDER, _R.FORMER_PROVIDER, _R.PAYING_COMMISSIONER})
_CARE_TEAM = frozenset({Role.CLINICIAN, Role.DELEGATE, Role.PHARMACIST})
_SENIOR = frozenset({Role.CLINICIAN, Role.PHARMACIST})
#: Roles that belong to a commissioner and see what it pays for.
PAYER_ROLES = frozenset({Role.COMMISSIONER, Role.INVOICE_VALIDATION})


def _each(roles: frozenset[Role], relations: frozenset[Relation]) -> dict[Role, Relations]:
    return dict.fromkeys(roles, relations)


#: Action → role → the relations in which that role may do it. What is not here is refused.
TABLE: Final[dict[Action, dict[Role, Relations]]] = {
    Action.CHECK: _each(_CARE_TEAM, _OWN | _NO_OBJECT),
    Action.PREPARE: _each(_CARE_TEAM, _OWN | _NO_OBJECT),
    Action.SUBMIT: {Role.CLINICIAN: _OWN | _NO_OBJECT},
    Action.AMEND: {Role.CLINICIAN: _OWN},
    Action.WITHDRAW: _each(_SENIOR, _OWN),
    Action.ESCALATE: {Role.CLINICIAN: _OWN},
    Action.CORRECT: {Role.CLINICIAN: _OWN},
    Action.ATTACH: _each(_CARE_TEAM, _OWN),
    Action.AUTHORISE: {Role.PHARMACIST: _OWN},
    Action.CONSENT: _each(_SENIOR, frozenset({_R.RECEIVING_PROVIDER})),
    Action.RECORD_START: _each(_CARE_TEAM, _OWN | _SUPPLIER),
    Action.RECORD_NOT_STARTED: _each(_CARE_TEAM, _OWN),
    Action.LINK_PATIENTS: _each(_SENIOR, _OWN),
    Action.RECORD_OBJECTION: _each(_CARE_TEAM, _OWN),
    Action.RECORD_DEATH: _each(_CARE_TEAM, _OWN),
    Action.DECIDE_AS_PANEL: {
        Role.PANEL_MEMBER: frozenset({_R.PANEL_ASKED}),
        Role.COMMISSIONER: _PAYER,  # where the request names no panel
    },
    Action.FUND: {Role.COMMISSIONER: _PAYER},
    Action.RESOLVE_QUERY: {Role.COMMISSIONER: _PAYER},
    Action.READ: {
        **_each(_CARE_TEAM, _SEEN | _SUPPLIER),
        Role.PANEL_MEMBER: frozenset({_R.PANEL_ASKED}),
        **_each(PAYER_ROLES, _PAYER),
        Role.AUDITOR: _AUDITED,
    },
    Action.READ_AUDIT: {
        Role.PHARMACIST: _SEEN,
        Role.COMMISSIONER: _PAYER,
        Role.AUDITOR: _AUDITED,
    },
    Action.DECLARE_CARE: _each(_SENIOR, _NO_OBJECT),
    Action.IMPORT: _each(frozenset({Role.PHARMACIST, Role.COMMISSIONER}), _NO_OBJECT),
    Action.REPORT: {
        **_each(_SENIOR, _SEEN),
        Role.COMMISSIONER: _PAYER,
        Role.AUDITOR: _AUDITED,
    },
    Action.RECONCILE: _each(
        frozenset({Role.PHARMACIST, Role.COMMISSIONER, Role.INVOICE_VALIDATION}), _NO_OBJECT
    ),
    Action.CHECK_SUPPLY: _each(_CARE_TEAM, _NO_OBJECT),
    Action.CHALLENGE: {Role.COMMISSIONER: _PAYER},
    Action.ANSWER_CHALLENGE: {Role.PHARMACIST: _OWN},
    Action.READ_CHALLENGES: {Role.PHARMACIST: _OWN, **_each(PAYER_ROLES, _PAYER)},
    Action.DECIDE_LINE: _each(PAYER_ROLES, _PAYER),
    Action.OVERRIDE_LINE: {Role.COMMISSIONER: _PAYER},
    Action.PROPOSE_LINKS: _each(
        frozenset({Role.PHARMACIST, Role.COMMISSIONER, Role.INVOICE_VALIDATION}), _NO_OBJECT
    ),
    Action.KEEP_TERMS: {Role.COMMISSIONER: _NO_OBJECT},
    Action.KEEP_CALENDAR: _each(frozenset({Role.PHARMACIST, Role.COMMISSIONER}), _NO_OBJECT),
    Action.SEE_IDENTIFIERS: {Role.INVOICE_VALIDATION: _PAYER},
    Action.REPORT_IDENTIFIERS: {Role.COMMISSIONER: _PAYER, Role.AUDITOR: _AUDITED},
    Action.READ_OVERVIEW: {Role.COMMISSIONER: _PAYER, Role.AUDITOR: _PAYER},
    # Of any provider, on records of others: what it opens is read only, and for a time.
    Action.BREAK_GLASS: _each(_SENIOR, _NO_OBJECT),
    Action.REPORT_BREAK_GLASS: {Role.AUDITOR: _OWN},
    Action.END_BREAK_GLASS: {**_each(_SENIOR, _NO_OBJECT), Role.AUDITOR: _OWN},
    Action.READ_MINUTES: {
        Role.PANEL_MEMBER: frozenset({_R.PANEL_ASKED}),
        Role.COMMISSIONER: _PAYER,
        Role.AUDITOR: _AUDITED,
    },
    Action.REMIND: _each(_CARE_TEAM | {Role.PANEL_MEMBER, Role.COMMISSIONER}, _NO_OBJECT),
    Action.ADMINISTER: {Role.ADMINISTRATOR: _NO_OBJECT},
    Action.WRITE_POLICY: {Role.POLICY_AUTHOR: _NO_OBJECT},
    Action.ADOPT: {Role.COMMISSIONER: _NO_OBJECT},
    Action.HAND_OVER: {Role.COMMISSIONER: _NO_OBJECT},
    # An author sees what would change in counts only, and no request.
    Action.REPLAY: {
        Role.POLICY_AUTHOR: _NO_OBJECT,
        Role.COMMISSIONER: _PAYER,
        Role.PHARMACIST: _OWN,
    },
}
ROLES: Final[dict[Action, frozenset[Role]]] = {
    action: frozenset(by_role) for action, by_role in TABLE.items()
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
    Action.ATTACH: "requests",
    Action.AUTHORISE: "requests",
    Action.CONSENT: "requests",
    Action.RECORD_START: "requests",
    Action.RECORD_NOT_STARTED: "requests",
    Action.LINK_PATIENTS: "requests",
    Action.RECORD_OBJECTION: "requests",
    Action.RECORD_DEATH: "requests",
    Action.DECIDE_AS_PANEL: "decide",
    Action.FUND: "decide",
    Action.RESOLVE_QUERY: "decide",
    Action.READ: "read",
    Action.READ_AUDIT: "audit",
    Action.REPORT: "read",
    Action.IMPORT: "import",
    Action.RECONCILE: "reconcile",
    Action.CHECK_SUPPLY: "check",
    Action.CHALLENGE: "reconcile",
    Action.ANSWER_CHALLENGE: "reconcile",
    Action.READ_CHALLENGES: "reconcile",
    Action.DECIDE_LINE: "reconcile",
    Action.OVERRIDE_LINE: "reconcile",
    Action.PROPOSE_LINKS: "reconcile",
    Action.KEEP_TERMS: "reconcile",
    Action.KEEP_CALENDAR: "reconcile",
    Action.SEE_IDENTIFIERS: "identifiers",
    Action.REPORT_IDENTIFIERS: "audit",
    Action.READ_OVERVIEW: "read",
    Action.BREAK_GLASS: "break-glass",
    Action.REPORT_BREAK_GLASS: "audit",
    Action.END_BREAK_GLASS: "break-glass",
    Action.READ_MINUTES: "read",
    Action.REMIND: "read",
    Action.ADMINISTER: "administer",
    Action.WRITE_POLICY: "administer",
    Action.ADOPT: "decide",
    Action.HAND_OVER: "decide",
    Action.REPLAY: "read",
}

#: Roles that see no patient's record at all.
WITHOUT_PATIENTS = frozenset({Role.POLICY_AUTHOR, Role.ADMINISTRATOR})
#: Roles that belong to a hospital provider, and may act only on its own treatments.
PROVIDER_ROLES = _CARE_TEAM


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
