"""Checks a draft's text as a page does: every fault at once, in the text alone and in the library.

Pure, and without the prover, which takes seconds: what it found is stored (`proving`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.approvals.errors import PolicyNotUsable
from app.approvals.library import Library
from app.approvals.published import Published
from app.authoring.check_file import Sort, sort_of
from app.authoring.errors import BenchRefused
from app.authoring.forms.draft import open_marks
from app.authoring.joining import check_goes_with
from app.authoring.lint import lint_version
from app.policy import (
    Fault,
    Overlay,
    PolicyFileFaults,
    PolicyVersion,
    Shelf,
    load_overlay,
    load_policy,
)
from app.policy.document import MAX_CHARACTERS

FILE: Final = "the draft"
_POLICY: Final = re.compile(r'^ ?"?policy"?\s*:\s*"?([a-z0-9-]{1,80})', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Remark:
    """One fault, or one piece of advice: where, what, and what to do."""

    line: int | None
    where: str | None
    message: str
    mend: str

    def __str__(self) -> str:
        return " ".join(_ended(each) for each in (self.message, self.mend))


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """What a text is, where it loads; what must be mended; and what its author should weigh."""

    found: Published | None
    faults: tuple[Remark, ...]
    advice: tuple[Remark, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it loads and nothing must be mended."""
        return self.found is not None and not self.faults


def check_draft(
    text: str,
    library: Library,
    shelf: Shelf,
    area_of: Callable[[str], str],
    drug_keys: Mapping[str, frozenset[str]],
) -> CheckedDraft:
    """Everything that is wrong with a text: `area_of` gives the area of a policy's key.

    It never raises for what stands in the text, however hostile.
    """
    if len(text) > MAX_CHARACTERS:
        said = f"The text is over {MAX_CHARACTERS // 1024} KB"
        return CheckedDraft(None, (Remark(None, None, said, "Split the policy"),))
    sort = sort_of(Path("draft.yaml"), text)
    if sort not in (Sort.POLICY, Sort.OVERLAY):
        said = f"This is a file of {sort.value}, not a policy version or an overlay"
        mend = "Those go into the packaged library with a release"
        return CheckedDraft(None, (Remark(None, None, said, mend),))
    try:
        found = _load(text, sort, shelf, area_of, drug_keys)
    except PolicyFileFaults as error:
        return CheckedDraft(None, tuple(_remark(each) for each in error.faults))
    faults, advice = list(_marks(text)), list[Remark]()
    if isinstance(found, PolicyVersion):
        found.compiled.complete()
        for each in lint_version(found, prove=False):
            remark = Remark(None, each.criterion, each.message, each.mend)
            (faults if each.level == "fault" else advice).append(remark)
        if "DECIDE" in found.commissioner or found.commissioner == "To be decided":
            faults.append(Remark(None, None, "its commissioner is to be decided", "Name it"))
    faults += _clashes(library, found)
    return CheckedDraft(found, tuple(faults), tuple(advice))


def _ended(words: str) -> str:
    """Words as a sentence."""
    words = words.strip()
    ended = words if words.endswith((".", "?", "!")) else f"{words}."
    return ended[:1].upper() + ended[1:]


def _load(
    text: str,
    sort: Sort,
    shelf: Shelf,
    area_of: Callable[[str], str],
    drug_keys: Mapping[str, frozenset[str]],
) -> Published:
    if sort is Sort.OVERLAY:
        return load_overlay(text, FILE)
    named = _POLICY.search(text)
    areas = {area for area, _ in shelf.questions}
    area = area_of(named.group(1)) if named else ""
    return load_policy(text, FILE, drug_keys, shelf.of_area(area) if area in areas else shelf)


def _remark(fault: Fault) -> Remark:
    return Remark(fault.line, fault.criterion, fault.message, fault.mend)


def _marks(text: str) -> Iterator[Remark]:
    for line, ask in open_marks(text):
        yield Remark(line, None, f"Still to be decided: {ask}", "Decide it and take the mark out")


def _clashes(library: Library, found: PolicyVersion | Overlay) -> Iterator[Remark]:
    """What would not go with the library; a number that is held already among it."""
    try:
        held = {each.version: each for each in library.held(found.policy)}
        if found.version in held and held[found.version].hash == found.hash:
            yield Remark(
                None,
                None,
                f"{found.policy} {found.version} is in the library already with this very text",
                "Give it another first day, or `correction:` and the next number",
            )
        check_goes_with(library, found)
    except BenchRefused as refused:
        for said in str(refused).splitlines()[1:]:
            yield Remark(None, None, said.rstrip("."), "Mend it, or the number")
    except PolicyNotUsable as refused:
        yield Remark(None, None, str(refused).rstrip("."), "Have that mended first")
