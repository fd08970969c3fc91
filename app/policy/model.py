"""Frozen types of the policy room. Words follow the glossary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from app.policy.terms import ApprovalTerms as ApprovalTerms
from app.policy.terms import MaxDose as MaxDose

if TYPE_CHECKING:
    from app.policy.compile import CompiledPolicy
    from app.policy.panel import PanelTerms

LANGUAGE_VERSION = 2
"""The newest language version. Files of version 1 keep their exact meaning and hash."""

NATIONAL = "national"
"""The layer of what a policy version itself says; an overlay's is its commissioner and day."""

Evidence = Literal["verified", "unverified"]
OnFailure = Literal["not met", "refer"]
Origin = Literal["typed", "carried forward", "supplied by a system"]


class Kind(StrEnum):
    """What a request asks for."""

    INITIATION = "initiation"
    CONTINUATION = "continuation"
    SWITCH = "switch"
    DOSE_CHANGE = "dose change"
    TRANSFER = "transfer"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


class Result(StrEnum):
    """The result of a criterion, or of one part of it."""

    MET = "met"
    NOT_MET = "not met"
    NOT_ANSWERED = "not answered"


class Outcome(StrEnum):
    """What the policy says of a request."""

    APPROVED = "approved"
    CRITERIA_NOT_MET = "criteria not met"
    MORE_INFORMATION_NEEDED = "more information needed"
    REFERRED = "referred"


class Section(StrEnum):
    """The section of a policy file that a criterion stands in."""

    START = "start"
    CONTINUE = "continue"
    STOP = "stop"


class QuestionType(StrEnum):
    """What an answer may be."""

    BOOLEAN = "boolean"
    NUMBER = "number"
    INTEGER = "integer"
    DATE = "date"
    CHOICE = "choice"
    TEXT = "text"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a criterion or a term comes from, and the day on which it was read."""

    id: str
    title: str
    url: str | None = None
    read_on: date | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a policy's form; `fields` are the columns of a list's rows."""

    name: str
    type: QuestionType
    label: str
    help: str | None = None
    unit: str | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    decimals: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Question] = field(default_factory=dict)
    carried: bool = False
    measured: bool = False
    kinds: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Derived:
    """A value worked out from answers: a count or a pick over a list's rows, a choice between
    values, or an expression.

    A pick has a `mode` ("latest", "earliest", "highest", "lowest"), a `list_name`, the field
    `value`, and for dates the field `by`. A choice has `choose`, pairs of a test and a value, and
    `otherwise`; where its values are options, `options` gives their labels. `formula` says in
    words which formula it is the result of, if any, with its date and source.
    """

    name: str
    count: str | None
    where: str | None
    value: str | None
    unit: str | None
    mode: str | None = None
    list_name: str | None = None
    by: str | None = None
    choose: tuple[tuple[str, str], ...] = ()
    otherwise: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    formula: str | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """One of a criterion's alternatives, with its own name, words and test."""

    id: str
    text: str
    met_when: str


@dataclass(frozen=True, slots=True)
class OverrideRule:
    """A criterion's permission to be overridden by the clinician: reason keys with their words."""

    reasons: dict[str, str]
    source: Source
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Override:
    """A clinician's override of one criterion: the key of its reason, and the caller who gave it.

    The clinician's own words stay with the request: no rule looks at them.
    """

    criterion: str
    reason: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """One testable statement with its source; `met_when` is in the criteria language.

    Where it has `arms` it is met when one of them is, and `met_when` joins their tests with OR.
    """

    id: str
    section: Section
    text: str
    met_when: str
    source: Source
    evidence: Evidence
    on_failure: OnFailure = "not met"
    waivable: bool = False
    override: OverrideRule | None = None
    arms: tuple[Arm, ...] = ()
    layer: str = NATIONAL


@dataclass(frozen=True, slots=True)
class InForce:
    """The dates between which a version decides, as Europe/London days.

    `afterwards` says what follows the last new start or continuation, and what to do then.
    """

    from_: date
    published: date | None = None
    funding_from: date | None = None
    last_new_start: date | None = None
    last_continuation: date | None = None
    afterwards: str | None = None


@dataclass(frozen=True, slots=True)
class Indication:
    """The condition that a policy covers."""

    key: str
    term: str
    snomed: str | None = None


@dataclass(frozen=True, slots=True)
class NewStarts:
    """A policy's general answer to new starts: refer them all, or refuse them all."""

    decide: Literal["refer", "refuse"]
    reason: str
    source: Source
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Notice:
    """A safety notice: from a day, until it is lifted, it suspends new starts of some drugs.

    Without `policies` it holds for every policy of its drugs.
    """

    name: str
    title: str
    drugs: tuple[str, ...]
    policies: tuple[str, ...]
    from_: date
    lifted: date | None
    decide: Literal["refer", "refuse"]
    reason: str
    source_title: str
    source_url: str | None
    evidence: Evidence

    @property
    def refuses(self) -> bool:
        """Whether it refuses new starts; one that was not checked at its source only refers."""
        return self.decide == "refuse" and self.evidence == "verified"


