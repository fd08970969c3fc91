"""The pictures of the pages: each is named in their index, and each is one that a test keeps."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCREENS = ROOT / "docs" / "screens"


def test_the_pictures_are_those_that_the_tests_keep_and_the_index_names() -> None:
    held = {each.stem for each in SCREENS.glob("*.jpeg")}
    index = (SCREENS / "README.md").read_text(encoding="utf-8")
    browser = "\n".join(
        each.read_text(encoding="utf-8") for each in (ROOT / "tests" / "browser").rglob("*.py")
    )
    assert set(re.findall(r"\[([a-z-]+)\]\(\1\.jpeg\)", index)) == held
    assert set(re.findall(r'keep\(\w+, "([a-z-]+)"(?:, phone=True)?\)', browser)) == held
