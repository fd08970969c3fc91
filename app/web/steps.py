"""The steps that other people take on a request: pharmacist, panel, commissioner, receiver.

Each is one form on the request's page, led by the same use case as the API's call.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from app.api.doses_given_model import DosesGivenDocument
from app.api.next_steps import REQUEST_STEPS
from app.api.panel_bodies import FundingBody
from app.api.requests_model import RequestDocument
from app.approvals import consenting, funding, interests, reviewing, store
from app.approvals.errors import DetailsNotAccepted
from app.approvals.lifecycle import RequestState
from app.approvals.model import Route
from app.approvals.office import Office
from app.approvals.permissions import Action, can, check_can
from app.auth.model import Caller, Role
from app.db.work import Work
from app.web.acting import act_once
from app.web.callers import caller_of, this_office, version_in
from app.web.form.typed import typed_day
from app.web.pages import PageRoute, check_csrf, go
from app.web.panel_votes import ruled_before, vote_labels, waived_before
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath

router = APIRouter(prefix="/requests", route_class=PageRoute, include_in_schema=False)

Take = Callable[[Work, Office, Caller, str, dict[str, str], int], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the page offers it. `reason` is the label of the reason, if it takes one."""

    key: str
    label: str
    reason: str | None = None
    declares: bool = False  # a panel member says that they have no interest
    waives: tuple[tuple[str, str], ...] = ()
    ticked: frozenset[str] = frozenset()  # those of them that a vote before this one waives
    funds: bool = False  # the fields of a funding decision
    given_since: dt.date | None = None  # the first dose of an urgent start that it overturns
    ruled: DosesGivenDocument | None = None  # what a vote before this one says of doses given
    secondary: bool = True


def steps_for(caller: Caller, document: RequestDocument) -> tuple[Step, ...]:
    """What this reader may do with this request now, beside its own clinician's steps."""
    found: list[Step] = []
    state = document.state
    own = document.provider == caller.organisation
    if state is RequestState.AWAITING_AUTHORISATION and own and can(caller, Action.AUTHORISE):
        found.append(Step("authorise", "Authorise", secondary=False))
        found.append(Step("refuse-authorisation", "Return it to the clinician", "Why"))
    if (
        state is RequestState.AWAITING_CONSENT
        and document.counterparty == caller.organisation
        and can(caller, Action.CONSENT)
    ):
        found.append(Step("consent", "Take the treatment over", secondary=False))
        found.append(Step("refuse-consent", "Refuse", "Why"))
    if state is RequestState.REFERRED and _decides(caller, document):
        found += _panel_steps(caller, document)
    if (
        document.commissioner == caller.organisation
        and can(caller, Action.FUND)
        and state in _FUNDABLE
    ):
        asked = document.route is not Route.POLICY and state is RequestState.REFERRED
        found.append(
            Step("fund", "Fund it outside the policy", "Why", funds=True, secondary=not asked)
        )
        if asked:
            since = document.doses_given_since
            label = "Decline to fund it"
            found.append(Step("refuse-funding", label, "Why it is declined", given_since=since))
    return tuple(found)


def decides_it(caller: Caller, document: RequestDocument) -> bool:
    """Whether a referred request waits for the reader's organisation, in the reader's role."""
    return document.state is RequestState.REFERRED and any(
        each.key in ("panel-return", "refuse-funding") for each in steps_for(caller, document)
    )


def next_for(caller: Caller, document: RequestDocument) -> str:
    """What to do next, to the reader: who decides a referred request is told that they do."""
    if not decides_it(caller, document):
        return document.next
    return document.next.replace(REQUEST_STEPS[RequestState.REFERRED], _YOURS)


_YOURS: Final = "Your organisation decides this, below. Until then, who asked can withdraw it."
_FUNDABLE: Final = frozenset(
    {RequestState.REFERRED, RequestState.CRITERIA_NOT_MET, RequestState.DECLINED}
)


def _decides(caller: Caller, document: RequestDocument) -> bool:
    """Whether the reader decides in a panel's place; never on what is asked outside the policy."""
    if document.route is not Route.POLICY or not can(caller, Action.DECIDE_AS_PANEL):
        return False
    if caller.role is Role.PANEL_MEMBER:
        return document.panel == caller.organisation
    return document.panel is None and document.commissioner == caller.organisation


def _panel_steps(caller: Caller, document: RequestDocument) -> list[Step]:
    policy = [each for each in document.decisions if each.made_by == "policy"]
    failed = tuple(
        (each.criterion, each.text)
        for decision in policy[-1:]
        for each in decision.findings
        if each.waivable and each.result != "met"
    )
    member = caller.role is Role.PANEL_MEMBER
    labels = vote_labels(document)
    found = []
    if labels.approve is not None or failed:
        found.append(
            Step(
                "panel-approve",
                labels.approve or "Approve with other waivers",
                "Why it is approved",
                declares=member,
                waives=failed,
                ticked=waived_before(document),
                secondary=labels.approve is None,
            )
        )
    found.append(Step("panel-return", "Return it with a question", "The question", declares=member))
    if document.doses_given_since is not None:
        found.append(_overturning(document, document.doses_given_since, labels.overturn, member))
    elif labels.decline is not None:
        found.append(Step("panel-decline", labels.decline, "Why it is declined", declares=member))
    if member:
        found.append(Step("declare-interest", "Declare an interest", "The interest"))
    return found


