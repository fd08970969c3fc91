"""What there is of a patient and a drug already, told before a first request goes on.

Which kind of request it is then follows from that; an approval at another provider is told of as
a check of supplies tells of it: that there is one, and nothing more.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.approvals import checking, drafting, waiting
from app.approvals.checking import Need
from app.approvals.drafting import DraftRecord
from app.approvals.errors import ApprovalsError, PolicyNotUsable
from app.approvals.office import Office
from app.approvals.searching import SearchHit, SearchQuery, search
from app.approvals.waiting import Waiting
from app.auth.model import Caller
from app.clock import london_day
from app.db.work import Work
from app.policy import PolicyVersion
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.web.decision import state_words
from app.web.filling import Filling, as_day
from app.web.words import day_words, instant_words


@dataclass(frozen=True, slots=True)
class Held:
    """The organisation's own treatments of the patient with the drug, its open drafts and waiting
    requests for them, whether another provider holds an approval, and whether one is needed."""

    hits: tuple[SearchHit, ...]
    drafts: tuple[DraftRecord, ...]
    waiting: tuple[Waiting, ...]
    elsewhere: bool
    need: Need | None

    @property
    def is_needless(self) -> bool:
        """Whether who pays asks for no approval of this drug."""
        return self.need is not None and self.need.exempt

    @property
    def is_something(self) -> bool:
        """Whether there is anything to tell before the form goes on."""
        return bool(self.hits or self.drafts or self.elsewhere or self.is_needless)


def held_of(work: Work, office: Office, caller: Caller, found: Filling) -> Held:
    """All of it for a draft of a first request. The search, and what it told, are audited."""
    hits = _treatments(work, caller, found)
    ids = {hit.treatment.id for hit in hits}
    number = _number(found)
    drafts = drafting.open_drafts_of(work, caller, ids)
    elsewhere = False
    if number is not None:
        policies = {v.policy for v in office.library_at(work).all_versions() if _same(v, found)}
        drafts += drafting.open_first_drafts_of(work, caller, number, policies)
        born = as_day(_patient(found).get("birth_date"))
        if born is not None:
            elsewhere = checking.is_elsewhere(
                work, caller, found.version.drug, number, born, office.guesses
            )
    return Held(
        hits,
        tuple(each for each in drafts if each.id != found.draft.id),
        waiting.waiting_of(work, caller, ids),
        elsewhere,
        need_of(work, office, found),
    )


def need_of(work: Work, office: Office, found: Filling) -> Need | None:
    """Whether the payer of the draft asks for an approval of the drug, on the day to decide by."""
    payer = found.draft.form.get("commissioner")
    if not isinstance(payer, str):
        return None
    try:
        return checking.approval_needed(work, office, found.version.drug, payer, found.day)
    except PolicyNotUsable:
        return None


def kind_words(held: Held, indication: str, today: dt.date) -> str:
    """Which kind of request this is, as one sentence. `indication`: the key of the form's."""
    own = [hit for hit in held.hits if hit.treatment.indication == indication]
    running = [hit for hit in own if hit.treatment.stopped_on is None]
    live = [hit for hit in running if hit.treatment.not_started_on is None]
    if live:
        return _running(live[-1], held.waiting, today)
    if held.elsewhere:
        return (
            "This is a transfer in, if it is the same treatment: another provider holds a live "
            "approval of this patient for this drug. Ask that provider to transfer it to you."
        )
    stopped = [hit.treatment.stopped_on for hit in own if hit.treatment.stopped_on is not None]
    if stopped:
        return (
            f"This is a restart after a stop on {day_words(max(stopped))}: it goes by a first "
            "request, which is decided anew."
        )
    if own:
        return "This is a first request: the treatment on record was never started."
    if held.hits:
        return (
            "This is a first request: what your organisation has on record of this drug is for "
            "another indication."
        )
    return "This is a first request: your organisation has no treatment with this drug on record."


def _running(hit: SearchHit, waits: Sequence[Waiting], today: dt.date) -> str:
    asked = [each for each in waits if each.treatment_id == hit.treatment.id]
    if hit.covered_to is None and not hit.references:
        if asked:
            return (
                "This has been asked for already: the request below waits, and a second one would "
                "be refused or decided twice over."
            )
        return "This is a first request: the one on record led to no approval."
    switch = "a change of its product is a product switch, recorded on the treatment's page."
    if hit.covered_to is not None and hit.covered_to < today:
        ended = f"the days covered ended on {day_words(hit.covered_to)}"
        return f"This is a continuation of a treatment on record: {ended}; {switch}"
    return f"This is a continuation of a treatment that is approved already; {switch}"


@dataclass(frozen=True, slots=True)
class Known:
    """An open draft or a waiting request, as a list names it."""

    href: str
    text: str


def known_rows(held: Held, caller: Caller, titles: Mapping[str, str]) -> tuple[Known, ...]:
    """The waiting requests, then the open drafts. `titles`: policy → its title."""
    asked = [
        Known(
            f"/requests/{each.request_id}",
            f"{each.kind.value.capitalize()}, sent on {day_words(london_day(each.submitted_at))}: "
            f"{state_words(each.state).lower()}",
        )
        for each in held.waiting
    ]
    drafts = [
        Known(
            f"/drafts/{each.id}",
            f"Draft: {each.kind.value}, {titles.get(each.policy or '', 'a later request')}, "
            f"changed {instant_words(each.changed_at)} by "
            f"{'you' if each.changed_by == caller.id else 'a colleague'}",
        )
        for each in held.drafts
    ]
    return (*asked, *drafts)


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One treatment of the organisation's own, as its card tells of it."""

    treatment_id: str
    text: str
    said: str
    may_continue: bool


def held_rows(held: Held, titles: Mapping[str, str]) -> tuple[HeldRow, ...]:
    """The own treatments with this drug. `titles`: policy → its title."""
    return tuple(_held_row(hit, titles) for hit in held.hits)


def _held_row(hit: SearchHit, titles: Mapping[str, str]) -> HeldRow:
    of = hit.treatment
    if hit.covered_to is not None:
        said = [f"Covered to {day_words(hit.covered_to)}."]
    else:
        said = ["Covered, with no end." if hit.references else "No covered days."]
    if of.stopped_on is not None:
        said.append(f"Stopped on {day_words(of.stopped_on)}.")
    if of.not_started_on is not None:
        said.append("Never started.")
    if hit.references:
        said.append(f"Reference {', '.join(hit.references)}.")
    may = of.stopped_on is None and of.not_started_on is None and bool(hit.references)
    return HeldRow(of.id, titles.get(of.policy, of.policy), " ".join(said), may)


def _treatments(work: Work, caller: Caller, found: Filling) -> tuple[SearchHit, ...]:
    typed = _patient(found)
    number, local_id = typed.get("nhs_number"), typed.get("local_id")
    if not number and not local_id:
        return ()
    query = SearchQuery(
        nhs_number=number or None,
        local_id=None if number else local_id,
        drug=found.version.drug,
    )
    try:
        return search(work, caller, query).hits
    except ApprovalsError:
        return ()


def _number(found: Filling) -> str | None:
    typed = _patient(found).get("nhs_number")
    try:
        return parse_nhs_number(typed) if isinstance(typed, str) else None
    except InvalidNhsNumber:
        return None


def _patient(found: Filling) -> Mapping[str, Any]:
    given = found.draft.form.get("patient")
    return given if isinstance(given, Mapping) else {}


def _same(version: PolicyVersion, found: Filling) -> bool:
    return version.drug == found.version.drug
