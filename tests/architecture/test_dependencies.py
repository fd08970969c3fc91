"""Every package that the code imports is asked for, and each that is asked for has its reason."""

import re
import sys
import tomllib

from tests.architecture.repository import ROOT, imported, modules, pins
from tests.architecture.test_locks import required

PAGE = ROOT / "docs" / "dependencies.md"
#: Where a package is imported by another name than it is asked for.
IMPORTED_AS = {"yaml": "pyyaml", "multipart": "python-multipart", "zen": "zen-engine"}
IMPORTED_AS |= {"z3": "z3-solver", "jwt": "pyjwt", "py4j": "pyspark"}
#: One namespace of several packages; its API is there with FastAPI, the rest with the extra.
IMPORTED_AS |= {"opentelemetry": "opentelemetry-sdk"}
#: Extras that the development environment lacks: each has a lock of its own, and tests that skip.
APART = ("spark",)
#: Parts of a package that is asked for, which it re-exports without hiding them.
PART_OF = {"starlette": "fastapi"}


def packages(*folders: str) -> set[str]:
    """The packages that the modules below the folders import from outside the project."""
    ours = {"app", "benchmarks", "tests", *sys.stdlib_module_names}
    tops = {name.split(".")[0] for _, tree in modules(*folders) for name in imported(tree)}
    named = {IMPORTED_AS.get(name, name.replace("_", "-")) for name in tops - ours}
    return {PART_OF.get(name, name) for name in named}


def _listed() -> set[str]:
    return required("dev").union(*map(required, APART))


def test_the_service_imports_only_what_is_installed_with_it() -> None:
    # Refused in plain words where they are absent.
    optional = required("pdf") | required("prove") | required("spark") | required("telemetry")
    assert packages("app", "migrations") - optional == set()


def test_tests_and_benchmarks_import_only_what_is_installed_with_them() -> None:
    assert packages("app", "migrations", "tests", "benchmarks") - _listed() == set()


def test_every_dependency_has_its_release_and_reason() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|", PAGE.read_text("utf-8"), re.M)
    listed = {name: release.strip() for name, release, _ in rows}
    locked = pins("requirements-dev.lock") | pins("requirements-spark.lock")
    expected = {name: locked[name] for name in _listed()}
    assert listed == expected, "docs/dependencies.md and the lock files disagree"
    assert all(len(reason.split()) >= 4 for _, _, reason in rows)


def test_no_extra_is_left_off_the_page() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = asked["optional-dependencies"]
    optional = set(extras) - {"dev"}
    assert optional == {"pdf", "prove", "spark", "telemetry"}, "list the new extra on the page too"
    installed = {name for extra in optional.difference(APART) for name in extras[extra]}
    assert installed <= set(extras["dev"])