def _overturning(document: RequestDocument, since: dt.date, label: str, member: bool) -> Step:
    """The refusal of an urgent start: one that says what it means for doses given."""
    return Step(
        "panel-overturn",
        label,
        "Why it is overturned",
        declares=member,
        given_since=since,
        ruled=ruled_before(document),
    )


def _none_declared(form: dict[str, str]) -> bool:
    return form.get("no_interest") == "yes"


def _authorise(w: Work, o: Office, c: Caller, id: str, _f: dict[str, str], v: int) -> Any:
    return reviewing.authorise(w, o, c, id, v)


def _unauthorise(w: Work, _o: Office, c: Caller, id: str, f: dict[str, str], v: int) -> Any:
    return reviewing.refuse_authorisation(w, c, id, f["reason"], v)


def _approve(w: Work, o: Office, c: Caller, id: str, f: dict[str, str], v: int) -> Any:
    waived = frozenset(name.removeprefix("waive.") for name in f if name.startswith("waive."))
    return reviewing.panel_approve(w, o, c, id, f["reason"], waived, v, _none_declared(f))


def _decline(w: Work, o: Office, c: Caller, id: str, f: dict[str, str], v: int) -> Any:
    return reviewing.panel_decline(w, o, c, id, f["reason"], v, _none_declared(f))


def _return(w: Work, _o: Office, c: Caller, id: str, f: dict[str, str], v: int) -> Any:
    return reviewing.panel_return(w, c, id, f["reason"], v, _none_declared(f))


def _declare(w: Work, _o: Office, c: Caller, id: str, f: dict[str, str], v: int) -> Any:
    return interests.declare_interest(w, c, id, f["reason"], v)


def _consent(w: Work, o: Office, c: Caller, id: str, _f: dict[str, str], v: int) -> Any:
    return consenting.consent(w, o, c, id, v)


def _refuse_consent(w: Work, _o: Office, c: Caller, id: str, f: dict[str, str], v: int) -> Any:
    return consenting.refuse_consent(w, c, id, f["reason"], v)


def _fund(w: Work, o: Office, c: Caller, id: str, f: dict[str, str], v: int) -> Any:
    store.find_request(w, c, id)
    return funding.record_funding(w, o, c, id, _funding(f).to_decision(), v)


_FUNDING_LABELS: Final = {
    "basis": "what it rests on",
    "case_reference": "your case reference",
    "from_day": "the first day that it covers",
    "to_day": "the last day that it covers",
    "terms": "its terms",
    "reason": "why",
}


def _funding(form: dict[str, str]) -> FundingBody:
    """A funding decision of the form's fields. Raises DetailsNotAccepted."""
    typed = {
        "basis": form.get("basis", ""),
        "case_reference": form.get("case_reference", "").strip(),
        "from_day": typed_day("from_day", form),
        "to_day": typed_day("to_day", form),
        "terms": form.get("terms", "").strip(),
        "reason": form["reason"],
    }
    try:
        return FundingBody.model_validate({k: v for k, v in typed.items() if v})
    except ValidationError as error:
        names = [_FUNDING_LABELS.get(str(each["loc"][0]), "") for each in error.errors()]
        raise DetailsNotAccepted(
            "funding",
            "The decision was not recorded. Go back and look at: "
            f"{', '.join(dict.fromkeys(filter(None, names)))}.",
        ) from None


#: Each step: the action that it needs, its use case, and whether it takes a reason.
_TAKES: Final[dict[str, tuple[Action, Take, bool]]] = {
    "authorise": (Action.AUTHORISE, _authorise, False),
    "refuse-authorisation": (Action.AUTHORISE, _unauthorise, True),
    "panel-approve": (Action.DECIDE_AS_PANEL, _approve, True),
    "panel-decline": (Action.DECIDE_AS_PANEL, _decline, True),
    "panel-return": (Action.DECIDE_AS_PANEL, _return, True),
    "declare-interest": (Action.DECIDE_AS_PANEL, _declare, True),
    "consent": (Action.CONSENT, _consent, False),
    "refuse-consent": (Action.CONSENT, _refuse_consent, True),
    "fund": (Action.FUND, _fund, True),
}
#: Where a step leads whose taker may not see the request any more.
_AFTER: Final = {"refuse-consent": "/worklists/transfers"}


def _route(key: str) -> None:
    action, take, needs_reason = _TAKES[key]

    @router.post(f"/{{id}}/{key}", name=key)
    def step(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
        check_csrf(session, form)
        caller, office = caller_of(request, session), this_office(request)
        check_can(caller, action)  # the role before the object, and before what was typed
        form = {**form, "reason": form.get("reason", "").strip()}
        if needs_reason and not form["reason"]:
            return go(f"/requests/{id}?missing={key}#{key}")
        version, back = version_in(form), _AFTER.get(key, f"/requests/{id}")

        def run(work: Work) -> str:
            take(work, office, caller, id, form, version)
            return back

        return act_once(request, session, form, run)


for _key in _TAKES:
    _route(_key)
