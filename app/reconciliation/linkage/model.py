"""The words of linkage as frozen types. No logic that decides."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Why(StrEnum):
    """What became of a line that nothing was found for, when approvals were sought for it."""

    PROPOSED = "one approval proposed"
    AMBIGUOUS = "several approvals alike"
    NOT_LIKELY = "nothing likely enough"
    REFUSED = "all that was likely was refused before"
    NOTHING_HELD = "no approval of the drug at that time"
    WITHHELD = "identity withheld"
    PSEUDONYM = "known by a pseudonym only"
    TOO_LITTLE = "too little stated to compare"
    TOO_COMMON = "what is stated is shared by too many to compare"
    NOT_REACHED = "not compared: a search takes the most costly lines first, and ends before these"
    NOT_KEPT = "likely, and left for the next search: the most costly are listed first"


@dataclass(frozen=True, slots=True)
class Sought:
    """What a line states by which its patient may be told. Holds patient data.

    `nhs_number` is what the cell holds, figures only, usable or not; `local_key` the provider and
    its hospital number.
    """

    position: int
    drug: str
    nhs_number: str | None
    birth_date: dt.date | None
    local_key: str | None
    gp_practice: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of a treatment's patient. Holds patient data."""

    treatment: str
    drug: str
    nhs_number: str | None
    birth_date: dt.date | None
    local_keys: tuple[str, ...]
    gp_practices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """A line beside a treatment: field → level of agreement, and its weight in bits.

    A positive weight speaks for the same patient: 1 bit doubles the odds.
    """

    position: int
    treatment: str
    levels: Mapping[str, int]
    weights: Mapping[str, float]

    @property
    def weight(self) -> float:
        """The weights of all fields together, in bits."""
        return sum(self.weights.values())


@dataclass(frozen=True, slots=True)
class FieldShown:
    """How one field agrees, in words without a value. No weight: a condition, or not stated."""

    field: str
    words: str
    weight: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An approval that a line may belong to, with the evidence, as it was proposed.

    `approval_digest` is over its terms as they stood, `evidence_digest` over these and how each
    field agreed: a refusal holds for as long as both stay.
    """

    approval_reference: str
    treatment_id: str
    probability: float
    weight: float
    fields: tuple[FieldShown, ...]
    approval_digest: str
    evidence_digest: str


@dataclass(frozen=True, slots=True)
class Proposed:
    """What is proposed for a line: one candidate, or several that are alike, in order of reference.

    `next_best` is the most likely of the others; `among` how many treatments of the drug there
    were, `here` of them at the line's provider: from these the odds began. `total` is what the line
    charges, as exact text. `here` and `total` are None of a search of before they were kept.
    """

    row: int
    line_key: str
    candidates: tuple[Candidate, ...]
    next_best: Candidate | None
    among: int
    total: str | None = None
    here: int | None = None

    @property
    def ambiguous(self) -> bool:
        """Whether the evidence does not tell which of several it is."""
        return len(self.candidates) > 1


@dataclass(frozen=True, slots=True)
class Found:
    """What a search for a run's lines gave: the proposals, and how many lines ended how."""

    model: str
    proposals: tuple[Proposed, ...]
    counts: Mapping[Why, int]
