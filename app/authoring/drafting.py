"""Policy drafts in the database: written, asked to be published, published by another person.

A draft is its organisation's: another's is not found. Its text may change until it is published;
who wrote it last, and who asked for its publication, cannot be the one who publishes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from app.approvals.adopting import told_apart
from app.approvals.errors import NotFound, TransitionNotAllowed, VersionMismatch
from app.approvals.permissions import Action, check_can
from app.approvals.published import JoinedLibrary
from app.approvals.second_person import behind
from app.audit import Event, record
from app.auth.errors import NotAllowed
from app.auth.holders import check_person, check_second
from app.auth.model import Caller
from app.authoring import prover
from app.authoring.draft_check import CheckedDraft
from app.authoring.errors import BenchRefused
from app.authoring.proving import stored_proof
from app.authoring.publish import publish_to_database
from app.db.tables import policy_draft
from app.db.work import Work
from app.policy import Overlay, PolicyVersion
from app.policy.document import MAX_CHARACTERS

DRAFT, ASKED, PUBLISHED, DISCARDED = "draft", "asked", "published", "discarded"
SHOWN: Final = 200
#: What comes first in the list of drafts.
_RANKS: Final = {ASKED: 2, DRAFT: 1}
_LONGEST_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """A text that an organisation's authors write. `version` counts its changes."""

    id: str
    organisation: str
    text: str
    title: str
    policy: str | None
    number: str | None
    hash: str | None
    state: str  # draft | asked | published | discarded
    version: int
    written_by: str
    written_by_name: str
    written_at: dt.datetime
    asked_by: str | None = None
    asked_by_name: str | None = None
    published_by_name: str | None = None
    published_at: dt.datetime | None = None


def check_storable(text: str) -> None:
    """Raise BenchRefused for a text that cannot be kept: nothing, too long, or no text."""
    if not text.strip():
        raise BenchRefused("There is no text. Paste one, or choose a file.")
    if len(text) > MAX_CHARACTERS:
        raise BenchRefused(
            f"The text is over {MAX_CHARACTERS // 1024} KB, so it was not kept. A policy is far "
            "shorter: check that it is the right file, or split the policy."
        )
    if "\x00" in text:
        raise BenchRefused(
            "The text holds characters that no text has, so it was not kept. Save the file as "
            "plain text in UTF-8."
        )


def create_draft(work: Work, caller: Caller, text: str, checked: CheckedDraft) -> PolicyDraft:
    """Keep a new draft, be it faulty. Raises BenchRefused as `check_storable` does."""
    check_can(caller, Action.WRITE_POLICY)
    check_storable(text)
    made = PolicyDraft(
        id=work.new_id(),
        organisation=caller.organisation,
        text=text,
        state=DRAFT,
        version=1,
        written_by=caller.id,
        written_by_name=caller.name[:120],
        written_at=work.moment.instant,
        **_known_by(text, checked),
    )
    work.connection.execute(sa.insert(policy_draft).values(**asdict(made)))
    _audit(work, caller, "write policy draft", made)
    return made


def save_draft(
    work: Work, caller: Caller, draft_id: str, version: int, text: str, checked: CheckedDraft
) -> PolicyDraft:
    """Replace the text; one that waited for publication is a draft again.

    Raises VersionMismatch where another saved in between, TransitionNotAllowed once it is over.
    """
    found = _open(work, caller, draft_id, version, (DRAFT, ASKED))
    check_storable(text)
    return _change(
        work,
        caller,
        "write policy draft",
        found,
        text=text,
        state=DRAFT,
        written_by=caller.id,
        written_by_name=caller.name[:120],
        written_at=work.moment.instant,
        asked_by=None,
        asked_by_name=None,
        **_known_by(text, checked),
    )


