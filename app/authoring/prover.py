"""The door to the prover: present with the extra `prove`, else a plain refusal."""

from __future__ import annotations

import importlib.util

from app.authoring.errors import ProverAbsent


def available() -> bool:
    """Whether z3 is installed."""
    return importlib.util.find_spec("z3") is not None


def require() -> None:
    """Raise ProverAbsent where z3 is not installed."""
    if not available():
        raise ProverAbsent
