"""Replaces what a policy file takes from the shelf by the definition itself.

What comes out is the text as if it had been written out in full, so that the hash covers it and a
stored version needs no other file. A file that shares nothing passes through unchanged.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from app.policy.document import Document, Path
from app.policy.errors import Fault
from app.policy.shelf import Shelf
from app.policy.suggestions import did_you_mean

SHARED = "shared"
_KEPT_OUT = ("cases",)


def resolve(document: Document, file: str, shelf: Shelf) -> list[tuple[Path, Fault]]:
    """Resolve a file's shared questions and formulas in place; its faults, each with its path."""
    if not isinstance(document.data, dict):
        return []
    found = [*_questions(document, shelf), *_formulas(document, shelf)]
    return [
        (path, Fault(file, document.line(path), None, code, message, mend))
        for path, code, message, mend in found
    ]


_Found = tuple[Path, str, str, str]


def _questions(document: Document, shelf: Shelf) -> Iterator[_Found]:
    data: dict[str, Any] = document.data
    questions = data.get("questions")
    entries = questions if isinstance(questions, dict) else {}
    wanted = [name for name, value in entries.items() if value == SHARED]
    if "shared" not in data:
        for name in wanted:
            mend = "Add `shared:` with the date of the area's questions, or define it here"
            yield (
                ("questions", name),
                "shared",
                f"{name} is shared, but the file says no date",
                mend,
            )
        return
    day = data.pop("shared")
    held = shelf.questions.get((shelf.area or "", str(day)))
    if held is None:
        days = [known for area, known in shelf.questions if area == shelf.area]
        where = f"the area {shelf.area}" if shelf.area else "a file outside the library"
        message = f"{where} has no shared questions of that date"
        yield ("shared",), "shared", message, did_you_mean(str(day), days)
        yield from (
            (("questions", name), "shared", f"{name} cannot be looked up", "Mend `shared:`")
            for name in wanted
        )
        return
    if not wanted:
        mend = "Write `name: shared` under `questions:`, or take `shared:` out"
        yield ("shared",), "shared", "no question is taken from the shared ones", mend
    for name in wanted:
        definition = held["questions"].get(name)
        if definition is None:
            message = f"the area {shelf.area} shares no question {name}"
            yield ("questions", name), "shared", message, did_you_mean(name, held["questions"])
        else:
            entries[name] = copy.deepcopy(definition)


def _formulas(document: Document, shelf: Shelf) -> Iterator[_Found]:
    derive = document.data.get("derive")
    for name, entry in (derive if isinstance(derive, dict) else {}).items():
        if not isinstance(entry, dict) or not isinstance(entry.get("formula"), str):
            continue
        path: Path = ("derive", name, "formula")
        wanted, day = entry["formula"], str(entry.get("version"))
        held = shelf.formulas.get((wanted, day))
        if held is not None:
            entry["formula"] = {k: copy.deepcopy(v) for k, v in held.items() if k not in _KEPT_OUT}
            del entry["version"]
            continue
        days = [known for formula, known in shelf.formulas if formula == wanted]
        if days:
            message = f"the formula {wanted} has no version of that date"
            yield ("derive", name, "version"), "formula", message, did_you_mean(day, days)
        else:
            known = sorted({formula for formula, _ in shelf.formulas})
            message = f"there is no formula {wanted[:60]}"
            yield path, "formula", message, did_you_mean(wanted, known)