def ask_to_publish(
    work: Work, caller: Caller, draft_id: str, version: int, checked: CheckedDraft
) -> PolicyDraft:
    """Ask another author to publish it.

    Raises BenchRefused while anything is to be mended, NotAllowed for a credential of no person.
    """
    check_person(work, caller, "ask to publish a policy")
    found = _open(work, caller, draft_id, version, (DRAFT,))
    _check_sound(checked, found)
    return _change(
        work,
        caller,
        "ask to publish policy",
        found,
        state=ASKED,
        asked_by=caller.id,
        asked_by_name=caller.name[:120],
    )


def publish_draft(
    work: Work,
    held: JoinedLibrary,
    caller: Caller,
    draft_id: str,
    version: int,
    checked: CheckedDraft,
    publishers: Collection[str],
) -> PolicyDraft:
    """Publish it as the second person: from this commit on it joins every process's library.

    Raises NotAllowed for whoever wrote it or asked, and for an organisation that does not publish
    such texts; BenchRefused for faults, a number that is taken, or proofs that are missing where
    there is a prover.
    """
    found = _open(work, caller, draft_id, version, (ASKED,))
    for first in {found.written_by, found.asked_by or found.written_by}:
        ask = "Ask another policy author of your organisation."
        check_second(work, caller, first, "publish that policy", ask)
    text = _check_sound(checked, found)
    check_may_publish(caller, text, publishers)
    if isinstance(text, PolicyVersion):
        _check_proved(work, text)
    by, second = told_apart(
        (found.asked_by_name or "", found.asked_by or ""), (caller.name, caller.id)
    )
    publish_to_database(work, held, text, by, second, caller.actor())
    return _change(
        work,
        caller,
        "publish policy draft",
        found,
        state=PUBLISHED,
        published_by_name=caller.name[:120],
        published_at=work.moment.instant,
    )


def return_draft(work: Work, caller: Caller, draft_id: str, version: int) -> PolicyDraft:
    """Send it back to be written further; also whoever asked may take that back."""
    found = _open(work, caller, draft_id, version, (ASKED,))
    return _change(
        work,
        caller,
        "return policy draft",
        found,
        state=DRAFT,
        asked_by=None,
        asked_by_name=None,
    )


def discard_draft(work: Work, caller: Caller, draft_id: str, version: int) -> PolicyDraft:
    """Put a draft away; its text is emptied."""
    found = _open(work, caller, draft_id, version, (DRAFT, ASKED))
    return _change(work, caller, "discard policy draft", found, state=DISCARDED, text="")


def find_draft(work: Work, caller: Caller, draft_id: str) -> PolicyDraft:
    """A draft of the caller's organisation; NotFound otherwise, and for one put away."""
    check_can(caller, Action.WRITE_POLICY)
    row = work.connection.execute(_own(caller, draft_id)).one_or_none()
    if row is None or row.state == DISCARDED:
        raise NotFound("policy draft")
    return PolicyDraft(**row._mapping)


class Place(NamedTuple):
    """A place in the list of drafts: a page goes on behind one. `rank` is its state's."""

    rank: int
    written_at: dt.datetime
    id: str


def place_of(draft: PolicyDraft) -> Place:
    """Where a draft stands in its list."""
    return Place(_RANKS.get(draft.state, 0), draft.written_at, draft.id)


def drafts_of(
    work: Work, caller: Caller, limit: int = SHOWN, after: Place | None = None
) -> tuple[PolicyDraft, ...]:
    """The organisation's drafts: what waits for a second person, then the newest.

    `after`: only those behind a place.
    """
    check_can(caller, Action.WRITE_POLICY)
    column = policy_draft.c
    query = sa.select(policy_draft).where(
        column.organisation == caller.organisation, column.state != DISCARDED
    )
    rank = sa.case(*((column.state == state, rank) for state, rank in _RANKS.items()), else_=0)
    query = behind(query, (rank, column.written_at, column.id), after).limit(limit)
    return tuple(PolicyDraft(**row._mapping) for row in work.connection.execute(query))


