"""A draft's page in words: its state, what its reader may do, and the draft as a reader sees it."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from app.approvals.library import Library, overlaid
from app.approvals.published import Published
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from app.authoring import prover
from app.authoring.draft_check import CheckedDraft
from app.authoring.drafting import ASKED, DRAFT, PUBLISHED, PolicyDraft, check_may_publish
from app.authoring.proving import StoredProof
from app.policy import Criterion, Overlay, PolicyFileFaults, PolicyVersion, apply_overlay
from app.web.decision import Colour
from app.web.form.fields import Field, question_fields
from app.web.form.steps import steps_of as form_steps
from app.web.library import view
from app.web.library.catalogue import Catalogue, area_words
from app.web.library.worked import Retold, WorkedCases
from app.web.words import instant_words

SAVED_BETWEEN: Final = (
    "Somebody saved this draft while you were writing, so yours was not saved. Your text is below: "
    "to keep it instead of theirs, save it again."
)
_STATES: Final[dict[str, tuple[str, Colour]]] = {
    DRAFT: ("Being written", "blue"),
    ASKED: ("Waits for a second author", "yellow"),
    PUBLISHED: ("Published", "green"),
}


@dataclass(frozen=True, slots=True)
class DraftRow:
    """One draft of the list."""

    href: str
    title: str
    what: str
    state: str
    colour: Colour
    said: str
    waits_for_reader: bool


def draft_rows(found: Sequence[PolicyDraft], reader: str) -> tuple[DraftRow, ...]:
    """The drafts as `drafts_of` orders them."""
    return tuple(_draft(each, reader) for each in found)


def _draft(found: PolicyDraft, reader: str) -> DraftRow:
    words, colour = _STATES[found.state]
    return DraftRow(
        href=f"/policy-drafts/{found.id}",
        title=found.title,
        what=f"{found.policy} {found.number}" if found.policy else "does not load yet",
        state=words,
        colour=colour,
        said=said_of(found),
        waits_for_reader=found.state == ASKED and reader not in (found.written_by, found.asked_by),
    )


def said_of(found: PolicyDraft) -> str:
    """Who did what with a draft, in a sentence."""
    said = f"Written by {found.written_by_name}, {instant_words(found.written_at)}"
    if found.asked_by_name:
        said += f"; publication asked for by {found.asked_by_name}"
    if found.published_at is not None:
        said += f"; published by {found.published_by_name}, {instant_words(found.published_at)}"
    return said


@dataclass(frozen=True, slots=True)
class ProofState:
    """What is proved of a draft's text, and whether the worker is at it."""

    proof: StoredProof | None
    waits: bool


@dataclass(frozen=True, slots=True)
class Steps:
    """What the reader may do, and why not where that is worth saying."""

    state: str
    colour: Colour
    said: str
    write: bool
    ask: bool
    publish: bool
    why_not: str
    back: bool
    prove: bool
    no_prover: bool
    of_version: bool  # the text is a version's, with a number, and not a commissioner's overlay


def steps_of(
    draft: PolicyDraft,
    checked: CheckedDraft,
    caller: Caller,
    publishers: Collection[str],
    *,
    proved: ProofState,
) -> Steps:
    """The steps that the page offers; each is checked again when it is taken."""
    words, colour = _STATES[draft.state]
    waits = draft.state == ASKED
    is_version = isinstance(checked.found, PolicyVersion)
    why = _why_not(draft, checked, caller, publishers, proved) if waits else ""
    return Steps(
        state=words,
        colour=colour,
        said=said_of(draft),
        write=draft.state in (DRAFT, ASKED),
        ask=draft.state == DRAFT and checked.sound,
        publish=waits and not why,
        why_not=why,
        back=waits,
        prove=(
            draft.state != PUBLISHED
            and is_version
            and prover.available()
            and proved.proof is None
            and not proved.waits
        ),
        no_prover=not prover.available(),
        of_version=bool(draft.number) and not str(draft.number).startswith("overlay-"),
    )


def _why_not(
    draft: PolicyDraft,
    checked: CheckedDraft,
    caller: Caller,
    publishers: Collection[str],
    proved: ProofState,
) -> str:
    if caller.id in (draft.written_by, draft.asked_by):
        return "Another policy author of your organisation publishes it: you wrote it, or asked."
    if not checked.sound or checked.found is None:
        return "It has faults now. Send it back and mend them."
    try:
        check_may_publish(caller, checked.found, publishers)
    except NotAllowed as error:
        return str(error)
    if isinstance(checked.found, PolicyVersion):
        if proved.proof is not None and proved.proof.faults:
            return "The proofs show faults. Send it back and mend them."
        if proved.proof is None and prover.available():
            return "It is published once its proofs were run. Load the page again in a while."
    return ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A draft as the library would show it; `version` is what it would be without an overlay."""

    title: str
    version: PolicyVersion
    head: list[tuple[str, str]]
    sections: tuple[view.SectionView, ...]
    worked_out: tuple[object, ...]
    terms: tuple[object, ...]
    forms: tuple[tuple[str, tuple[tuple[Criterion | None, tuple[Field, ...]], ...]], ...]
    before: str | None
    groups: tuple[view.ChangeGroup, ...]
    retold: Retold | None


def reading_of(
    found: Published | None, library: Library, catalogue: Catalogue, cases: WorkedCases
) -> Reading | None:
    """The draft as text and forms, and what changes from the version before it, in words.

    An overlay is shown on the newest version that it may lie on; None where nothing loads.
    """
    version = _laid(found, library) if isinstance(found, Overlay) else found
    if version is None:
        return None
    held = library.versions(version.policy) if library.decides(version.policy) else ()
    earlier = [each for each in held if _order(each) < _order(version)]
    if version.base is not None:
        earlier.append(version.base)
    before = version.base or (earlier[-1] if earlier else None)
    return Reading(
        title=version.title,
        version=version,
        head=view.head_rows(
            version,
            area_words(catalogue.area(version.policy)),
            catalogue.drug_name(version.drug),
        ),
        sections=view.sections(version),
        worked_out=view.text_of(version, "Values worked out", catalogue.drug_in_text),
        terms=view.text_of(version, "Approval", catalogue.drug_in_text),
        forms=tuple(
            (
                words,
                tuple(
                    (block.criterion, question_fields(block.questions, {}))
                    for step in form_steps(version, kind)
                    for block in step.blocks
                ),
            )
            for kind, words in view.KINDS.items()
            if form_steps(version, kind)
        ),
        before=None if before is None else before.version,
        groups=() if before is None else view.change_groups(before, version),
        retold=cases.under(version, earlier),
    )


def _order(version: PolicyVersion) -> tuple[dt.date, str]:
    return version.in_force.from_, version.version


def _laid(overlay: Overlay, library: Library) -> PolicyVersion | None:
    if not library.decides(overlay.policy):
        return None
    for version in reversed(overlaid(library.versions(overlay.policy), overlay)):
        try:
            return apply_overlay(version, overlay)
        except PolicyFileFaults:
            return None
    return None
