"""A filled-in form as it lies in a file, and the decision that the service would give on it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from app.approvals.conversion import check_conversion, conversion_to_refer, judged_day
from app.approvals.coverage import check_first_dose
from app.approvals.deciding import Case, judge
from app.approvals.details import check_details, details_from_json
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import OverrideGiven, RequestDetails, Route
from app.authoring.errors import BenchRefused
from app.policy import (
    AnswerFaults,
    Context,
    Kind,
    Notice,
    PolicyDecision,
    PolicyVersion,
    parse_answers,
)
from app.policy.notices import in_force, suspend

_DECIDED = (Kind.INITIATION, Kind.CONTINUATION, Kind.STOP)
_KEYS = {
    "policy",
    "commissioner",
    "version",
    "kind",
    "decision_to_treat",
    "first_dose",
    "birth_date",
    "sex",
    "today",
    "answers",
    "waived",
    "overrides",
    "details",
    "route",
    "retrospective_reason",
}
_Word = TypeVar("_Word", Kind, Route)
_DETAILS = frozenset(RequestDetails.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Form:
    """A filled-in form as it lies in a file."""

    policy: str
    commissioner: str | None
    version: str | None
    kind: Kind
    context: Context
    today: dt.date
    answers: Mapping[str, Any]
    waived: frozenset[str]
    overrides: tuple[OverrideGiven, ...]
    details: RequestDetails = field(default_factory=RequestDetails)
    route: Route = Route.POLICY
    retrospective_reason: str | None = None


def read_form(text: str) -> Form:
    """A form from JSON: policy, version, kind, decision_to_treat, birth_date, …, answers.

    The body of a request to the service is such a form too: of its patient only the birth date and
    the sex are looked at. Raises BenchRefused naming the first thing that is wrong; numbers are
    read exactly.
    """
    try:
        data = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise BenchRefused("The form is not JSON. Check for a missing comma or bracket.") from None
    if not isinstance(data, dict) or not isinstance(data.get("answers"), dict):
        raise BenchRefused("The form holds no `answers`. Give a JSON object with `answers`.")
    data = _flattened(data)
    extra = sorted(data.keys() - _KEYS)
    if extra:
        raise BenchRefused(f"A form has no key {extra[0]}. Known: {', '.join(sorted(_KEYS))}.")
    if not isinstance(data.get("policy"), str):
        raise BenchRefused("The form does not say which `policy` it is for. Add it.")
    kind = _one_of(data, "kind", _DECIDED, Kind.INITIATION)
    route = _one_of(data, "route", tuple(Route), Route.POLICY)
    if data.get("sex") not in (None, "male", "female"):
        raise BenchRefused("The form's `sex` must be male or female, or left out.")
    decided = _day(data, "decision_to_treat")
    if decided is None:
        raise BenchRefused("The form has no `decision_to_treat`. Add the day, as YYYY-MM-DD.")
    context = Context(decided, _day(data, "first_dose"), _day(data, "birth_date"), data.get("sex"))
    return Form(
        policy=data["policy"],
        commissioner=data.get("commissioner"),
        version=data.get("version"),
        kind=kind,
        context=context,
        today=_day(data, "today") or decided,
        answers=data["answers"],
        waived=frozenset(data.get("waived") or ()),
        overrides=_overrides(data.get("overrides") or ()),
        details=_details(data.get("details") or {}),
        route=route,
        retrospective_reason=data.get("retrospective_reason"),
    )


def _flattened(data: Mapping[str, Any]) -> dict[str, Any]:
    """A request's body as a form; another mapping as it is."""
    patient = data.get("patient")
    if not isinstance(patient, dict):
        return dict(data)
    kept = {key: data[key] for key in data.keys() - {"patient"}}
    known = {key: patient[key] for key in ("birth_date", "sex") if patient.get(key) is not None}
    return {**known, **kept}


def _one_of(
    data: Mapping[str, Any], name: str, known: tuple[_Word, ...], otherwise: _Word
) -> _Word:
    by_word = {str(each): each for each in known}
    given = data.get(name)
    if given is None:
        return otherwise
    if given not in by_word:
        raise BenchRefused(f"The form's `{name}` must be one of: {', '.join(by_word)}.")
    return by_word[given]


