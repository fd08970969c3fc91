"""What the service decides with: the library, the mode, and the dated settings of organisations."""

import datetime as dt
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.approvals.errors import DetailsNotAccepted, PolicyNotUsable, TransitionNotAllowed
from app.approvals.library import Library
from app.approvals.published import JoinedLibrary, expect_newest
from app.audit import Actor, Event, record
from app.auth.guesses import DEFAULT_LIMITS, GuessLimits
from app.auth.holders import check_two_named
from app.db import tables
from app.db.statements import Statement
from app.db.work import Work
from app.policy import Outcome, Overlay, PolicyDecision, PolicyVersion
from app.reference_data.pseudonyms import Pseudonyms

PHARMACIST_AUTHORISATION = "pharmacist_authorisation"
PANEL = "panel"
APPROVAL_NOT_REQUIRED = "approval_not_required"
_column = tables.organisation_setting.c
_SETTING = Statement(
    select(_column.value)
    .where(
        _column.organisation == bindparam("whose"),
        _column.setting == bindparam("name"),
        _column.from_day <= bindparam("on"),
        or_(_column.to_day.is_(None), _column.to_day >= bindparam("on")),
    )
    .order_by(_column.from_day.desc(), _column.recorded_at.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Office:
    """The library, the mode in which the service runs, and what makes pseudonyms.

    `library` is the packaged files alone: a use case asks `library_at`.
    """

    library: Library
    demonstration: bool
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)
    back_entry_days: int = 7  # for how long after its signature a paper form may be entered
    guesses: GuessLimits = DEFAULT_LIMITS
    joined: JoinedLibrary = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "joined", JoinedLibrary(self.library))

    def library_at(self, work: Work) -> Library:
        """The packaged files and what was published before this transaction."""
        return self.joined.at(work)

    def expect_library(self, work: Work) -> None:
        """Ask along with the next question what `library_at` will."""
        expect_newest(work)


def expect_text(work: Work, version: PolicyVersion) -> None:
    """Ask along with the next question whether the version's text is stored: texts never go."""
    text = version.base or version
    work.expect(_stored(tables.policy_version), {"digest": text.hash})


def expect_authorisation(work: Work, provider: str) -> None:
    """Ask along with the next question what `wants_pharmacist` will.

    Once all locks are held, not before: a setting that changes during a wait must be seen.
    """
    on = work.moment.day
    work.expect(_SETTING, {"whose": provider, "name": PHARMACIST_AUTHORISATION, "on": on})


def setting(work: Work, organisation: str, name: str, on: dt.date) -> Any:
    """An organisation's setting on a day, the newest that is valid; None when it has none."""
    rows = work.ask(_SETTING, {"whose": organisation, "name": name, "on": on})
    return rows[0]["value"] if rows else None


def wants_pharmacist(work: Work, provider: str, on: dt.date) -> bool:
    """Whether the trust wants its pharmacist to authorise before an approval is issued."""
    return setting(work, provider, PHARMACIST_AUTHORISATION, on) is True


def panel_of(work: Work, commissioner: str, policy: str, on: dt.date) -> str | None:
    """The panel that decides the commissioner's referred requests; None: the commissioner does."""
    found = setting(work, commissioner, PANEL, on)
    if isinstance(found, dict):
        found = found.get(policy, found.get("*"))
    return found if isinstance(found, str) else None


def adopted(work: Work, version: PolicyVersion, commissioner: str, on: dt.date) -> bool:
    """Whether the commissioner has adopted this version, by two people, as of a day.

    With an overlay, both: the version, and the overlay on top of it.
    """
    if version.overlay is not None and not _adopted(
        work, version.policy, overlay_number(version.overlay), commissioner, on
    ):
        return False
    return _adopted(work, version.policy, version.version, commissioner, on)


def overlay_number(overlay: Overlay) -> str:
    """How an adoption names an overlay of its commissioner: `+` and its first day."""
    return f"+{overlay.from_.isoformat()}"


def _adopted(work: Work, policy: str, number: str, commissioner: str, on: dt.date) -> bool:
    column = tables.adoption.c
    found = work.connection.execute(
        select(column.id)
        .where(
            and_(
                column.commissioner == commissioner,
                column.policy == policy,
                column.version == number,
                column.from_day <= on,
                or_(column.to_day.is_(None), column.to_day >= on),
            )
        )
        .limit(1)
    ).first()
    return found is not None


