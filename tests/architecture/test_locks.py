"""Lock files pin every package by its content, and say nothing about where it was fetched."""

import re
import tomllib

import pytest

from tests.architecture.repository import LOCKS, ROOT, pins

_LINE = re.compile(r"^[a-z0-9][a-z0-9._-]*==[^\s;]+( ; [^\\]+)? \\$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
_NOTE = re.compile(r"^    #")


def required(extra: str | None = None) -> set[str]:
    """The names that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    if extra is not None:
        wanted += project["optional-dependencies"][extra]
    return {re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0] for line in wanted}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_hashes_and_without_an_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    odd = [
        line
        for line in text.splitlines()
        if not (_LINE.match(line) or _HASH.match(line) or _NOTE.match(line))
    ]
    assert odd == []
    assert "://" not in text
    unhashed = re.findall(r"^(\S+==\S+).*\\\n(?!    --hash=)", text, re.MULTILINE)
    assert unhashed == []
    assert pins(lock)


def test_the_locks_hold_what_the_project_asks_for() -> None:
    assert required() <= set(pins("requirements.lock"))
    assert required("dev") <= set(pins("requirements-dev.lock"))
    assert required("spark") <= set(pins("requirements-spark.lock"))


def test_tests_run_on_the_releases_that_are_served() -> None:
    served, tested = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: tested.get(name) for name in served} == served


def test_with_spark_the_rest_is_as_it_is_without() -> None:
    """So that its lock installs beside the other two, into one environment, in any order."""
    served, with_spark = pins("requirements.lock"), pins("requirements-spark.lock")
    added = {name: release for name, release in with_spark.items() if name not in served}
    assert {name: with_spark.get(name) for name in served} == served
    assert set(added) == {"pyspark", "py4j"}
