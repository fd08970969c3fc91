"""A request as a page tells of it: the outcome in one sentence, the findings, the ways on. Pure.

An approval is about who pays. No sentence here tells anyone to end a treatment.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from textwrap import shorten
from typing import Final, Literal
from zoneinfo import ZoneInfo

from app.api.decisions_model import (
    DecisionDocument,
    FindingDocument,
    LookedAt,
    PartDocument,
)
from app.api.requests_model import RequestDocument
from app.api.treatments_model import PatientDocument
from app.approvals.amending import ESCALATED, PROVIDER
from app.approvals.lifecycle import RequestState
from app.approvals.model import RECORD_ENDED, Route
from app.policy import PolicyVersion, label_of
from app.web.doses_given import HEADING, is_overturned, urgent_pair
from app.web.words import amount_words, day_words, first_upper, instant_words

Colour = Literal["green", "blue", "yellow", "orange", "grey"]
#: In the place of a patient whose record's retention is over.
NO_LONGER_KEPT: Final = "No longer kept: who the patient was is erased"
_LONDON: Final = ZoneInfo("Europe/London")
Pairs = tuple[tuple[str, str], ...]

_HEADINGS: Final[dict[RequestState, tuple[str, Colour]]] = {
    RequestState.NEW: ("Received", "grey"),
    RequestState.APPROVED: ("Approved", "green"),
    RequestState.CRITERIA_NOT_MET: ("Criteria not met", "orange"),
    RequestState.MORE_INFORMATION_NEEDED: ("More information needed", "yellow"),
    RequestState.REFERRED: ("With people who decide", "blue"),
    RequestState.RETURNED: ("Returned with a question", "yellow"),
    RequestState.AWAITING_AUTHORISATION: ("Waiting for the trust's pharmacist", "blue"),
    RequestState.AWAITING_CONSENT: ("Waiting for the receiving provider", "blue"),
    RequestState.DECLINED: ("Declined", "orange"),
    RequestState.RECORDED: ("Recorded", "green"),
    RequestState.WITHDRAWN: ("Withdrawn", "grey"),
    RequestState.ENTERED_IN_ERROR: ("Entered in error", "grey"),
}
_RESULTS: Final[dict[str, tuple[str, Colour]]] = {
    "met": ("Met", "green"),
    "not met": ("Not met", "orange"),
    "not answered": ("Not answered", "yellow"),
}
#: A stop criterion that holds is what would end funding: its words say so, not "met".
_STOP_RESULTS: Final[dict[str, tuple[str, Colour]]] = {
    "met": ("Applies", "orange"),
    "not met": ("Does not apply", "green"),
    "not answered": ("Not answered", "yellow"),
}
#: Where a policy asks for two; what each said has a part of its own.
TOGETHER: Final = "Two people decided this together, as the policy asks. What each said is below."
_LONGEST_LABEL: Final = 70
_PLACES: Final = 4
#: Lists are shown with what needs attention first.
_ORDER: Final = {"orange": 0, "yellow": 1, "green": 2}


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A criterion with its result, its source, and which alternative came nearest."""

    criterion: str
    text: str
    result: str
    colour: Colour
    source: str
    url: str | None
    verified: bool
    layer: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request's page says at its top."""

    heading: str
    colour: Colour
    is_panel: bool  # a confirmation panel, for what needs nothing more
    reasons: tuple[str, ...]
    findings: tuple[FindingRow, ...]
    failed: tuple[FindingRow, ...]


def state_words(state: RequestState) -> str:
    """A state of a request, as lists name it."""
    return _HEADINGS[state][0]


def state_colour(state: RequestState) -> Colour:
    """The colour of its tag."""
    return _HEADINGS[state][1]


