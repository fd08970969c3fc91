"""Questions as data from which a form can be drawn, and a policy version as readable text."""

from __future__ import annotations

from typing import Any

from app.policy.model import Kind, PolicyVersion, Question


def questions_for(version: PolicyVersion, kind: Kind) -> tuple[Question, ...]:
    """The questions that this kind of request asks, in file order."""
    return tuple(each for each in version.questions.values() if kind in each.kinds)
