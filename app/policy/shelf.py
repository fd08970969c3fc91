"""What policy files share: formulas, and an area's questions, each dated. Texts in, data out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.policy.check_derive import DerivedChecker
from app.policy.document import Document, Path, read
from app.policy.errors import Fault, PolicyFileFaults
from app.policy.formulas import RESULT_KEYS
from app.policy.model import QuestionType
from app.policy.schema_check import shape_faults

FORMULA_FILE = re.compile(r"(?:.*/)?formulas/([a-z0-9-]+)/([0-9-]{10})\.yaml")
QUESTIONS_FILE = re.compile(r"(?:.*/)?([a-z0-9-]+)/questions-([0-9-]{10})\.yaml")
RESULT = "result"
"""The name under which a formula's own result is worked out."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Shared definitions by name and day: formulas, and the questions of areas.

    `area` is the area whose questions a file may take; `of_area` makes the shelf for one.
    """

    formulas: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    questions: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    area: str | None = None

    def of_area(self, area: str) -> Shelf:
        """The shelf as the files of one area see it."""
        return replace(self, area=area)


def read_shelf(texts: Mapping[str, str]) -> Shelf:
    """The shelf that files make up, by file name: `formulas/<name>/<day>.yaml` and
    `<area>/questions-<day>.yaml`.

    Raises PolicyFileFaults with every fault of every file.
    """
    faults: list[Fault] = []
    formulas: dict[tuple[str, str], Mapping[str, Any]] = {}
    questions: dict[tuple[str, str], Mapping[str, Any]] = {}
    for file, text in texts.items():
        document = read(text, file)
        if (named := FORMULA_FILE.fullmatch(file)) is not None:
            found = _formula(document, file, named.groups())
            formulas[named[1], named[2]] = document.data
        elif (named := QUESTIONS_FILE.fullmatch(file)) is not None:
            found = _questions(document, file, named.groups())
            questions[named[1], named[2]] = document.data
        else:
            mend = "Name it formulas/<name>/<day>.yaml or <area>/questions-<day>.yaml"
            found = [Fault(file, None, None, "name", "this file's name says nothing", mend)]
        faults += found
    if faults:
        raise PolicyFileFaults(tuple(faults))
    return Shelf(formulas, questions)


def _formula(document: Document, file: str, named: tuple[str, ...]) -> list[Fault]:
    """Everything wrong with a formula's file, its expressions included."""
    faults = document.faults or [fault for _, fault in shape_faults(document, file, "formula")]
    if faults:
        return faults
    data = document.data
    if (data["name"], data["from"]) != named:
        faults.append(_misnamed(document, file))
    checker = DerivedChecker(as_policy(document), file, [], faults)
    checker.questions()
    checker.derive()
    for name, parameter in data["parameters"].items():
        if QuestionType(parameter["type"]) in (QuestionType.LIST, QuestionType.TEXT):
            line = document.line(("parameters", name))
            mend = "Take a number, a date, a choice or a yes or no"
            message = f"the parameter {name} is a list or free text"
            faults.append(Fault(file, line, None, "parameter", message, mend))
        if not _uses(data, name):
            line = document.line(("parameters", name))
            message = f"nothing uses the parameter {name}"
            faults.append(Fault(file, line, None, "parameter", message, "Use it, or take it out"))
    return faults


def as_policy(document: Document) -> Document:
    """A formula seen as the questions and derived values of a policy, its lines kept."""
    data = document.data
    result = {key: data[key] for key in RESULT_KEYS if data.get(key) is not None}
    made = Document(
        {
            "language": 2,
            "questions": data["parameters"],
            "derive": {**(data.get("derive") or {}), RESULT: result},
        }
    )
    for path, line in document.lines.items():
        moved: Path = path
        if path[:1] == ("parameters",):
            moved = ("questions", *path[1:])
        elif path and path[0] in RESULT_KEYS:
            moved = ("derive", RESULT, *path)
        made.lines[moved] = line
    return made


def _uses(data: Mapping[str, Any], name: str) -> bool:
    texts = str([data.get("derive"), *(data.get(key) for key in RESULT_KEYS)])
    return re.search(rf"\b{re.escape(name)}\b", texts) is not None


def _questions(document: Document, file: str, named: tuple[str, ...]) -> list[Fault]:
    """Everything wrong with the file of an area's questions."""
    faults = document.faults or [fault for _, fault in shape_faults(document, file, "questions")]
    if not faults:
        if (document.data["area"], document.data["from"]) != named:
            faults.append(_misnamed(document, file))
        DerivedChecker(document, file, [], faults).questions()
    return faults


def _misnamed(document: Document, file: str) -> Fault:
    message = "its folder or its name does not say what the file says"
    mend = "Name the file after its name or area, and its `from:`"
    return Fault(file, document.line(("from",)), None, "name", message, mend)
