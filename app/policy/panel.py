"""Whether a panel decides: the six panel statuses, the panel's answer time, and their words.

A version that names no status has one derived from how it decides, so that the texts from before
the field was there need no correction: a general refusal is *individual funding only*, the
mechanism *panel* is *panel*, and everything else is *no panel* (whoever meets every criterion is
approved without one; single criteria may still refer).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from app.policy.model import Evidence, PolicyDecision, PolicyVersion, Source

_SATURDAY = 5


class PanelStatus(StrEnum):
    """Who lets a treatment under a policy begin."""

    NO_PANEL = "no_panel"
    PANEL = "panel"
    PANEL_EXCEPT_CRISIS = "panel_except_crisis"
    EXTERNAL_AUTHORITY = "external_authority"
    IFR_ONLY = "ifr_only"
    INEFFECTIVE = "ineffective"


@dataclass(frozen=True, slots=True)
class PanelTerms:
    """What a version says of its panel.

    `authority` decides an *external authority*; `crisis` is the id of the start criterion that
    tells a crisis. The panel answers within `answer_days` days or `answer_working_days` working
    days; `urgent` says what happens when treatment cannot wait for it. `members` is how many of its
    members must agree before it has decided: 1 or 2, 1 where the version does not say.
    """

    status: PanelStatus
    authority: str | None
    crisis: str | None
    answer_days: int | None
    answer_working_days: int | None
    urgent: str | None
    members: int
    source: Source
    evidence: Evidence


def panel_terms(data: Mapping[str, Any] | None, sources: Mapping[str, Source]) -> PanelTerms | None:
    """The `panel` of a file, if it has one."""
    if data is None:
        return None
    within = data.get("answer_within") or {}
    urgent = data.get("urgent")
    return PanelTerms(
        status=PanelStatus(data["status"]),
        authority=data.get("authority"),
        crisis=data.get("crisis"),
        answer_days=within.get("days"),
        answer_working_days=within.get("working_days"),
        urgent=None if urgent is None else urgent.strip(),
        members=int(data.get("members", 1)),
        source=sources[data["source"]],
        evidence=data["evidence"],
    )


def panel_status(version: PolicyVersion) -> PanelStatus:
    """The version's own status, or the one that how it decides amounts to."""
    if version.panel is not None:
        return version.panel.status
    if version.new_starts is not None and version.new_starts.decide == "refuse":
        return PanelStatus.IFR_ONLY
    return PanelStatus.PANEL if version.mechanism == "panel" else PanelStatus.NO_PANEL


_WORDS: Final[dict[PanelStatus, str]] = {
    PanelStatus.NO_PANEL: "No panel: whoever meets every criterion is approved without one.",
    PanelStatus.PANEL: "A panel decides before treatment begins.",
    PanelStatus.PANEL_EXCEPT_CRISIS: "A panel decides before treatment begins, except in a crisis.",
    PanelStatus.IFR_ONLY: (
        "Not commissioned: an exceptional case goes by an individual funding request."
    ),
    PanelStatus.INEFFECTIVE: (
        "Shown not to work: an individual funding request should not normally be sought."
    ),
}


def status_words(version: PolicyVersion) -> str:
    """The version's status as one sentence."""
    status = panel_status(version)
    if status is PanelStatus.EXTERNAL_AUTHORITY:
        assert version.panel is not None  # this status is never derived
        return f"{version.panel.authority} decides, not a panel of this service: ask it."
    return _WORDS[status]


def members_to_agree(version: PolicyVersion) -> int:
    """How many members of a panel must agree on what is referred under the version: 1 or 2.

    The larger of what its text and its overlay ask for: an overlay takes no member away.
    """
    national = 1 if version.panel is None else version.panel.members
    return national if version.overlay is None else max(national, version.overlay.members)


def members_words(version: PolicyVersion) -> str | None:
    """That two members must agree, as one sentence; None where one member decides."""
    if members_to_agree(version) == 1:
        return None
    said = "Two members must agree on what is referred, before it is decided"
    if version.overlay is None or (version.panel is not None and version.panel.members == 2):
        return f"{said}."
    return f"{said} ({version.overlay.layer})."


