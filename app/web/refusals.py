"""A refusal in words, for a page that goes on showing what was typed."""

from fastapi.exceptions import RequestValidationError

from app import problems
from app.problems import DoorProblem

_UNREADABLE = "Part of the form cannot be read. The pages with a fault say what is wrong."


def refused_detail(error: Exception) -> str:
    """What was refused, why, and what to do next."""
    if isinstance(error, RequestValidationError):
        return _UNREADABLE
    if isinstance(error, DoorProblem):
        return str(error)
    return problems.detail_of(error) or problems.kind_of(error).title