def check_may_publish(
    caller: Caller, text: PolicyVersion | Overlay, publishers: Collection[str]
) -> None:
    """Raise NotAllowed unless the caller's organisation may publish such a text.

    A version holds for everybody from its first day (it refers where it is not adopted), so only
    the organisations that the settings name publish one; an overlay is its commissioner's own.
    """
    if isinstance(text, Overlay):
        if text.commissioner != caller.organisation:
            raise NotAllowed(
                "publish that overlay",
                "it is another commissioner's",
                "Write an overlay of your own organisation.",
            )
    elif caller.organisation not in publishers:
        raise NotAllowed(
            "publish that policy version",
            "your organisation publishes none for everybody",
            "Ask the people who run the service, or publish an overlay of your own.",
        )


# --- parts --------------------------------------------------------------------------------------


def _check_sound(checked: CheckedDraft, found: PolicyDraft) -> PolicyVersion | Overlay:
    if not checked.sound or checked.found is None:
        raise BenchRefused("It still has faults. Open the draft, mend them and save it.")
    if checked.found.hash != found.hash:
        raise BenchRefused(
            "The text no longer means what it did when it was saved: something that it shares has "
            "changed. Open the draft, look at it and save it again."
        )
    return checked.found


def _check_proved(work: Work, text: PolicyVersion) -> None:
    """Where there is a prover, it has looked at what is published, and found no fault."""
    proof = stored_proof(work, text.hash)
    if proof is not None and proof.faults:
        raise BenchRefused("The proofs show faults. Return the draft, mend them and save it.")
    if proof is None and prover.available():
        raise BenchRefused(
            "It has not been proved yet. Ask for its proofs on the draft's page, wait for them, "
            "then publish."
        )


def _known_by(text: str, checked: CheckedDraft) -> dict[str, Any]:
    found = checked.found
    if found is None:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        return {
            "title": f"Not readable yet: {first}"[:_LONGEST_TITLE],
            "policy": None,
            "number": None,
            "hash": None,
        }
    title = f"Overlay on {found.policy}" if isinstance(found, Overlay) else found.title
    return {
        "title": title[:_LONGEST_TITLE],
        "policy": found.policy[:80],
        "number": found.version[:40],
        "hash": found.hash,
    }


def _own(caller: Caller, draft_id: str) -> sa.Select[Any]:
    column = policy_draft.c
    return sa.select(policy_draft).where(
        column.id == draft_id, column.organisation == caller.organisation
    )


def _open(
    work: Work, caller: Caller, draft_id: str, version: int, states: Collection[str]
) -> PolicyDraft:
    check_can(caller, Action.WRITE_POLICY)
    row = work.connection.execute(_own(caller, draft_id).with_for_update()).one_or_none()
    if row is None or row.state == DISCARDED:
        raise NotFound("policy draft")
    if row.version != version:
        raise VersionMismatch("Somebody changed the draft since you read it. Load the page again.")
    if row.state not in states:
        raise TransitionNotAllowed(_OVER[row.state])
    return PolicyDraft(**row._mapping)


_OVER: Final = {
    DRAFT: "It does not wait for publication: somebody sent it back. Load the page again.",
    ASKED: "It waits for publication already. Load the page again.",
    PUBLISHED: "It was published, and its text never changes. Publish a correction.",
}


def _change(
    work: Work, caller: Caller, action: str, found: PolicyDraft, **values: Any
) -> PolicyDraft:
    changed = replace(found, version=found.version + 1, **values)
    work.connection.execute(
        sa.update(policy_draft)
        .where(policy_draft.c.id == found.id)
        .values(version=changed.version, **values)
    )
    _audit(work, caller, action, changed)
    return changed


def _audit(work: Work, caller: Caller, action: str, found: PolicyDraft) -> None:
    after = {"state": found.state, "policy": found.policy, "number": found.number}
    event = Event(action, "policy draft", found.id, after=after, policy_hash=found.hash)
    record(work, caller.actor(), event)
