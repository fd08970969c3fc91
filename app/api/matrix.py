"""Every route of the service with the actions that open it, as the assurance page prints it.

A route that is not here fails the build: `tests/functional/approvals/test_permission_matrix.py`.
"""

from typing import Final

from app.api.matrix_pages import ANY_ROLE, ANYBODY, PAGE_ROUTES
from app.approvals.permissions import SCOPE_OF, TABLE, Action, Relation
from app.auth.model import Role

ASSERTION: Final = "a registered system, with an assertion that it signed"

_A = Action
#: Method and path → the action, or the words above.
ROUTES: Final[dict[str, Action | str]] = {
    "GET /openapi.json": ANYBODY,
    "GET /livez": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /metrics": ANYBODY,
    "POST /oauth2/token": ASSERTION,
    "GET /v1/policies": ANY_ROLE,
    "GET /v1/policies/{policy}": ANY_ROLE,
    "GET /v1/policies/{policy}/versions/{version}": ANY_ROLE,
    "GET /v1/policies/{policy}/versions/{version}/questions": ANY_ROLE,
    "GET /v1/policies/{policy}/versions/{version}/text": ANY_ROLE,
    "GET /v1/policies/{policy}/adoptions": ANY_ROLE,
    "GET /v1/adoption-proposals": _A.ADOPT,
    "POST /v1/adoption-proposals": _A.ADOPT,
    "GET /v1/adoption-proposals/{id}": _A.ADOPT,
    "POST /v1/adoption-proposals/{id}/confirm": _A.ADOPT,
    "POST /v1/adoption-proposals/{id}/decline": _A.ADOPT,
    "GET /v1/hand-overs": _A.HAND_OVER,
    "GET /v1/hand-over-proposals": _A.HAND_OVER,
    "POST /v1/hand-over-proposals": _A.HAND_OVER,
    "GET /v1/hand-over-proposals/{id}": _A.HAND_OVER,
    "POST /v1/hand-over-proposals/{id}/confirm": _A.HAND_OVER,
    "POST /v1/hand-over-proposals/{id}/decline": _A.HAND_OVER,
    "GET /v1/approval-needs": ANY_ROLE,
    "POST /v1/checks": _A.CHECK,
    "POST /v1/treatments/{id}/checks": _A.CHECK,
    "POST /v1/known-answers": _A.CHECK,
    "POST /v1/approval-existence": _A.DECLARE_CARE,
    "POST /v1/treatment-claims": _A.DECLARE_CARE,
    "POST /v1/break-glass": _A.BREAK_GLASS,
    "GET /v1/break-glass/{id}/record": _A.BREAK_GLASS,
    "POST /v1/break-glass/{id}/end": _A.END_BREAK_GLASS,
    "GET /v1/reports/break-glass": _A.REPORT_BREAK_GLASS,
    "POST /v1/drafts": _A.PREPARE,
    "GET /v1/drafts": _A.PREPARE,
    "GET /v1/drafts/{id}": _A.PREPARE,
    "POST /v1/drafts/{id}/change": _A.PREPARE,
    "POST /v1/drafts/{id}/discard": _A.PREPARE,
    "POST /v1/drafts/{id}/submit": _A.SUBMIT,
    "POST /v1/requests": _A.SUBMIT,
    "POST /v1/treatments/{id}/requests": _A.SUBMIT,
    "GET /v1/requests/{id}": _A.READ,
    "GET /v1/treatments/{id}": _A.READ,
    "GET /v1/treatments/{id}/timeline": _A.READ,
    "GET /v1/approvals/{reference}": _A.READ,
    "POST /v1/searches": _A.READ,
    "GET /v1/changes": _A.READ,
    "GET /v1/requests/{id}/attachments": _A.READ,
    "POST /v1/requests/{id}/attachments": _A.ATTACH,
    "GET /v1/requests/{id}/attachments/{attachment}": _A.READ,
    "POST /v1/requests/{id}/attachments/{attachment}/remove": _A.ATTACH,
    "GET /v1/requests/{id}/audit": _A.READ_AUDIT,
    "GET /v1/reports/overrides": _A.REPORT,
    "GET /v1/reports/best-value": _A.REPORT,
    "GET /v1/reports/identifier-access": _A.REPORT_IDENTIFIERS,
    "POST /v1/treatments/{id}/identifiers": _A.SEE_IDENTIFIERS,
    "POST /v1/runs/{run}/identified-file": _A.SEE_IDENTIFIERS,
    "POST /v1/requests/{id}/amend": _A.AMEND,
    "POST /v1/requests/{id}/withdraw": _A.WITHDRAW,
    "POST /v1/requests/{id}/escalate": _A.ESCALATE,
    "POST /v1/requests/{id}/correct": _A.CORRECT,
    "POST /v1/requests/{id}/enter-in-error": _A.CORRECT,
    "POST /v1/requests/{id}/authorise": _A.AUTHORISE,
    "POST /v1/requests/{id}/refuse-authorisation": _A.AUTHORISE,
    "POST /v1/requests/{id}/panel-approve": _A.DECIDE_AS_PANEL,
    "POST /v1/requests/{id}/panel-decline": _A.DECIDE_AS_PANEL,
    "POST /v1/requests/{id}/panel-overturn": _A.DECIDE_AS_PANEL,
    "POST /v1/requests/{id}/panel-return": _A.DECIDE_AS_PANEL,
    "POST /v1/requests/{id}/declare-interest": _A.DECIDE_AS_PANEL,
    "POST /v1/requests/{id}/fund": _A.FUND,
    "POST /v1/requests/{id}/refuse-funding": _A.FUND,
    "POST /v1/requests/{id}/consent": _A.CONSENT,
    "POST /v1/requests/{id}/refuse-consent": _A.CONSENT,
    "POST /v1/treatments/{id}/first-dose": _A.RECORD_START,
    "POST /v1/treatments/{id}/not-started": _A.RECORD_NOT_STARTED,
    "POST /v1/approvals/{reference}/uphold": _A.RESOLVE_QUERY,
    "POST /v1/approvals/{reference}/withdraw": _A.RESOLVE_QUERY,
    "POST /v1/approvals/{reference}/confirm-error": _A.RESOLVE_QUERY,
    "POST /v1/patients/{id}/links": _A.LINK_PATIENTS,
    "POST /v1/patients/{id}/unlink": _A.LINK_PATIENTS,
    "POST /v1/patients/{id}/objection": _A.RECORD_OBJECTION,
    "POST /v1/patients/{id}/objection/withdraw": _A.RECORD_OBJECTION,
    "POST /v1/patients/{id}/death": _A.RECORD_DEATH,
    "POST /v1/patients/{id}/death/take-back": _A.RECORD_DEATH,
    "POST /v1/imports": _A.IMPORT,
    "GET /v1/imports/{id}": _A.IMPORT,
    "POST /v1/imports/{id}/accept": _A.IMPORT,
    "POST /v1/imports/{id}/discard": _A.IMPORT,
    "GET /v1/administration/people": _A.ADMINISTER,
    "POST /v1/administration/people/{id}/withdraw-role": _A.ADMINISTER,
    "POST /v1/administration/people/{id}/end-sessions": _A.ADMINISTER,
    "GET /v1/administration/clients": _A.ADMINISTER,
    "POST /v1/administration/clients/{id}/remove-key": _A.ADMINISTER,
    "POST /v1/administration/clients/{id}/revoke": _A.ADMINISTER,
    "GET /v1/administration/callers": _A.ADMINISTER,
    "POST /v1/administration/callers/{id}/revoke": _A.ADMINISTER,
    "GET /v1/administration/settings": _A.ADMINISTER,
    "GET /v1/administration/proposals": _A.ADMINISTER,
    "POST /v1/administration/proposals": _A.ADMINISTER,
    "POST /v1/administration/proposals/{id}/confirm": _A.ADMINISTER,
    "POST /v1/administration/proposals/{id}/decline": _A.ADMINISTER,
    "POST /v1/submissions": _A.RECONCILE,
    "GET /v1/submissions": _A.RECONCILE,
    "POST /v1/submission-previews": _A.RECONCILE,
    "GET /v1/slices": _A.RECONCILE,
    "GET /v1/slice-deltas": _A.RECONCILE,
    "GET /v1/slice-deltas/export": _A.RECONCILE,
    "GET /v1/calendar": _A.RECONCILE,
    "POST /v1/calendar": _A.KEEP_CALENDAR,
    "GET /v1/stated-totals": _A.RECONCILE,
    "POST /v1/stated-totals": _A.KEEP_CALENDAR,
    "POST /v1/empty-month-previews": _A.KEEP_CALENDAR,
    "POST /v1/empty-months": _A.KEEP_CALENDAR,
    "GET /v1/submissions/{submission}": _A.RECONCILE,
    "GET /v1/jobs/{job}": _A.RECONCILE,
    "GET /v1/runs/{run}": _A.RECONCILE,
    "GET /v1/runs/{run}/lines": _A.RECONCILE,
    "GET /v1/runs/{run}/summary.txt": _A.RECONCILE,
    "GET /v1/runs/{run}/summary.csv": _A.RECONCILE,
    "GET /v1/runs/{run}/file": _A.RECONCILE,
    "GET /v1/unknown-drug-names": _A.KEEP_TERMS,
    "GET /v1/drug-names": _A.KEEP_TERMS,
    "POST /v1/drug-names": _A.KEEP_TERMS,
    "POST /v1/drug-names/{id}/accept": _A.KEEP_TERMS,
    "POST /v1/drug-names/{id}/withdraw": _A.KEEP_TERMS,
    "GET /v1/contract-terms": _A.KEEP_TERMS,
    "POST /v1/contract-terms": _A.KEEP_TERMS,
    "GET /v1/agreed-prices": _A.KEEP_TERMS,
    "POST /v1/agreed-prices": _A.KEEP_TERMS,
    "GET /v1/supply-terms": _A.KEEP_TERMS,
    "POST /v1/supply-terms": _A.KEEP_TERMS,
    "GET /v1/responsible-commissioners": _A.KEEP_TERMS,
    "POST /v1/responsible-commissioners": _A.KEEP_TERMS,
    "GET /v1/worklists/{name}": _A.RECONCILE,
    "POST /v1/supply-checks": _A.CHECK_SUPPLY,
    "POST /v1/submission-checks": _A.CHECK_SUPPLY,
    "GET /v1/runs/{run}/export": _A.RECONCILE,
    "POST /v1/runs/{run}/exports": _A.RECONCILE,
    "GET /v1/runs/{run}/lines/{row}": _A.RECONCILE,
    "POST /v1/runs/{run}/lines/{row}/match": _A.DECIDE_LINE,
    "POST /v1/runs/{run}/lines/{row}/override": _A.OVERRIDE_LINE,
    "GET /v1/line-decisions": _A.DECIDE_LINE,
    "POST /v1/line-decisions/{id}/undo": _A.DECIDE_LINE,
    "POST /v1/runs/{run}/linkage-proposals": _A.PROPOSE_LINKS,
    "GET /v1/runs/{run}/linkage-proposals": _A.PROPOSE_LINKS,
    "POST /v1/linkage-proposals/{id}/accept": _A.DECIDE_LINE,
    "POST /v1/linkage-proposals/{id}/refuse": _A.PROPOSE_LINKS,
    "POST /v1/challenges": _A.CHALLENGE,
    "GET /v1/challenges": _A.READ_CHALLENGES,
    "GET /v1/challenges/{id}": _A.READ_CHALLENGES,
    "POST /v1/challenges/{id}/raise": _A.CHALLENGE,
    "POST /v1/challenges/{id}/answer": _A.ANSWER_CHALLENGE,
    "POST /v1/challenges/{id}/uphold": _A.CHALLENGE,
    "POST /v1/challenges/{id}/withdraw": _A.CHALLENGE,
    "POST /v1/challenges/{id}/credit": _A.CHALLENGE,
    **PAGE_ROUTES,
}

