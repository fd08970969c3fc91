"""What to do next, in words, for each state of a request and an approval.

An approval is about who pays. No sentence here may read as advice to end a patient's treatment, and
a test holds them to that.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from app.api.doses_given_model import OverturnedDocument
from app.approvals.doses_given import is_of_doses_only
from app.approvals.ending import Ending
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import ApprovalRecord
from app.policy import Kind, Outcome, PanelStatus, PolicyVersion, panel_status, status_words

CARE: Final = (
    "This is about funding only: what is right for the patient stays the decision of the clinician "
    "and the patient."
)

REQUEST_STEPS: Final[dict[RequestState, str]] = {
    RequestState.NEW: "The request has not been decided yet.",
    RequestState.MORE_INFORMATION_NEEDED: (
        "Answer the questions that are still missing, by amending this request. It keeps its place "
        "and the policy version of its first submission."
    ),
    RequestState.CRITERIA_NOT_MET: (
        "Look at the findings that are 'not met'. Correct the request if an answer is wrong, or "
        f"ask the commissioner for an individual funding decision. {CARE}"
    ),
    RequestState.REFERRED: (
        "The panel or the commissioner named here decides. Until then, who asked can withdraw it."
    ),
    RequestState.RETURNED: "Read the last decision's reason, then amend or withdraw the request.",
    RequestState.AWAITING_AUTHORISATION: "A pharmacist of the provider authorises or returns it.",
    RequestState.AWAITING_CONSENT: (
        "The receiving provider consents or refuses. Until then the treatment stays where it is."
    ),
    RequestState.APPROVED: "Quote the approval reference on each invoice line.",
    RequestState.DECLINED: (
        "Read the last decision's reason. The commissioner can still fund it individually, or send "
        f"a new request when the findings change. {CARE}"
    ),
    RequestState.RECORDED: "Nothing: it is on record.",
    RequestState.WITHDRAWN: "Nothing: it stays on record. Send a new request if it is needed.",
    RequestState.ENTERED_IN_ERROR: "Nothing: it stays on record. Send a right one if it is needed.",
}
_GOES_ON: Final = Ending()
#: Criteria are not met, and a panel may waive every one of them.
_WAIVABLE: Final = (
    "Look at the findings that are 'not met'. Correct the request if an answer is wrong. Its "
    "clinician can send it to the panel, which may waive what is not met, or ask the commissioner "
    f"for an individual funding decision. {CARE}"
)
#: A change of a running treatment is approved without a new reference.
CHANGED: Final = "The change is in force from its day. The approval's reference stays the same."

_OVER: Final[dict[ApprovalState, str]] = {
    ApprovalState.UNDER_QUERY: (
        "The commissioner is looking into this approval. It covers supplies as before until that "
        f"is resolved. Answer the commissioner's question soon. {CARE}"
    ),
    ApprovalState.ENDED: (
        "The provider recorded that this treatment ended. Supplies on the covered days up to then "
        "stay funded. Send a new initiation if it begins again."
    ),
    ApprovalState.DOSES_GIVEN: (
        "An urgent start was overturned, and this pays only for doses given on these days. "
        "It is no approval to go on: nothing is continued or renewed from it. Quote the reference "
        f"on invoice lines of these days. {CARE}"
    ),
    ApprovalState.NEVER_STARTED: (
        "The provider recorded that this treatment never began, so nothing is funded under this "
        "approval. Send a new initiation when it begins."
    ),
    ApprovalState.WITHDRAWN: (
        "The commissioner withdrew this approval, so it funds nothing. Ask the commissioner why, "
        f"and send a new request if the criteria are met. {CARE}"
    ),
    ApprovalState.ENTERED_IN_ERROR: (
        "This approval came of an error, so it funds nothing. Send a new request if the patient "
        f"needs one. {CARE}"
    ),
}

#: What paid for doses of an urgent start, and does no more.
_NOT_PAID: Final = (
    "This paid for doses given under an urgent start, and pays for nothing any more: the request "
    f"was decided anew, or came of an error. Read the request's decisions. {CARE}"
)

CHECK_STEPS: Final[dict[Outcome, str]] = {
    Outcome.APPROVED: "Submitting this form today would be approved, unless something changes.",
    Outcome.MORE_INFORMATION_NEEDED: "Answer what is still missing, then check again.",
    Outcome.CRITERIA_NOT_MET: (
        "Look at the findings that are 'not met'. Nothing was stored. The form can still be "
        "submitted; from there its clinician can ask for individual funding, or send it to the "
        f"panel where that may waive all that is not met. {CARE}"
    ),
    Outcome.REFERRED: "Submitting this form would send it to the panel or the commissioner.",
}
#: A dry run of a stop: the record is made whatever the criteria say.
CHECKED_STOP: Final = f"A stop is recorded, never refused; the findings are for information. {CARE}"


#: Where a policy says that a treatment was shown not to work.
NOT_SHOWN_TO_WORK: Final = (
    "Look at the findings that are 'not met', and correct the request if an answer is wrong. The "
    "policy says that this was shown not to work, so an individual funding request should not "
    f"normally be sought. {CARE}"
)


def after_request(
    state: RequestState,
    kind: Kind,
    version: PolicyVersion | None = None,
    answer_by: dt.date | None = None,
    *,
    waivable: bool = False,
) -> str:
    """What to do next about a request in this state, under this version where it is known.

    `answer_by` is the day by which the panel that it waits for answers. `waivable`: a panel may
    waive every criterion that is not met.
    """
    has_reference = kind in (Kind.INITIATION, Kind.CONTINUATION)
    if state is RequestState.APPROVED and not has_reference:
        return CHANGED
    status = None if version is None else panel_status(version)
    if state is RequestState.CRITERIA_NOT_MET and status is PanelStatus.INEFFECTIVE:
        return NOT_SHOWN_TO_WORK
    if state is RequestState.CRITERIA_NOT_MET and waivable:
        return _WAIVABLE
    step = REQUEST_STEPS[state]
    if state is RequestState.REFERRED and version is not None:
        if status is PanelStatus.EXTERNAL_AUTHORITY:
            return f"{status_words(version)} {step}"
        if answer_by is not None:
            return f"{step} The panel answers by {_words(answer_by)}."
    return step


def begun_urgently(since: dt.date) -> str:
    """What is told first of an urgent start that waits for people."""
    return (
        f"An office let this treatment begin before the form: doses have been given since "
        f"{_words(since)}. A refusal says whether they are paid for."
    )


def after_overturning(
    state: RequestState, step: str, ruling: OverturnedDocument, by_commissioner: bool
) -> str:
    """What to do next about a request whose urgent start was overturned; first what is paid.

    `step` is what its state alone says to do.
    """
    who = "commissioner" if by_commissioner else "panel"
    first, last = _words(ruling.from_day), _words(ruling.to_day)
    if ruling.paid:
        said = (
            f"The {who} overturned the urgent start. Doses given from {first} up to and including "
            f"{last} are paid for: quote the reference {ruling.reference} on invoice lines of "
            "these days. It covers no later dose."
        )
    else:
        said = (
            f"The {who} overturned the urgent start on {last}. Doses given from {first} on are not "
            "paid for under this request."
        )
    if state is not RequestState.DECLINED:
        return f"{said} {step}"
    return (
        f"{said} Read the decision's reason. Correct the request if an answer is wrong, ask the "
        f"commissioner for individual funding, or send a new request when the findings change. "
        f"{CARE}"
    )


def after_approval(
    approval: ApprovalRecord,
    first_dose: dt.date | None,
    today: dt.date,
    ending: Ending = _GOES_ON,
    among: Sequence[ApprovalRecord] = (),
) -> str:
    """What to do next about an approval, as of a day; `first_dose` is the treatment's, if known.

    `among`: the treatment's approvals that the reader may see. Where one of them goes on from this
    one, no continuation is asked for.
    """
    if is_of_doses_only(approval) and approval.state is not ApprovalState.DOSES_GIVEN:
        return _NOT_PAID
    if approval.state is not ApprovalState.LIVE:
        return _OVER[approval.state]
    from_day, to_day = _words(approval.covers_from), approval.covers_to
    if to_day is None:
        return f"It covers supplies from {from_day} on. Quote the reference on each invoice line."
    after = _goes_on(approval, to_day, among)
    if to_day < today:
        if after:
            return f"The covered days ended on {_words(to_day)}. {after}"
        ended = f"The covered days ended on {_words(to_day)}. If the treatment goes on, "
        if ending.last_continuation is not None and ending.last_continuation < today:
            return f"{ended}ask who funds it now. {_at_the_end(ending)}"
        return f"{ended}send a continuation now, so that later supplies are funded too. {CARE}"
    steps = [
        f"It covers supplies from {from_day} to {_words(to_day)}. Quote the reference on each "
        "invoice line."
    ]
    if approval.start_by is not None and first_dose is None:
        steps.append(
            f"Record the first dose; it must be given by {_words(approval.start_by)}, and the "
            "length of the approval is then counted from it."
        )
    if after:
        steps.append(after)
    elif ending.last_continuation is not None and ending.last_continuation < to_day:
        steps.append(_at_the_end(ending))
    else:
        steps.append("Send a continuation before the last covered day, so that funding goes on.")
    return " ".join(steps)


def _goes_on(approval: ApprovalRecord, last: dt.date, among: Sequence[ApprovalRecord]) -> str:
    """Which live approval covers the days after its last one; empty where none does."""
    for each in among:
        later = approval.covers_from < each.covers_from <= last + dt.timedelta(days=1)
        if later and each.state is ApprovalState.LIVE:
            return f"{each.reference} covers from {_words(each.covers_from)}."
    return ""


def _at_the_end(ending: Ending) -> str:
    """What the policy says once it takes no continuation: the running approval is not touched."""
    last = _words(ending.last_continuation) if ending.last_continuation else ""
    follow = ""
    if ending.successors:
        follow = f" It goes on under {', '.join(ending.successors)}: name it in a continuation."
    said = f" {ending.afterwards}" if ending.afterwards else ""
    ask = "" if follow or said else " Ask the commissioner which policy follows it."
    return (
        f"The policy takes no continuation after {last}; this approval is good for all its "
        f"days.{said}{follow}{ask} {CARE}"
    )


def _words(day: dt.date) -> str:
    return f"{day:%-d %B %Y}"


def after_check(outcome: Outcome, kind: Kind) -> str:
    """What to do next after a dry run."""
    return CHECKED_STOP if kind is Kind.STOP else CHECK_STEPS[outcome]
