"""Changes of a treatment from its page: stop, pause, resumption, transfer, dose, product."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from app.api.request_bodies import FollowUpBody
from app.api.treatments import send
from app.approvals import store
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import StopReason
from app.approvals.permissions import Action, can, check_can
from app.auth.model import Caller
from app.db.work import Work
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from app.web.acting import act_once, fresh_name
from app.web.callers import caller_of, this_office
from app.web.form.typed import typed_day
from app.web.pages import PageRoute
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath
from app.web.words import first_upper

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One change as the page offers it. `once` names its form; `choices` are its options."""

    kind: str
    label: str
    day: str  # the label of its first, or last treated, day
    once: str
    until: str | None = None
    choice: str | None = None  # the name of the field that is chosen
    choice_label: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    dose: bool = False

    @property
    def key(self) -> str:
        """What the names of its fields begin with."""
        return self.kind.replace(" ", "-")


_LABELS: Final = {
    "stop": ("Record that it was stopped", "Last day of treatment"),
    "pause": ("Pause it", "First day without treatment"),
    "resume": ("Resume it after a pause", "First day of treatment again"),
    "transfer": ("Hand it over to another hospital", "First day at the other hospital"),
    "dose change": ("Change the dose", "First day of the new dose"),
    "switch": ("Switch to another product", "First day of the other product"),
}
_NAMES: Final = {
    "from_day": "the day",
    "to_day": "the last day",
    "stop_reason": "why",
    "to_provider": "the hospital",
    "product": "the product",
    "dose": "the dose",
    "amount": "the dose",
    "unit": "the unit",
    "every_days": "how often",
}


def changes_for(request: Request, caller: Caller, provider: str, drug: str) -> tuple[Change, ...]:
    """The changes that the reader may send for a treatment of this provider."""
    if provider != caller.organisation or not can(caller, Action.SUBMIT):
        return ()
    known = load_drugs().drugs.get(drug)
    hospitals = sorted(
        {
            each.code: each for each in load_organisations().all() if each.kind == "provider"
        }.values(),
        key=lambda each: (not each.demonstration, each.name),
    )
    options: dict[str, dict[str, Any]] = {
        "stop": {
            "choice": "stop_reason",
            "choice_label": "Why",
            "choices": tuple((each.value, first_upper(each.value)) for each in StopReason),
        },
        "pause": {"until": "Expected last day of the pause (optional)"},
        "transfer": {
            "choice": "to_provider",
            "choice_label": "The hospital that takes it over",
            "choices": tuple(
                (each.code, f"{each.name} ({each.code})")
                for each in hospitals
                if each.code != provider and each.parent is None
            ),
        },
        "dose change": {"dose": True},
        "switch": {
            "choice": "product",
            "choice_label": "The product",
            "choices": tuple((p.key, p.name) for p in known.products) if known else (),
        },
    }
    return tuple(
        Change(kind, label, day, fresh_name(request), **options.get(kind, {}))
        for kind, (label, day) in _LABELS.items()
        if kind != "switch" or options["switch"]["choices"]
    )


@router.post("/treatments/{id}/changes")
def change(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Send one change, once; the request that comes of it is shown."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.SUBMIT)

    def run(work: Work) -> str:
        store.find_treatment(work, caller, id)
        body = _body(form, work.moment.day.isoformat())
        view = send(work, office, caller, body.to_command(id, work.moment.day))
        return f"/requests/{view.request.id}"

    return act_once(request, session, form, run)


def _body(form: Mapping[str, str], today: str) -> FollowUpBody:
    """What the API takes for the change. Raises DetailsNotAccepted, naming what to look at."""
    details: dict[str, Any] = {
        name: value
        for name, value in {
            "from_day": typed_day("from_day", form),
            "to_day": typed_day("to_day", form),
            **{n: form.get(n, "").strip() for n in ("stop_reason", "to_provider", "product")},
        }.items()
        if value
    }
    if form.get("dose_amount", "").strip():
        every = form.get("dose_every_days", "").strip()
        details["dose"] = {
            "amount": form["dose_amount"].strip(),
            "unit": form.get("dose_unit", "").strip(),
            **({"every_days": int(every)} if every.isascii() and every.isdigit() else {}),
        }
    typed = {"kind": form.get("kind", ""), "decision_to_treat": today, "details": details}
    try:
        return FollowUpBody.model_validate(typed)
    except ValidationError as error:
        places = [str(part) for each in error.errors() for part in each["loc"]]
        names = dict.fromkeys(_NAMES[place] for place in places if place in _NAMES)
        raise DetailsNotAccepted(
            "details",
            f"It was not sent. Go back and look at {', '.join(names) or 'what was chosen'}.",
        ) from None
