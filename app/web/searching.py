"""What a search by drug, brand or indication takes, and what is said of more."""

from typing import Annotated, Final

from fastapi import Query
from fastapi.exceptions import RequestValidationError

#: Characters of a search, which the boxes hold to as well.
LONGEST_SEARCH: Final = 100
SearchWords = Annotated[str, Query(max_length=LONGEST_SEARCH)]


def too_long_search(error: RequestValidationError) -> str | None:
    """What is wrong with a search that is too long, and what to do; None of anything else."""
    for each in error.errors():
        if each["loc"] == ("query", "q") and each["type"] == "string_too_long":
            return (
                "The search for a drug, brand or indication (the field q) has "
                f"{len(each['input']):,} characters, and takes {LONGEST_SEARCH} at most. Go back, "
                "shorten it, and search again."
            )
    return None