def limit_authority(decision: PolicyDecision, is_adopted: bool, unverified: bool) -> PolicyDecision:
    """The decision that a version may give: what it may not decide itself it refers.

    A version decides only where the commissioner has adopted it; one with an unverified criterion
    or term can only refer. What is missing is asked for all the same.
    """
    if decision.outcome not in (Outcome.APPROVED, Outcome.CRITERIA_NOT_MET):
        return decision
    why = no_authority(is_adopted, unverified)
    if why is None:
        return decision
    return replace(decision, outcome=Outcome.REFERRED, reasons=(*decision.reasons, why))


def no_authority(is_adopted: bool, unverified: bool) -> str | None:
    """Why a policy version may not decide by itself; None if it may."""
    if not is_adopted:
        return "The commissioner has not adopted this policy version, so people decide."
    if unverified:
        return "This policy version has criteria not yet checked at their source, so people decide."
    return None


def remember_version(work: Work, version: PolicyVersion, origin: str = "packaged") -> None:
    """Store the resolved texts of a version and its overlay beside what they decide, once.

    Raises PolicyNotUsable where another text is stored under its number.
    """
    if version.overlay is not None:
        remember_overlay(work, version.overlay)
    version = version.base or version
    table = tables.policy_version
    if _is_stored(work, table, version.hash):
        return
    column = table.c
    numbered = and_(column.policy == version.policy, column.version == version.version)
    values = {
        "hash": version.hash,
        "policy": version.policy,
        "version": version.version,
        "language": version.language,
        "resolved": version.resolved,
        "origin": origin,
        "recorded_at": work.moment.instant,
    }
    _store_once(work, table, values, numbered, version)


def remember_overlay(work: Work, overlay: Overlay) -> None:
    """Store the text of an overlay, once; PolicyNotUsable as for a version."""
    table = tables.policy_overlay
    if _is_stored(work, table, overlay.hash):
        return
    column = table.c
    numbered = and_(
        column.policy == overlay.policy,
        column.commissioner == overlay.commissioner,
        column.from_day == overlay.from_,
    )
    values = {
        "hash": overlay.hash,
        "policy": overlay.policy,
        "commissioner": overlay.commissioner,
        "from_day": overlay.from_,
        "resolved": overlay.resolved,
        "recorded_at": work.moment.instant,
    }
    _store_once(work, table, values, numbered, overlay)


def _is_stored(work: Work, table: Table, digest: str) -> bool:
    """Whether a text is stored: texts are never removed, so once in a transaction is enough."""
    key = (table, digest)
    if key in work.kept:
        return True
    found = bool(work.ask(_stored(table), {"digest": digest}))
    if found and work.keeps:
        work.kept[key] = True
    return found


@cache
def _stored(table: Table) -> Statement:
    return Statement(select(table.c.hash).where(table.c.hash == bindparam("digest")))


def _store_once(
    work: Work,
    table: Table,
    values: dict[str, Any],
    numbered: ColumnElement[bool],
    found: PolicyVersion | Overlay,
) -> None:
    """Insert a text unless it is there; another one under its number was decided by, or published.

    Two processes may store the same text at once: on PostgreSQL the second waits and goes on.
    """
    taken = select(table.c.hash).where(numbered)
    if work.connection.execute(taken).first() is None:
        dialect = postgresql if work.on_postgres else sqlite
        insertion = dialect.insert(table).values(**values)
        work.connection.execute(insertion.on_conflict_do_nothing())
    if work.connection.execute(taken).scalar_one() != found.hash:
        raise PolicyNotUsable(
            f"Another text is stored as {found.policy} {found.version}: a text in use never "
            "changes. Run the library that the service ran with, or publish this text as a "
            "correction with its own number."
        )
    if work.keeps:
        work.kept[table, found.hash] = True


def stored_overlay(work: Work, digest: str) -> str | None:
    """The resolved text of an overlay that has decided something, by its hash."""
    column = tables.policy_overlay.c
    return work.connection.execute(
        select(column.resolved).where(column.hash == digest)
    ).scalar_one_or_none()


def stored_version(work: Work, digest: str) -> str | None:
    """The resolved text of a version that has decided something, by its hash."""
    column = tables.policy_version.c
    return work.connection.execute(
        select(column.resolved).where(column.hash == digest)
    ).scalar_one_or_none()


