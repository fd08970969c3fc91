"""Reads an author's own files, with plain words where one cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from app.approvals.library_files import load_shelf, policy_files
from app.authoring.errors import BenchRefused
from app.policy import PolicyVersion, load_policy

MOST_BYTES = 16 * 1024 * 1024


def read_text(path: Path) -> str:
    """A file's text; BenchRefused where there is none or it is not UTF-8."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BenchRefused(f"{path}: the file is over 16 MB. Give a smaller one.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BenchRefused(f"{path}: there is no such file. Check the path.") from None
    except (OSError, UnicodeDecodeError):
        raise BenchRefused(
            f"{path}: cannot be read as a text file in UTF-8. Save it as UTF-8, or check the path."
        ) from None


def load_file(
    path: Path, library: Path, drug_keys: Mapping[str, frozenset[str]] | None
) -> PolicyVersion:
    """Load one policy file, wherever it lies; `library` is the folder of what files share.

    A file takes the shared questions of the area whose folder it lies under, if any. Raises
    BenchRefused where it cannot be read, and PolicyFileFaults with every fault.
    """
    text = read_text(path)
    shelf = load_shelf(library)
    areas = {area for area, _ in shelf.questions}
    above = [part for part in reversed(path.resolve().parts[:-1]) if part in areas]
    return load_policy(text, str(path), drug_keys, shelf.of_area(above[0]) if above else shelf)


def cases_of(folder: Path, policy: str) -> Path | None:
    """The file of a policy's worked cases, if there is one; mostly in a folder of its name."""
    beside = sorted(folder.glob(f"*/{policy}/cases.yaml")) if policy.isascii() else []
    if beside:
        return beside[0]
    for path in policy_files(folder):
        if f"policy: {policy}\n" in path.read_text(encoding="utf-8"):
            cases = path.parent / "cases.yaml"
            return cases if cases.exists() else None
    return None


class _Exact(yaml.SafeDumper):
    """Writes decimals as they are, and no anchors: a policy file takes none."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


_Exact.add_representer(
    Decimal,
    lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", format(value, "f")),
)


def as_yaml(resolved: str) -> str:
    """A stored text, which is one line of JSON, as a policy file that means the same."""
    data = json.loads(resolved, parse_float=Decimal)
    text: str = yaml.dump(data, Dumper=_Exact, sort_keys=False, allow_unicode=True, width=100_000)
    return text