def _overrides(raw: Any) -> tuple[OverrideGiven, ...]:
    known = {"criterion", "reason", "words"}
    shaped = isinstance(raw, list | tuple) and all(
        isinstance(each, dict)
        and {"criterion", "reason"} <= each.keys() <= known
        and all(isinstance(value, str) for value in each.values())
        for each in raw
    )
    if not shaped:
        raise BenchRefused(
            "The form's `overrides` must be a list, each with a `criterion`, a `reason` and words."
        )
    return tuple(
        OverrideGiven(each["criterion"], each["reason"], each.get("words", "")) for each in raw
    )


def _details(raw: Any) -> RequestDetails:
    """The details as a request's body has them."""
    extra = sorted(raw.keys() - _DETAILS) if isinstance(raw, dict) else []
    if extra:
        known = ", ".join(sorted(_DETAILS))
        raise BenchRefused(f"The form's `details` have no key {extra[0]}. Known: {known}.")
    try:
        return details_from_json(raw)
    except (AttributeError, KeyError, TypeError, ValueError, InvalidOperation):
        raise BenchRefused(
            "The form's `details` cannot be read. Write them as in a request to the service: days "
            "as YYYY-MM-DD, and a dose with `amount`, `unit` and `every_days`."
        ) from None


def _day(data: Mapping[str, Any], name: str) -> dt.date | None:
    raw = data.get(name)
    if raw is None:
        return None
    try:
        return dt.date.fromisoformat(raw)
    except (TypeError, ValueError):
        raise BenchRefused(f"The form's `{name}` is not a day. Write it as YYYY-MM-DD.") from None


def decide_form(
    version: PolicyVersion, form: Form, notices: Iterable[Notice] = ()
) -> PolicyDecision:
    """The decision that the service would give on a form by itself, details and notices included.

    Other treatments of the patient, and whether the version is adopted, are not in a form. Raises
    BenchRefused with the first detail, or every answer, that is not accepted.
    """
    case = _case(version, form)
    try:
        decision = judge(case, form.waived)
    except ValueError as error:
        raise BenchRefused(f"The form cannot be decided: {error}.") from None
    if form.kind is not Kind.INITIATION:
        return decision
    held = in_force(notices, version.drug, version.policy, form.today, case.context.first_dose)
    return suspend(decision, held, may_refuse=form.route is Route.POLICY)


def _case(version: PolicyVersion, form: Form) -> Case:
    starts = form.kind is Kind.INITIATION
    decided = form.context.decision_to_treat
    judged = judged_day(version, form.details, decided) if starts else decided
    context = replace(
        form.context,
        decision_to_treat=judged,
        first_dose=form.details.started_on or form.context.first_dose,
    )
    try:
        _check_details(version, form)
        answers = parse_answers(
            version, form.kind, form.answers, decision_to_treat=judged, today=form.today
        )
    except AnswerFaults as error:
        faults = "\n".join(f"  {fault}" for fault in error.faults)
        raise BenchRefused(f"These answers are not accepted:\n{faults}") from None
    except DetailsNotAccepted as error:
        message = f"The form would not be taken, because of its {error.field}: {error}"
        raise BenchRefused(message) from None
    return Case(
        version=version,
        kind=form.kind,
        answers=answers,
        context=context,
        route=form.route,
        details=form.details,
        overrides=form.overrides,
        asked_on=decided,
        for_people=conversion_to_refer(version, form.details) if starts else (),
    )


def _check_details(version: PolicyVersion, form: Form) -> None:
    """What the service holds against the policy's terms before it decides."""
    if form.kind is Kind.STOP:
        return
    check_details(form.details, form.kind, version, form.today)
    if form.kind is not Kind.INITIATION:
        return
    first_dose = form.context.first_dose
    check_conversion(form.details, form.kind, form.context.decision_to_treat, first_dose)
    if form.route is Route.POLICY:
        check_first_dose(version.approval, form.today, first_dose, form.retrospective_reason)
