"""What every document of the API is made of."""

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A JSON document: nothing unknown in it, nothing converted in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
