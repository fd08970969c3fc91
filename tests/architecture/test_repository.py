"""Nothing in the repository names the machine it was written on, or where packages came from."""

import re
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, texts

#: Top folders that any machine has: a path below them may be meant for the reader's machine.
COMMON = {"app", "data", "etc", "home", "opt", "root", "src", "srv", "tmp", "usr", "var"}
# Cut in two, so that this file does not name them itself.
REGISTRIES = ("pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js.org")
INDEX = re.compile(r"--(extra-)?index" + r"-url|--find" + r"-links|\"resolved\"" + r": *\"http")


def places(pattern: re.Pattern[str]) -> list[str]:
    """Each line that a pattern is found in, as `file:line`."""
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in texts().items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def own_paths(root: Path) -> list[str]:
    """The folders of this checkout that no other machine has, outermost first."""
    above = [path for path in (*reversed(root.parents), root) if len(path.parts) > 1]
    return [f"{path}" for path in above if len(path.parts) > 2 or path.name not in COMMON]


def named(path: str) -> re.Pattern[str]:
    """Where a text names a folder. A lone top folder counts only with something below it, since
    its name may be the end of one of our own addresses: `/check` is a page of a draft."""
    end = r"/[\w.]" if Path(path).parent == Path("/") else r"(?![\w-])"
    return re.compile(rf"(?<![\w./}}-]){re.escape(path)}{end}")


def test_no_file_names_a_path_of_this_machine() -> None:
    for path in own_paths(ROOT):
        assert places(named(path)) == [], path


def test_a_path_of_a_machine_is_told_from_an_address_of_a_page() -> None:
    for text in ('"/builds/notes.md"', "in /builds/assent/app", "/builds/.venv"):
        assert named("/builds").search(text), text
    for text in (
        'where + "/builds"',
        "/drafts/{{ id }}/builds",
        "{where}/builds/all",
        "/builds-2/x",
    ):
        assert not named("/builds").search(text), text
    assert named("/builds/assent").search('"/builds/assent"')
    assert not named("/builds/assent").search("/builds/assent-2")


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_file_names_a_registry(host: str) -> None:
    assert places(re.compile(re.escape(host))) == []


def test_no_file_says_where_packages_are_fetched() -> None:
    assert places(INDEX) == []


def test_own_paths_are_told_from_common_ones() -> None:
    assert own_paths(Path("/builds/assent")) == ["/builds", "/builds/assent"]
    assert own_paths(Path("/home/ann/assent")) == ["/home/ann", "/home/ann/assent"]
    assert own_paths(Path("/app")) == []


def test_the_files_that_everything_else_rests_on_are_committed() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in texts()}
    assert {"pyproject.toml", "requirements.lock", "policies/versions.lock", "LICENSE"} <= names
