"""What a proof comes to: a claim with its outcome, its criteria and the patient that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.authoring.proofs.patients import Patient
from app.policy import Kind, PolicyDecision


class Proof(StrEnum):
    """The three outcomes; a counter-example has been through the evaluator."""

    PROVEN = "proven"
    COUNTER_EXAMPLE = "counter-example"
    NOT_DECIDED = "not decided"


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about a version, and whether it is so.

    `fault` marks what an author must mend; `patient` shows the claim, or refutes it, under
    `kind`; `why` says why nothing was decided.
    """

    about: str
    text: str
    outcome: Proof
    criteria: tuple[str, ...] = ()
    patient: Patient | None = None
    kind: Kind | None = None
    fault: bool = False
    why: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A patient who fails one criterion alone; or the proof that there is none."""

    criterion: str
    kind: Kind
    outcome: Proof
    patient: Patient | None = None
    decision: PolicyDecision | None = None
    why: str = ""
    fault: bool = False


TIMED_OUT = "the prover did not finish in the steps allowed"
NOT_REPLAYED = "the example found does not hold in the evaluator, since a value was left free"
TOO_MANY_ROWS = "a list would need more rows than the prover looks at"
NOT_READ = "the criterion is written in a way that the prover does not read"
