"""No page, and no wording that a page takes from Python, tells anybody to stop a treatment.

Whether a treatment goes on is its clinician's to say. What is due next is held by
tests/unit/api/test_next_steps.py; these are the words of app/web itself. What a policy says of
stopping is the policy's own text and stands in none of these files.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.unit.api.test_next_steps import FORBIDDEN

WEB: Final = Path(__file__).resolve().parents[3] / "app" / "web"
#: Advice that the net of single words lets through.
ADVISED: Final = re.compile(
    r"\b(must|should|shall|has to|have to|needs? to|ought to|is to|are to)\s+(not\s+)?"
    r"(be\s+(stopped|ended|interrupted|paused)|continue|go on|be (given|continued))\b"
    r"|\b(do|must|should|may) not (continue|go on with|give)\b|\bno longer (give|treat)\b",
    re.IGNORECASE,
)
#: Phrase that the nets catch → why it is no advice to stop a treatment. Whole phrases: what stands
#: around one is looked at still.
ALLOWED: Final[Mapping[str, str]] = {
    # What somebody records or is told, after it was decided elsewhere.
    "A change, a pause or a stop": "a heading over how a step that was taken is recorded",
    "restart after a stop on": "a stop that is on record",
    "coverage cut by a stop": "the key of a reason why a closed month changed",
    "Supplied after a stop": "the name of an exception at a month's close",
    "nobody need stop anything": "says that nothing is to be stopped",
    "does not end the days that are approved": "says what a death does not do",
    # What clinicians choose among of their own accord.
    "Only if your approval for it is to end when this one begins": "a switch, asked of whoever "
    "prescribes both drugs",
    "The form to stop": "a kind of form in the library, beside the others",
    "When to stop": "a heading over the policy's own criteria, as the policy states them",
    # The ends of approvals and covered days, for which a continuation is asked.
    "no end": "of covered days",
    "approvals that end within": "of covered days",
    "how many approvals end": "of covered days",
    # What is no treatment: filling in, sessions, access, adoptions, searches.
    "You can stop at any point: the draft is kept": "filling in a form",
    "you can end it": "looking into a record without a link to the patient",
    "End the access": "the same",
    "Say why the sessions end": "sessions",
    "End sessions": "sessions",
    "End them": "sessions",
    "End one that you have left": "sessions",
    "Sign in again to end one": "sessions",
    "end sessions so": "sessions",
    "ask an administrator of your organisation to end them": "sessions",
    "End this session": "sessions",
    "End all": "sessions",
    "end it, then tell the people who run your sign-in": "sessions",
    "Propose to end your adoption": "of a version, by a commissioner",
    "Propose to end the adoption": "of an overlay, by a commissioner",
    "Propose the end": "the same",
}
_SAYS: Final = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_KEY: Final = re.compile(r"[a-z0-9_./{}=?&:#-]+")


def of_template(text: str) -> Iterator[str]:
    """What a template says itself, and the words in what it hands on to be shown."""
    text = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    for expression in _SAYS.findall(text):
        yield from re.findall(r'"([^"]*)"', expression)
    plain = _SAYS.sub(" ", text)
    yield from re.findall(r'(?:aria-label|title|placeholder|value|content)="([^"]*)"', plain)
    yield re.sub(r"<[^>]*>", " ", plain)


def of_python(text: str) -> Iterator[str]:
    """Every string of a module but its docstrings; the parts of one in braces each by itself."""
    tree = ast.parse(text)
    described = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in described:
            yield from [node.value] if isinstance(node.value, str) else []


def words_of(path: Path) -> Iterator[str]:
    """What is read on a page of a file's words: names of fields and addresses are none."""
    text = path.read_text("utf-8")
    found = of_template(text) if path.suffix == ".html" else of_python(text)
    for each in found:
        if not _KEY.fullmatch(each.strip()):
            yield re.sub(r"\s+", " ", each)


def advice(words: str) -> list[str]:
    """What of the words reads as advice to stop, with what stands around it."""
    for phrase in ALLOWED:
        words = re.sub(rf"\b{re.escape(phrase)}\b", "~", words, flags=re.IGNORECASE)
    return [
        words[max(0, hit.start() - 60) : hit.end() + 60]
        for net in (FORBIDDEN, ADVISED)
        for hit in net.finditer(words)
    ]


def files() -> list[Path]:
    return sorted([*WEB.rglob("*.html"), *WEB.rglob("*.py")])


def test_no_page_tells_anybody_to_stop_a_treatment() -> None:
    found = {
        f"{path.relative_to(WEB)}: {hit}"
        for path in files()
        for words in words_of(path)
        for hit in advice(words)
    }
    assert not found, "\n".join(["this reads as advice to stop a treatment:", *sorted(found)])


def test_every_allowed_phrase_is_said_somewhere() -> None:
    said = " | ".join(words for path in files() for words in words_of(path)).lower()
    assert [phrase for phrase in ALLOWED if phrase.lower() not in said] == []


@pytest.mark.parametrize(
    "advised",
    [
        "<p>Stop the\ntreatment now.</p>",
        "{% if late %}<strong>Discontinue</strong> the drug{% endif %}",
        '{{ button({"text": "Withhold the next dose"}) }}',
        '<a aria-label="Cease treatment" href="/">More</a>',
        "<p>Treatment should be stopped.</p>",
        "<p>It must not be continued.</p>",
        "<p>Do not continue the drug: no end of it is approved.</p>",
    ],
)
def test_the_net_catches_advice_in_a_template(advised: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(advised, "utf-8")
    assert [hit for words in words_of(path) for hit in advice(words)]


@pytest.mark.parametrize(
    "advised",
    [
        '_NEXT = "Stop the treatment."',
        'def said(n):\n    """Words."""\n    return f"After {n} weeks " "discontinue it."',
        'ROW = {"next": "The drug has to be stopped"}',
    ],
)
def test_the_net_catches_advice_in_wording(advised: str, tmp_path: Path) -> None:
    path = tmp_path / "view.py"
    path.write_text(advised, "utf-8")
    assert [hit for words in words_of(path) for hit in advice(words)]


@pytest.mark.parametrize(
    "kept", ['STOP = "stop"', '"""Stop reading."""\nAT = "/{id}/end"', 'SAID = "It was stopped"']
)
def test_names_comments_and_what_was_recorded_are_no_advice(kept: str, tmp_path: Path) -> None:
    path = tmp_path / "view.py"
    path.write_text(kept, "utf-8")
    assert [hit for words in words_of(path) for hit in advice(words)] == []
