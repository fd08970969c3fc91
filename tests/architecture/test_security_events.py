"""The page of what is logged names every security event, and no other."""

import re

from app.api.security import What
from tests.architecture.repository import ROOT

PAGE = ROOT / "docs" / "assurance" / "logging.md"


def test_every_security_event_is_on_the_page() -> None:
    section = PAGE.read_text("utf-8").partition("## Security events")[2]
    rows = re.findall(r"^\| `([^`]+)` \|", section, re.M)
    assert rows[0] == "what", "the head of the table"
    assert sorted(rows[1:]) == sorted(each.value for each in What)
