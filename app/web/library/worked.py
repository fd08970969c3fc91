"""A version's worked cases as its page shows them: what was answered, what comes out. Pure.

Cases lie in files beside the packaged versions; they are read once and run once for each version.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.authoring.files import cases_of
from app.policy import Outcome, PolicyVersion
from app.policy.cases import Case, CaseResult, read_cases, run_cases
from app.web.decision import Colour
from app.web.form.fields import answer_words
from app.web.words import day_words, first_upper

_COLOURS: dict[str, Colour] = {
    Outcome.APPROVED: "green",
    Outcome.CRITERIA_NOT_MET: "orange",
    Outcome.MORE_INFORMATION_NEEDED: "yellow",
    Outcome.REFERRED: "blue",
}


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case: the request in words, what must come out, and what does where that differs."""

    name: str
    kind: str
    decided: str
    outcome: str
    colour: Colour
    answers: tuple[tuple[str, str], ...]
    differences: tuple[str, ...]

    @property
    def said(self) -> str:
        """What must come out, within a sentence."""
        return self.outcome.lower()


@dataclass(frozen=True, slots=True)
class Retold:
    """The worked cases of another version, decided under a draft: those that come out otherwise."""

    version: str
    cases: int
    differing: tuple[CaseRow, ...]


class WorkedCases:
    """The packaged worked cases, read and run at most once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._read: dict[str, tuple[Case, ...]] = {}
        self._rows: dict[tuple[str, str | None], tuple[CaseRow, ...]] = {}

    def of(self, version: PolicyVersion) -> tuple[CaseRow, ...]:
        """The cases of a version; none for one that no packaged file has cases of."""
        overlay = version.overlay
        key = (version.hash, overlay.hash if overlay else None)
        with self._lock:
            if key not in self._rows:
                self._rows[key] = tuple(self._run(version))
            return self._rows[key]

    def cases(self, policy: str) -> tuple[Case, ...]:
        """The cases of a policy as they stand in its file."""
        if policy not in self._read:
            path = cases_of(self._folder, policy)
            text = "cases: []" if path is None else path.read_text(encoding="utf-8")
            self._read[policy] = read_cases(text, f"{policy}/cases.yaml")
        return self._read[policy]

    def under(self, draft: PolicyVersion, earlier: Sequence[PolicyVersion]) -> Retold | None:
        """The worked cases of the newest of some versions that has any, decided under a draft.

        None where none of them has cases.
        """
        with self._lock:
            held = self.cases(draft.policy)
        for version in reversed(earlier):
            own = [each for each in held if each.version == version.version]
            if own:
                results = run_cases({version.version: draft}, own)
                differing = tuple(_row(draft, each) for each in results if each.differences)
                return Retold(version.version, len(own), differing)
        return None

    def _run(self, version: PolicyVersion) -> Iterator[CaseRow]:
        layer = f" with {version.overlay.layer}" if version.overlay else ""
        number = f"{version.version}{layer}"
        own = [each for each in self.cases(version.policy) if each.version == number]
        versions: Mapping[str, PolicyVersion] = {number: version}
        yield from (_row(version, each) for each in run_cases(versions, own))


def _row(version: PolicyVersion, result: CaseResult) -> CaseRow:
    case = result.case
    wanted = case.expect.outcome
    words = "answers refused" if wanted is None else wanted.value
    return CaseRow(
        name=first_upper(case.name),
        kind=first_upper(case.kind.value),
        decided=day_words(case.context.decision_to_treat),
        outcome=first_upper(words),
        colour=_COLOURS.get(wanted or "", "grey"),
        answers=tuple(_answers(version, case)),
        differences=result.differences,
    )


def _answers(version: PolicyVersion, case: Case) -> Iterator[tuple[str, str]]:
    born, sex = case.context.birth_date, case.context.sex
    if born is not None:
        yield "Born", day_words(born)
    if sex is not None:
        yield "Sex", sex
    if case.context.first_dose is not None:
        yield "First dose", day_words(case.context.first_dose)
    for name, answer in case.answers.items():
        question = version.questions.get(name)
        if question is None:
            yield name, str(answer)
        else:
            yield question.label, answer_words(question, answer)
    for override in case.overrides:
        yield "Overridden", override.criterion
    for each in sorted(case.waived):
        yield "Waived by the panel", each