def change_setting(
    work: Work, organisation: str, name: str, value: Any, from_day: dt.date, by: str
) -> None:
    """Add a dated setting; earlier ones stay and are outdated by it from its first day."""
    work.connection.execute(
        insert(tables.organisation_setting).values(
            id=work.new_id(),
            organisation=organisation,
            setting=name,
            value=value,
            from_day=from_day,
            to_day=None,
            recorded_at=work.moment.instant,
            recorded_by=by,
        )
    )


def same_person(one: str, other: str) -> bool:
    """Whether two names differ in nothing but case and spacing."""
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def adopt(
    work: Work,
    version: PolicyVersion | Overlay,
    commissioner: str,
    from_day: dt.date,
    by: str,
    seconded_by: str,
    actor: Actor | None = None,
    *,
    registered: bool = False,
) -> None:
    """Record that a commissioner lets a version, or its overlay, decide from a day.

    It takes two people: DetailsNotAccepted for one, also under another spelling of case and
    spaces, and for another commissioner's overlay. CallerNotAccepted where both names stand for
    one registered person, and with `registered` where one stands for none. `actor` is who does it,
    where they signed in; without one it is an operator at the command line.
    """
    check_two_adopt(work, version, commissioner, by, seconded_by, registered=registered)
    is_overlay = isinstance(version, Overlay)
    number = adopted_number(version)
    if _adopted(work, version.policy, number, commissioner, from_day):
        raise TransitionNotAllowed("The commissioner has adopted that version already.")
    if _ended_from(work, version.policy, number, commissioner, from_day):
        raise TransitionNotAllowed(
            "An adoption of that version from that very day was ended. Choose a later day."
        )
    work.connection.execute(
        insert(tables.adoption).values(
            id=work.new_id(),
            commissioner=commissioner,
            policy=version.policy,
            version=number,
            from_day=from_day,
            to_day=None,
            adopted_by=by.strip(),
            seconded_by=seconded_by.strip(),
            recorded_at=work.moment.instant,
        )
    )
    if isinstance(version, Overlay):
        remember_overlay(work, version)
    else:
        remember_version(work, version)
    actor = actor or operator(by, commissioner, "adopt")
    event = Event(
        action="policy overlay adopted" if is_overlay else "policy version adopted",
        object_type="policy",
        object_id=version.policy,
        after={
            "version": number,
            "from_day": from_day.isoformat(),
            "by": by.strip(),
            "seconded_by": seconded_by.strip(),
        },
        policy_hash=version.hash,
    )
    record(work, actor, event)


def adopted_number(version: PolicyVersion | Overlay) -> str:
    """How an adoption names a version, or an overlay of its commissioner."""
    return overlay_number(version) if isinstance(version, Overlay) else version.version


def operator(by: str, commissioner: str, act: str) -> Actor:
    """Whom the audit log names where an operator acts for a commissioner at the command line."""
    return Actor(by.strip()[:36], "person", commissioner, "commissioner", "command line", act)


def check_two_adopt(
    work: Work,
    version: PolicyVersion | Overlay,
    commissioner: str,
    by: str,
    seconded_by: str,
    *,
    registered: bool,
) -> None:
    """Raise unless two people adopt, or end adopting, a text that is the commissioner's to adopt.

    DetailsNotAccepted for one person and for another commissioner's overlay; CallerNotAccepted
    as `check_two_named` has it.
    """
    if not by.strip() or not seconded_by.strip() or same_person(by, seconded_by):
        raise DetailsNotAccepted(
            "seconded_by", "An adoption takes two people. Name a second one, not the same."
        )
    check_two_named(work, by, seconded_by, registered=registered)
    if isinstance(version, Overlay) and version.commissioner != commissioner:
        raise DetailsNotAccepted(
            "commissioner", "That is another commissioner's overlay. Adopt your own."
        )


def _ended_from(work: Work, policy: str, number: str, commissioner: str, day: dt.date) -> bool:
    """Whether an adoption that began on that very day stands on record, ended by now."""
    column = tables.adoption.c
    found = work.connection.execute(
        select(column.id).where(
            column.commissioner == commissioner,
            column.policy == policy,
            column.version == number,
            column.from_day == day,
        )
    ).first()
    return found is not None
