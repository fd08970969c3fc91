"""Who may do what, as a truth table; and what the caller's organisation has to do with it."""

from dataclasses import replace

import pytest

from app.approvals.permissions import SCOPE_OF, Action, can, check_acts_for, check_can
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.auth.scopes import SCOPES

COLUMNS = (
    Role.CLINICIAN,
    Role.DELEGATE,
    Role.PHARMACIST,
    Role.PANEL_MEMBER,
    Role.COMMISSIONER,
    Role.POLICY_AUTHOR,
    Role.AUDITOR,
    Role.INVOICE_VALIDATION,
    Role.ADMINISTRATOR,
)
#                               clin dele phar panl comm auth audi inva admi
TABLE: dict[Action, str] = {
    Action.CHECK: "            yes  yes  yes  no   no   no   no  no  no",
    Action.PREPARE: "          yes  yes  yes  no   no   no   no  no  no",
    Action.SUBMIT: "           yes  no   no   no   no   no   no  no  no",
    Action.AMEND: "            yes  no   no   no   no   no   no  no  no",
    Action.WITHDRAW: "         yes  no   yes  no   no   no   no  no  no",
    Action.ESCALATE: "         yes  no   no   no   no   no   no  no  no",
    Action.CORRECT: "          yes  no   no   no   no   no   no  no  no",
    Action.AUTHORISE: "        no   no   yes  no   no   no   no  no  no",
    Action.CONSENT: "          yes  no   yes  no   no   no   no  no  no",
    Action.RECORD_START: "     yes  yes  yes  no   no   no   no  no  no",
    Action.RECORD_NOT_STARTED: "yes  yes  yes  no   no   no   no  no  no",
    Action.LINK_PATIENTS: "    yes  no   yes  no   no   no   no  no  no",
    Action.RECORD_OBJECTION: " yes  yes  yes  no   no   no   no  no  no",
    Action.RECORD_DEATH: "     yes  yes  yes  no   no   no   no  no  no",
    Action.DECIDE_AS_PANEL: "  no   no   no   yes  yes  no   no  no  no",
    Action.FUND: "             no   no   no   no   yes  no   no  no  no",
    Action.RESOLVE_QUERY: "    no   no   no   no   yes  no   no  no  no",
    Action.READ: "             yes  yes  yes  yes  yes  no   yes  yes  no",
    Action.READ_AUDIT: "       no   no   yes  no   yes  no   yes  no  no",
    Action.REPORT: "           yes  no   yes  no   yes  no   yes  no  no",
    Action.DECLARE_CARE: "     yes  no   yes  no   no   no   no  no  no",
    Action.IMPORT: "           no   no   yes  no   yes  no   no  no  no",
    Action.SEE_IDENTIFIERS: "  no   no   no   no   no   no   no   yes  no",
    Action.REPORT_IDENTIFIERS: "no  no   no   no   yes  no   yes  no  no",
    Action.READ_OVERVIEW: "    no   no   no   no   yes  no   yes  no  no",
    Action.BREAK_GLASS: "      yes  no   yes  no   no   no   no  no  no",
    Action.REPORT_BREAK_GLASS: "no  no   no   no   no   no   yes  no  no",
    Action.END_BREAK_GLASS: "  yes  no   yes  no   no   no   yes  no  no",
    Action.RECONCILE: "        no   no   yes  no   yes  no   no  yes  no",
    Action.KEEP_TERMS: "       no   no   no   no   yes  no   no   no  no",
    Action.KEEP_CALENDAR: "    no   no   yes  no   yes  no   no   no  no",
    Action.REMIND: "           yes  yes  yes  yes  yes  no   no   no  no",
    Action.READ_MINUTES: "     no   no   no   yes  yes  no   yes  no  no",
    Action.WRITE_POLICY: "     no   no   no   no   no   yes  no   no  no",
    Action.ADOPT: "            no   no   no   no   yes  no   no   no  no",
    Action.HAND_OVER: "        no   no   no   no   yes  no   no   no  no",
    Action.REPLAY: "           no   no   yes  no   yes  yes  no   no  no",
    Action.ATTACH: "           yes  yes  yes  no   no   no   no   no  no",
    Action.ADMINISTER: "       no   no   no   no   no   no   no  no   yes",
    Action.CHECK_SUPPLY: "     yes  yes  yes  no   no   no   no   no  no",
    Action.CHALLENGE: "        no   no   no   no   yes  no   no   no  no",
    Action.ANSWER_CHALLENGE: " no   no   yes  no   no   no   no   no  no",
    Action.READ_CHALLENGES: "  no   no   yes  no   yes  no   no   yes  no",
    Action.PROPOSE_LINKS: "    no   no   yes  no   yes  no   no   yes  no",
    Action.DECIDE_LINE: "      no   no   no   no   yes  no   no   yes  no",
    Action.OVERRIDE_LINE: "    no   no   no   no   yes  no   no   no  no",
}
CELLS = [
    (action, role, said == "yes")
    for action, row in TABLE.items()
    for role, said in zip(COLUMNS, row.split(), strict=True)
]


def somebody(role: Role, organisation: str = "DEMO1") -> Caller:
    return Caller("1", "Somebody", "person", organisation, role, "tests", "test")


def test_a_token_needs_the_scope_of_each_action() -> None:
    assert set(SCOPE_OF) == set(Action)
    assert set(SCOPE_OF.values()) == set(SCOPES)
    reader = replace(somebody(Role.CLINICIAN), scopes=frozenset({"read"}))
    assert can(reader, Action.READ)
    with pytest.raises(NotAllowed, match="the token lacks the scope 'requests'"):
        check_can(reader, Action.SUBMIT)


def test_the_table_covers_every_action_and_role() -> None:
    assert set(TABLE) == set(Action) == set(SCOPE_OF)
    assert set(COLUMNS) == set(Role)


@pytest.mark.parametrize(("action", "role", "allowed"), CELLS)
def test_a_role_may_do_what_the_table_says(action: Action, role: Role, allowed: bool) -> None:
    assert can(somebody(role), action) is allowed
    if not allowed:
        with pytest.raises(NotAllowed, match="may not do it"):
            check_can(somebody(role), action)


@pytest.mark.parametrize(("action", "role", "allowed"), CELLS)
def test_nobody_acts_for_another_organisation(action: Action, role: Role, allowed: bool) -> None:
    if allowed:
        check_acts_for(somebody(role), action, "DEMO1")
    for organisation in ("DEMO2", None, ""):
        with pytest.raises(NotAllowed):
            check_acts_for(somebody(role), action, organisation)