def answer_words(terms: PanelTerms | None) -> str | None:
    """How soon the panel answers, as one sentence; None where the version does not say."""
    if terms is None:
        return None
    if terms.answer_days is not None:
        return f"The panel answers within {_count(terms.answer_days, 'day')}."
    if terms.answer_working_days is not None:
        return f"The panel answers within {_count(terms.answer_working_days, 'working day')}."
    return None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def answer_by(terms: PanelTerms | None, referred_on: dt.date) -> dt.date | None:
    """The day by which the panel answers a request that was referred on a day.

    The day of referral is day 0. Working days are Monday to Friday: bank holidays are not held
    here, so around one the panel may answer a day later than this says.
    """
    if terms is None:
        return None
    if terms.answer_days is not None:
        return referred_on + dt.timedelta(days=terms.answer_days)
    if terms.answer_working_days is None:
        return None
    day, left = referred_on, terms.answer_working_days
    while left:
        day += dt.timedelta(days=1)
        left -= day.weekday() < _SATURDAY
    return day


def panel_reasons(version: PolicyVersion, decision: PolicyDecision) -> tuple[str, ...]:
    """What the version's own panel terms add to the reasons of a decision on a first request."""
    terms = version.panel
    if terms is None:
        return ()
    if decision.outcome == "criteria not met":
        told = (PanelStatus.IFR_ONLY, PanelStatus.INEFFECTIVE)
        return (status_words(version),) if terms.status in told else ()
    if decision.outcome != "referred":
        return ()
    found = []
    if terms.status in (PanelStatus.EXTERNAL_AUTHORITY, PanelStatus.PANEL_EXCEPT_CRISIS):
        found.append(status_words(version))
    answer = answer_words(terms)
    return (*found, *([] if answer is None else [answer]))


# --- checking a file ----------------------------------------------------------------------------

_NEEDS: Final[dict[str, tuple[tuple[str, ...], str | None]]] = {
    "no_panel": (("prior_approval", "notification"), None),
    "panel": (("panel",), None),
    "panel_except_crisis": (("prior_approval",), None),
    "external_authority": (("prior_approval", "panel"), "refer"),
    "ifr_only": (("prior_approval", "panel"), "refuse"),
    "ineffective": (("prior_approval", "panel"), "refuse"),
}
_ONLY_WITH: Final = {"authority": "external_authority", "crisis": "panel_except_crisis"}


def panel_faults(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str, str]]:
    """Where the `panel` of a well-shaped file contradicts the rest: path, code, message, mend."""
    panel = data["panel"]
    status = panel["status"]
    for name, wanted in _ONLY_WITH.items():
        if (name in panel) != (status == wanted):
            verb = "needs" if status == wanted else "takes no"
            mend = f"Add `{name}:`" if status == wanted else f"Take `{name}:` out"
            yield ("panel",), f"panel-{name}", f"the status {status} {verb} `{name}`", mend
    mechanisms, decides = _NEEDS[status]
    if data.get("mechanism") not in mechanisms:
        wanted = " or ".join(mechanisms)
        message = f"the status {status} does not go with the mechanism {data.get('mechanism')}"
        yield ("panel", "status"), "panel-mechanism", message, f"Write `mechanism: {wanted}`"
    if (data.get("new_starts") or {}).get("decide") != decides:
        says = f"`new_starts: {{decide: {decides}, …}}`" if decides else "no `new_starts`"
        message = f"the status {status} goes with {says}"
        yield ("panel", "status"), "panel-new-starts", message, "Make the two agree"
    if decides is not None and "answer_within" in panel:
        message = f"with the status {status} no panel answers"
        yield ("panel",), "panel-answer", message, "Take `answer_within:` out"
    yield from _crisis_faults(data, panel)


def _crisis_faults(
    data: Mapping[str, Any], panel: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], str, str, str]]:
    start = data.get("start")
    criteria = [each for each in start or () if isinstance(each, dict)]
    if "crisis" in panel and not any(
        each.get("id") == panel["crisis"] and each.get("on_failure") == "refer" for each in criteria
    ):
        yield (
            ("panel", "crisis"),
            "panel-crisis",
            f"no start criterion {panel['crisis']} refers where there is no crisis",
            "Name the criterion that tells a crisis, and give it `on_failure: refer`",
        )
