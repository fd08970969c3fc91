"""No use case decides by the packaged files alone: what is published joins them."""

import re

from tests.architecture.repository import APP, ROOT, texts

PACKAGED_ALONE = re.compile(r"office\.library\b")
#: Builds a second application around the same files; it joins them itself.
MAY = {"app/commands/demo.py"}


def test_the_library_is_asked_for_as_of_the_transaction() -> None:
    asking = {
        path.relative_to(ROOT).as_posix()
        for path, text in texts().items()
        if path.is_relative_to(APP) and PACKAGED_ALONE.search(text)
    }
    assert asking == MAY
