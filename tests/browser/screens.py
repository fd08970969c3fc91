"""The main pages as pictures, written where `ASSENT_WRITE_SCREENS` asks for them."""

import os
from pathlib import Path

from tests.browser.visitor import Visitor

SCREENS = Path(__file__).parents[2] / "docs" / "screens"


def keep(visitor: Visitor, name: str) -> None:
    """The page as it stands on a wide screen with scripts, written where that is asked for."""
    if os.environ.get("ASSENT_WRITE_SCREENS") and visitor.looks_wide:
        SCREENS.mkdir(parents=True, exist_ok=True)
        path: Path = SCREENS / f"{name}.jpeg"
        visitor.page.screenshot(path=path, full_page=True, type="jpeg", quality=50)