def outcome_of(document: RequestDocument, version: PolicyVersion) -> Outcome:
    """What to tell of a request: its state, why, and each finding of the policy's last decision.

    `version` is the one that decided; what a finding looked at is named by its questions' labels.
    """
    heading, colour = _HEADINGS[document.state]
    if is_overturned(document):
        heading = HEADING
    last = document.decisions[-1] if document.decisions else None
    policy = _policy_decision(document.decisions)
    rows = tuple(finding_row(each, version) for each in (policy.findings if policy else ()))
    ordered = tuple(sorted(rows, key=lambda row: _ORDER.get(row.colour, 3)))
    reasons = tuple(last.reasons) if last else ()
    if last is not None and last.agreed_with is not None:
        reasons = (TOGETHER,)
    elif last is not None and last.outcome == ESCALATED:
        reasons = (f"The provider sent it to the panel: {last.reason}",)
    elif last is not None and last.made_by == PROVIDER:
        reasons = (f"Why, as the provider says: {last.reason}",)
    elif last is not None and last.reason:
        reasons = tuple(dict.fromkeys((last.reason, *reasons)))
    return Outcome(
        heading=heading,
        colour=colour,
        is_panel=document.state in (RequestState.APPROVED, RequestState.RECORDED),
        reasons=reasons,
        findings=ordered,
        failed=tuple(row for row in ordered if row.colour == "orange"),
    )


def patient_words(patient: PatientDocument) -> str:
    """Whom it is about: by number for the care team, by pseudonym for anybody else."""
    if patient.no_nhs_number_reason == RECORD_ENDED:
        return NO_LONGER_KEPT
    if patient.nhs_number:
        return f"NHS number {patient.nhs_number}, born {day_words(patient.birth_date)}"
    if patient.pseudonym:
        return f"Pseudonym {patient.pseudonym}"
    return patient.local_id or "no number"


def cover_pairs(document: RequestDocument) -> Pairs:
    """What the request's approval covers; empty without one."""
    approval = document.approval
    if approval is None:
        return ()
    ends = day_words(approval.covers_to) if approval.covers_to else "no end"
    start = (("First dose by", day_words(approval.start_by)),) if approval.start_by else ()
    return (
        ("Days", f"{day_words(approval.covers_from)} to {ends}"),
        *start,
        ("Who pays", document.commissioner),
        ("Rests on", first_upper(approval.basis)),
    )


def paper_words(signed: dt.datetime, entered: dt.date, *, covers: bool) -> str:
    """What a form on paper means for the days, in words for whoever enters it."""
    day = day_words(signed.astimezone(_LONDON).date())
    if covers:
        return (
            f"Signed on {day}. The commissioner lets a paper form cover from its signature, so an "
            "approval by the policy can cover from that day, marked late."
        )
    return (
        f"Signed on {day}. The commissioner has not settled that a paper form covers from its "
        f"signature, so an approval covers from the day of its entry, {day_words(entered)}. Ask "
        "the commissioner about what was supplied before."
    )


def _paper_pair(document: RequestDocument) -> tuple[str, str]:
    """Who signed the paper form and when, and whether the approval covers from then."""
    signed = document.details.get("paper")
    if not signed:
        return ("On paper", "")
    at = dt.datetime.fromisoformat(signed["signed_at"])
    number = f" Number on the paper: {signed['reference']}." if signed.get("reference") else ""
    said = f"Signed by the {signed['signed_by']} on {instant_words(at)}, entered later.{number}"
    approval = document.approval
    if approval is None:
        return ("On paper", said)
    day = at.astimezone(_LONDON).date()
    if approval.covers_from <= day:
        return ("On paper", f"{said} The approval covers from the day of the signature.")
    return (
        "On paper",
        f"{said} The approval covers from {day_words(approval.covers_from)}, not from the day of "
        "the signature: ask the commissioner about what was supplied before.",
    )


@dataclass(frozen=True, slots=True)
class PolicyLink:
    """The policy version that decides a request, where the library shows it."""

    href: str
    text: str


def policy_link(document: RequestDocument) -> PolicyLink:
    """The page of the version, with the commissioner's overlay where one lies on top of it."""
    by = document.policy
    at = f"/library/{by.policy}/{by.version}"
    if by.overlay is None:
        return PolicyLink(at, f"Read the policy, version {by.version}")
    return PolicyLink(
        f"{at}?commissioner={by.overlay.commissioner}",
        f"Read the policy, version {by.version}, with the overlay of {by.overlay.commissioner} "
        f"from {day_words(by.overlay.from_)}",
    )