@dataclass(frozen=True, slots=True)
class Overlay:
    """A commissioner's dated text on top of a policy; it only adds or tightens.

    `resolved` is the canonical JSON that is stored and hashed; `lines` are those of its file.
    """

    policy: str
    commissioner: str
    from_: date
    until: date | None
    what_changed: str
    language: int
    resolved: str
    hash: str
    lines: Mapping[tuple[str | int, ...], int] = field(compare=False, repr=False)
    members: int = 1  # of a panel, who must agree on what is referred under it: 1 or 2

    @property
    def layer(self) -> str:
        """How a finding names this layer."""
        return f"{self.commissioner} {self.from_.isoformat()}"

    @property
    def version(self) -> str:
        """How the lock and the command line name it, beside its policy."""
        return f"overlay-{self.commissioner}-{self.from_.isoformat()}"

    def covers(self, on: date) -> bool:
        """Whether it is in force on a day."""
        return self.from_ <= on and (self.until is None or on <= self.until)


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One dated, immutable text of a policy; made by `load_policy` or `from_resolved` only.

    `resolved` is the canonical JSON that is stored and hashed; `compiled` is worked out from it.
    `succeeds` are the policies whose running treatments go on under this one by a continuation.
    With an `overlay`, `base` is the version without it: the hash stays that of the base, whose
    text is what is stored under it.
    """

    policy: str
    version: str
    title: str
    drug: str
    indication: Indication
    commissioner: str
    mechanism: Literal["prior_approval", "panel", "notification"]
    panel: PanelTerms | None
    new_starts: NewStarts | None
    in_force: InForce
    what_changed: str
    sources: dict[str, Source]
    questions: Mapping[str, Question]
    derived: dict[str, Derived]
    start: tuple[Criterion, ...]
    continue_: tuple[Criterion, ...]
    stop: tuple[Criterion, ...]
    approval: ApprovalTerms
    language: int
    resolved: str
    hash: str
    unverified: bool
    succeeds: tuple[str, ...]
    compiled: CompiledPolicy = field(compare=False, repr=False)
    overlay: Overlay | None = None
    base: PolicyVersion | None = field(default=None, repr=False)

    def criteria(self, section: Section) -> tuple[Criterion, ...]:
        """The criteria of one section, in file order."""
        by_section = {
            Section.START: self.start,
            Section.CONTINUE: self.continue_,
            Section.STOP: self.stop,
        }
        return by_section[section]


@dataclass(frozen=True, slots=True)
class Answer:
    """One typed answer: bool, Decimal, int, date, option key, text, or a tuple of rows."""

    value: object
    unit: str | None = None
    measured_on: date | None = None
    origin: Origin = "typed"


@dataclass(frozen=True, slots=True)
class Context:
    """What expressions may look at besides answers. Dates are Europe/London days."""

    decision_to_treat: date
    first_dose: date | None = None
    birth_date: date | None = None
    sex: Literal["male", "female"] | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """A count over a list with unanswered fields: between `certain` and `possible` rows."""

    certain: int
    possible: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a criterion: its text, its result, its own parts, the values looked at."""

    text: str
    result: Result
    parts: tuple[Part, ...] = ()
    looked_at: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Overridden:
    """That a finding was overridden: for which reason, in words too, and by which caller.

    `relied_on`: the criterion was not met or not answered, so the decision needed the override.
    """

    reason: str
    label: str
    by: str | None
    relied_on: bool


@dataclass(frozen=True, slots=True)
class ArmFinding:
    """The result of one arm of a criterion."""

    id: str
    text: str
    result: Result
    part: Part


@dataclass(frozen=True, slots=True)
class Nearest:
    """The arm of an unmet criterion that came nearest: `met` of its `of` tests are met."""

    arm: str
    met: int
    of: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A criterion's result for one request, as a tree. An override never changes `result`.

    A criterion with arms has a finding for each, in file order, which are the parts of `part`;
    `nearest` says which came nearest where the criterion is not met.
    """

    criterion: str
    section: Section
    result: Result
    text: str
    source: Source
    evidence: Evidence
    on_failure: OnFailure
    waivable: bool
    part: Part
    overridden: Overridden | None = None
    arms: tuple[ArmFinding, ...] = ()
    nearest: Nearest | None = None
    layer: str = NATIONAL


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """The policy's decision on one request, with a finding for each criterion looked at.

    `missing` names the questions (or built-in names) that would let an undecided part be decided;
    `overridden` the criteria that it relied on a clinician's override for; `notices` suspended it.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]
    reasons: tuple[str, ...]
    waived: tuple[str, ...]
    overridden: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
