"""Which policies are proved again: those that the page of proofs does not speak of."""

from app.commands.policies.proving import _lacks
from tests.policies.library import POLICIES, packaged_library

PAGE = (POLICIES.parent / "docs" / "proofs.md").read_text("utf-8")


def lacking(page: str) -> set[str]:
    library = packaged_library()
    return {each for each in library.policies() if _lacks(page, library, each)}


def test_only_what_the_page_does_not_name_with_its_hash_is_proved_again() -> None:
    library = packaged_library()
    overlaid = {each for each in library.policies() if library.overlays(each)}
    assert overlaid
    assert lacking(PAGE) == overlaid

    plain = next(each for each in library.policies() if each not in overlaid)
    newest = library.versions(plain)[-1]
    other = PAGE.replace(f"`{newest.hash[:12]}`", "`000000000000`")
    assert lacking(other) == {plain, *overlaid}
    assert lacking("") == set(library.policies())
