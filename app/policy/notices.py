"""Safety notices: from their first day they suspend new starts, whatever version decides. Pure.

A notice looks at the day of the decision, not at the decision to treat: what was safe to begin
last month need not be today. Continuations and running treatments are none of its business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from app.policy.build import day
from app.policy.document import read
from app.policy.errors import Fault, PolicyFileFaults
from app.policy.model import Notice, Outcome, PolicyDecision
from app.policy.schema_check import shape_faults


def load_notice(text: str, file: str, name: str) -> Notice:
    """Load one notice file; PolicyFileFaults with every fault, in the order of the lines."""
    document = read(text, file)
    faults = document.faults
    if not document.cut_short:
        faults = [*faults, *(fault for _, fault in shape_faults(document, file, "notice"))]
    if not faults:
        data = document.data
        if data.get("lifted") and data["lifted"] < data["from"]:
            message, line = "it is lifted before it begins", document.line(("lifted",))
            faults = [Fault(file, line, None, "notice", message, "Swap the two days")]
    if faults:
        raise PolicyFileFaults(tuple(sorted(faults, key=lambda fault: fault.line or 0)))
    return notice_from_json({**document.data, "name": name})


def notice_from_json(data: Mapping[str, Any]) -> Notice:
    """A notice from the data of its file, with its name."""
    return Notice(
        name=data["name"],
        title=data["title"].strip(),
        drugs=tuple(data["drugs"]),
        policies=tuple(data.get("policies") or ()),
        from_=date.fromisoformat(data["from"]),
        lifted=day(data.get("lifted")),
        decide=data["decide"],
        reason=data["reason"].strip(),
        source_title=data["source"]["title"],
        source_url=data["source"].get("url"),
        evidence=data["evidence"],
    )


def notice_to_json(notice: Notice) -> dict[str, Any]:
    """A notice as plain JSON data; `notice_from_json` reads it back."""
    return {
        "name": notice.name,
        "title": notice.title,
        "drugs": list(notice.drugs),
        "policies": list(notice.policies),
        "from": notice.from_.isoformat(),
        "lifted": None if notice.lifted is None else notice.lifted.isoformat(),
        "decide": notice.decide,
        "reason": notice.reason,
        "source": {"title": notice.source_title, "url": notice.source_url},
        "evidence": notice.evidence,
    }


def in_force(
    notices: Iterable[Notice], drug: str, policy: str, on: date, begun_on: date | None = None
) -> tuple[Notice, ...]:
    """The notices that suspend a start of a drug under a policy, decided on a day.

    One that names no policy holds for all of the drug's. On the day it is lifted it no longer
    holds, and a treatment that was begun before its first day runs already.
    """
    return tuple(
        each
        for each in notices
        if drug in each.drugs
        and (not each.policies or policy in each.policies)
        and each.from_ <= on
        and (each.lifted is None or on < each.lifted)
        and (begun_on is None or begun_on >= each.from_)
    )


def suspend(
    decision: PolicyDecision, notices: tuple[Notice, ...], *, may_refuse: bool
) -> PolicyDecision:
    """The decision on a new start under these notices, each named in a reason.

    A notice that refuses refuses, whatever the criteria say; without `may_refuse` it only refers.
    One that refers keeps the policy from approving.
    """
    if not notices:
        return decision
    refuses = may_refuse and any(each.refuses for each in notices)
    outcome = decision.outcome
    if refuses:
        outcome = Outcome.CRITERIA_NOT_MET
    elif outcome is Outcome.APPROVED:
        outcome = Outcome.REFERRED
    told = tuple(reason_of(each) for each in notices)
    return replace(decision, outcome=outcome, reasons=(*decision.reasons, *told), notices=notices)


def reason_of(notice: Notice) -> str:
    """The sentence that names a notice; it speaks of new starts only."""
    day_ = f"{notice.from_.day} {notice.from_:%B %Y}"
    reason = notice.reason if notice.reason.endswith((".", "!", "?")) else f"{notice.reason}."
    return f"New starts are suspended by the safety notice “{notice.title}” of {day_}: {reason}"
