"""Operations that no call of the fuzz run makes succeed, or few do, and why: all others must."""

from collections.abc import Mapping
from typing import Final

NEVER: Final[Mapping[str, str]] = {
    "POST /v1/requests/{id}/escalate": "no packaged policy has a criterion that a panel may waive; "
    "an invented one has, in tests/integration",
}
#: Reached in a long run, and not in every round: few objects of the world allow the step.
RARE: Final[Mapping[str, str]] = {
    "POST /v1/adoption-proposals/{id}/confirm": "of two that wait, whoever proposed it may not",
    "POST /v1/challenges/{id}/credit": "only what was upheld in the same round is credited",
    "POST /v1/challenges/{id}/raise": "few drafted challenges, and other steps end them",
    "POST /v1/hand-over-proposals/{id}/confirm": "of two that wait, whoever proposed it may not",
    "POST /v1/linkage-proposals/{id}/accept": "one proposal, which a new search or a refusal ends",
    "POST /v1/runs/{run}/lines/{row}/match": "few lines that a match by hand changes",
    "POST /v1/requests/{id}/panel-overturn": "few referred requests tell of an urgent start",
    "POST /v1/treatments/{id}/requests": "each kind wants a treatment in another state",
}
