"""What every document of the API is made of."""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Document(BaseModel):
    """A JSON document: nothing unknown in it, nothing converted in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _no_number(cls, value: Any) -> Any:
        # FastAPI lets the attributes of any Python object stand for keys. A number with a point is
        # read as a Decimal, and was taken for an object whose keys are all left out. A text is not.
        return str(value) if isinstance(value, Decimal) else value
