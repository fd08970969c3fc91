"""What `assent demo year` says of the year's files."""

from collections import Counter

from app.demonstration.year.files import EMPTY
from app.demonstration.year.play import Year


def files_text(year: Year, folder: str) -> str:
    """How many files of which stage were sent, by whom, and where they are."""
    stages = Counter(sent.stage for sent in year.files)
    empty = stages.pop(EMPTY, 0)
    told = ", ".join(f"{number} at {stage}" for stage, number in stages.items())
    first, last = year.files[0], year.files[-1]
    return (
        f"{stages.total()} files of {year.name} ({told}), and {empty} month stated as empty, "
        f"from {first.day:%-d %B %Y} to "
        f"{last.day:%-d %B %Y}: {folder}. Everything in them is invented."
    )
