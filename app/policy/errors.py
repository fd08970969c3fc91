"""Named faults of the policy room: a policy file's, and a set of answers'."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a policy file: what is wrong, where, and how to mend it."""

    file: str
    line: int | None
    criterion: str | None
    code: str
    message: str
    mend: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        owner = "" if self.criterion is None else f"{self.criterion}: "
        return f"{place}: {owner}{self.message}. {self.mend}"


class PolicyFileFaults(Exception):
    """A policy file cannot be used; carries every fault that was found, in file order."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class AnswerFault:
    """One fault of one answer. The message never repeats the value: it may be patient data."""

    question: str
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.question}: {self.message}. {self.mend}"


class AnswerFaults(Exception):
    """A set of answers cannot be used; carries every fault that was found."""

    def __init__(self, faults: tuple[AnswerFault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Complaint:
    """A fault of one expression, before the file and the line are known."""

    code: str
    message: str
    mend: str


class ExpressionRefused(Exception):
    """An expression is outside the criteria language."""

    def __init__(self, code: str, message: str, mend: str) -> None:
        super().__init__(f"{message}. {mend}")
        self.complaint = Complaint(code, message, mend)