_HEAD: Final = """\
# Who may do what

Printed from `app/approvals/permissions.py` and `app/api/matrix.py`; do not edit. A test fails when
it is stale: write `app.api.matrix.page()` to it.

The caller's **relation** to the object: *own provider* (prescribes it, or made the request),
*paying commissioner*, *panel asked*, *receiving provider* (asked to consent to a transfer), *former
provider* (handed it over; sees its own part), *supplying provider* (supplies the drug for another;
sees the approval, days, product and dose of that part, and no request), *nobody* (no part in it; in
a cell: the action is about no object of anybody's yet, such as a new form or the caller's own
file). A relation that no cell names may do nothing, and is told that the object is not found, or
that the step is another's. What a relation sees is the condition of every query
(`app/approvals/scope.py`) and, on PostgreSQL, row-level security.
"""


def page() -> str:
    """The table of permissions and the list of routes, as Markdown."""
    roles = list(Role)
    lines = [_HEAD, "## Actions", ""]
    lines += [f"| action | token scope | {' | '.join(roles)} |", "|---" * (len(roles) + 2) + "|"]
    for action, by_role in TABLE.items():
        cells = [_relations(by_role.get(role, frozenset())) for role in roles]
        lines.append(f"| {action.value} | {SCOPE_OF[action]} | {' | '.join(cells)} |")
    lines += ["", "## Routes", "", "| route | opened by |", "|---|---|"]
    lines += [f"| `{route}` | {opened} |" for route, opened in ROUTES.items()]
    return "\n".join([*lines, ""])


def _relations(found: frozenset[Relation]) -> str:
    return ", ".join(each.value for each in Relation if each in found)
