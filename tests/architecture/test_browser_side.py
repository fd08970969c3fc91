"""What our scripts and templates may do in a browser: no HTML of their own, nothing kept there."""

import re
from pathlib import Path

import pytest

from tests.architecture.repository import APP

SCRIPTS = sorted((APP / "web" / "static" / "own").glob("*.js"))
TEMPLATES = sorted((APP / "web" / "templates").rglob("*.html"))
#: Writing HTML, running text, keeping data, or talking with other windows.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|"
    r"localStorage|sessionStorage|indexedDB|document\.cookie|postMessage"
)
#: Taking a text for HTML past the escaping of templates.
UNESCAPED = re.compile(r"\|\s*safe\b|autoescape\s+false|Markup\(")


def faults(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{path.name}: {found}" for path in paths for found in pattern.findall(path.read_text())
    ]


def test_no_script_of_ours_writes_html_or_keeps_anything_in_the_browser() -> None:
    assert len(SCRIPTS) >= 3
    assert faults(FORBIDDEN, SCRIPTS) == []


def test_no_template_passes_a_text_by_the_escaping() -> None:
    assert len(TEMPLATES) > 50
    assert faults(UNESCAPED, [*TEMPLATES, *(APP / "web").rglob("*.py")]) == []


@pytest.mark.parametrize(
    ("pattern", "planted"),
    [
        (FORBIDDEN, "box.innerHTML = typed"),
        (FORBIDDEN, "localStorage.setItem('form', typed)"),
        (UNESCAPED, "{{ title | safe }}"),
        (UNESCAPED, "{% autoescape false %}"),
    ],
)
def test_what_is_planted_is_seen(tmp_path: Path, pattern: re.Pattern[str], planted: str) -> None:
    (tmp_path / "planted").write_text(planted)
    assert faults(pattern, [tmp_path / "planted"])
