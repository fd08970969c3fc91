"""Golden files: what a tool says, word for word. ASSENT_WRITE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).with_name("golden")


def assert_golden(name: str, lines: Iterable[str]) -> None:
    """The lines are those of the golden file of that name."""
    text = "".join(f"{line}\n" for line in lines)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("ASSENT_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} says otherwise"