def request_pairs(document: RequestDocument, patient: PatientDocument, policy: str) -> Pairs:
    """What was asked, for whom and when."""
    outside = document.route is not Route.POLICY
    note = str(document.details.get("note", ""))
    pairs = (
        ("Patient", patient_words(patient)),
        ("Kind", first_upper(document.kind)),
        ("Asked for", f"{first_upper(document.route)}, outside the policy" if outside else ""),
        ("Policy", f"{policy}, version {document.policy.version}"),
        ("Decision to treat", day_words(document.decision_to_treat)),
        ("Sent", instant_words(document.submitted_at)),
        _paper_pair(document),
        urgent_pair(document),
        ("Waits for", _whom_it_waits_for(document)),
        ("The case for it" if outside else "Note", note),
    )
    return tuple((key, value) for key, value in pairs if value)


def _whom_it_waits_for(document: RequestDocument) -> str:
    """The panel or the commissioner with whom it is; empty where nobody is to decide."""
    if document.state is not RequestState.REFERRED:
        return ""
    if document.panel:
        return f"The panel {document.panel}"
    return f"The commissioner {document.commissioner}"


def finding_row(finding: FindingDocument, version: PolicyVersion) -> FindingRow:
    """One finding, for a table."""
    words = _STOP_RESULTS if finding.section == "stop" else _RESULTS
    result, colour = words[finding.result]
    return FindingRow(
        criterion=finding.criterion,
        text=finding.text,
        result=result,
        colour=colour,
        source=finding.source.title,
        url=finding.source.url,
        verified=finding.evidence == "verified",
        layer=None if finding.layer == "national" else finding.layer,
        notes=tuple(_notes(finding, version)),
    )


def _notes(finding: FindingDocument, version: PolicyVersion) -> list[str]:
    notes = []
    if finding.nearest is not None:
        arm = next((a.text for a in finding.arms if a.id == finding.nearest.arm), "")
        notes.append(f"Nearest: {arm} ({finding.nearest.met} of {finding.nearest.of} parts met).")
    if finding.overridden is not None:
        notes.append(f"The clinician's judgement goes before it: {finding.overridden.label}.")
    elif finding.waivable and finding.result == "not met":
        notes.append("A panel may waive this.")
    looked = {each.name: each for each in _looked_at(finding.part)}
    said = "; ".join(
        f"{_name(version, each.name)}: {_value(version, each)}"
        for each in looked.values()
        if each.type != "not answered"
    )
    if said:
        notes.append(f"Looked at: {said}.")
    return notes


def _looked_at(part: PartDocument) -> Iterator[LookedAt]:
    yield from part.looked_at
    for inner in part.parts:
        yield from _looked_at(inner)


def _name(version: PolicyVersion, name: str) -> str:
    """A question's label, cut where it is long; a value that is worked out has no label."""
    label = label_of(version, name)
    label = label if label != name else name.replace("_", " ")
    return shorten(label, _LONGEST_LABEL, placeholder=" …")


def _value(version: PolicyVersion, looked: LookedAt) -> str:
    asked = version.questions.get(looked.name) or version.derived.get(looked.name)
    said = _bare_value(looked, {} if asked is None else asked.options)
    return said if asked is None else amount_words(said, asked.unit)


def _bare_value(looked: LookedAt, options: Mapping[str, str]) -> str:
    value = looked.value
    if looked.type == "date":
        # Of a birth, a reader outside the care team is told the year alone.
        return str(value) if len(str(value)) == len("2026") else day_words(value)
    if looked.type == "choice":
        return options.get(str(value), str(value).replace("_", " "))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        low, high = value.get("certain"), value.get("possible")
        return str(low) if low == high else f"{low} to {high}"
    if looked.type == "number":
        return _rounded(str(value))
    return str(value)


def _rounded(number: str) -> str:
    """A number to four places at most: what is worked out may have thirty."""
    if len(number.partition(".")[2]) <= _PLACES:
        return number
    exact = round(Decimal(number), _PLACES)
    return f"{exact:f}".rstrip("0").rstrip(".")


def _policy_decision(decisions: list[DecisionDocument]) -> DecisionDocument | None:
    return next((each for each in reversed(decisions) if each.made_by == "policy"), None)
