"""The main pages as pictures, written where `ASSENT_WRITE_SCREENS` asks for them."""

import os
from pathlib import Path

from tests.browser.visitor import Visitor

SCREENS = Path(__file__).parents[2] / "docs" / "screens"


#: As wide as most phones of today: the tests walk narrower, and a picture shows what is met.
PHONE = {"width": 390, "height": 844}


def keep(visitor: Visitor, name: str, *, phone: bool = False) -> None:
    """The page as it stands with scripts on a wide screen (or on a phone), written where asked."""
    if os.environ.get("ASSENT_WRITE_SCREENS") and (phone or visitor.looks_wide):
        SCREENS.mkdir(parents=True, exist_ok=True)
        if phone:
            visitor.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        path: Path = SCREENS / f"{name}.jpeg"
        visitor.page.screenshot(path=path, full_page=True, type="jpeg", quality=50)
