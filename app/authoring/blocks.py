"""A policy and its form as blocks of text, and the blocks as Markdown, HTML and Typst.

The policy's own text comes from `app.policy.readable`, whose Markdown is of four kinds of line
only: headings, list items, paragraphs, and blank lines, with `code` and **bold** inside.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from app.policy import Kind, Notice, PolicyVersion, Question, QuestionType, questions_for, readable

_INLINE = re.compile(r"`([^`]*)`|\*\*((?:[^*\\]|\\.)+)\*\*|\\(.)|([^`*\\]+|.)", re.DOTALL)
_ASKED = {Kind.INITIATION: "start", Kind.CONTINUATION: "continue", Kind.STOP: "stop"}


@dataclass(frozen=True, slots=True)
class Span:
    """Words of one kind."""

    kind: Literal["plain", "code", "bold"]
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (level 1 to 3), a list item (level is its depth), a paragraph or a field."""

    kind: Literal["heading", "item", "paragraph", "field"]
    level: int
    spans: tuple[Span, ...]


def blocks_of(
    version: PolicyVersion, notices: Iterable[Notice] = (), named: Callable[[str], str] = str
) -> tuple[Block, ...]:
    """The policy as text, safety notices before its criteria, then each form as it will be seen.

    `named` says a drug's name for its key.
    """
    text = [_block(line) for line in readable(version, named).splitlines() if line.strip()]
    first = next((n for n, each in enumerate(text) if (each.kind, each.level) == _PART), len(text))
    found = [*text[:first], *_notices(notices), *text[first:]]
    for kind in _ASKED:
        found += _form(version, kind)
    return tuple(found)


_PART = ("heading", 2)


def _notices(notices: Iterable[Notice]) -> Iterator[Block]:
    """Each notice as a warning at the top: what it does, why, and where it is from."""
    held = tuple(notices)
    if held:
        yield _plain("heading", 2, "Safety notices in force")
    for notice in held:
        does = "refused" if notice.refuses else "referred to people"
        yield Block("paragraph", 0, (Span("bold", f"New starts are {does}."), _on(notice)))
        yield _plain("item", 1, f"Why: {notice.reason}")
        checked = "" if notice.evidence == "verified" else " (not checked at the source)"
        url = f", {notice.source_url}" if notice.source_url else ""
        yield _plain("item", 1, f"Source: {notice.source_title}{url}{checked}")
        yield _plain("item", 1, "Running treatments and continuations go on")


def _on(notice: Notice) -> Span:
    until = "" if notice.lifted is None else f", lifted from {notice.lifted:%-d %B %Y}"
    return Span("plain", f" {notice.title}, from {notice.from_:%-d %B %Y}{until}")


def _block(line: str) -> Block:
    stripped = line.lstrip()
    if stripped.startswith("#"):
        marks, _, words = stripped.partition(" ")
        return Block("heading", len(marks), _spans(words))
    if stripped.startswith("- "):
        depth = 1 + (len(line) - len(stripped)) // 2
        return Block("item", depth, _spans(stripped[2:]))
    return Block("paragraph", 0, _spans(stripped))


def _spans(text: str) -> tuple[Span, ...]:
    spans: list[Span] = []
    for code, bold, escaped, plain in _INLINE.findall(text):
        if code:
            spans.append(Span("code", code))
        elif bold:
            spans.append(Span("bold", re.sub(r"\\(.)", r"\1", bold)))
        elif spans and spans[-1].kind == "plain":
            spans[-1] = Span("plain", spans[-1].text + (escaped or plain))
        else:
            spans.append(Span("plain", escaped or plain))
    return tuple(spans)


# --- the form -----------------------------------------------------------------------------------


def _form(version: PolicyVersion, kind: Kind) -> Iterator[Block]:
    questions = questions_for(version, kind)
    if not questions:
        return
    yield _plain("heading", 2, f"The form to {_ASKED[kind]}")
    for question in questions:
        yield from _field(question, 1)


def _field(question: Question, level: int) -> Iterator[Block]:
    label = Span("bold", question.label)
    yield Block("field", level, (label, Span("plain", f" {_box(question)}")))
    if question.carried:
        yield _plain("item", level + 1, "Carried forward from the request to start")
    if question.help:
        yield _plain("item", level + 1, " ".join(question.help.split()))
    for below in question.fields.values():
        yield from _field(below, level + 1)


def _box(question: Question) -> str:
    match question.type:
        case QuestionType.BOOLEAN:
            return "( ) Yes  ( ) No"
        case QuestionType.CHOICE:
            return "  ".join(f"( ) {label}" for label in question.options.values())
        case QuestionType.DATE:
            return "____-__-__"
        case QuestionType.LIST:
            return "one row each, with:"
        case QuestionType.TEXT:
            return "______________"
        case _:
            return f"______{_range(question)}{_measured(question)}"


def _range(question: Question) -> str:
    unit = f" {question.unit}" if question.unit else ""
    low, high = question.minimum, question.maximum
    if low is not None and high is not None:
        return f"{unit} (from {low:f} to {high:f})"
    return unit


def _measured(question: Question) -> str:
    return "  measured on ____-__-__" if question.measured else ""


def _plain(kind: Literal["heading", "item"], level: int, text: str) -> Block:
    return Block(kind, level, (Span("plain", text),))


# --- the three renderings -----------------------------------------------------------------------


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown."""
    lines: list[str] = []
    for block in blocks:
        words = "".join(_markdown_span(span) for span in block.spans)
        if block.kind == "heading":
            lines += ["", f"{'#' * block.level} {words}", ""]
        elif block.kind in ("item", "field"):
            lines.append(f"{'  ' * (block.level - 1)}- {words}")
        else:
            lines += [words, ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _markdown_span(span: Span) -> str:
    if span.kind == "code":
        return f"`{span.text}`"
    escaped = "".join(f"\\{each}" if each in "\\`*_[]<>#|" else each for each in span.text)
    return f"**{escaped}**" if span.kind == "bold" else escaped


_STYLE = (
    "body{font:1rem/1.5 Arial,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#f0f4f5;padding:0 .2rem;overflow-wrap:anywhere}li.field{margin:.6rem 0}"
    "h2{border-top:1px solid #d8dde0;padding-top:1rem;margin-top:2rem}h3{margin-bottom:0}"
    "h3+p{margin-top:.2rem}@media print{body{max-width:none;margin:0}h2,h3{break-after:avoid}"
    "li{break-inside:avoid}}"
)


def as_html(title: str, blocks: Sequence[Block]) -> str:
    """The blocks as one HTML page that loads nothing; every word is escaped."""
    body: list[str] = []
    depth = 0
    for block in blocks:
        wanted = block.level if block.kind in ("item", "field") else 0
        body += ["<ul>"] * max(0, wanted - depth) + ["</ul>"] * max(0, depth - wanted)
        depth = wanted
        words = "".join(_html_span(span) for span in block.spans)
        match block.kind:
            case "heading":
                body.append(f"<h{block.level}>{words}</h{block.level}>")
            case "paragraph":
                body.append(f"<p>{words}</p>")
            case kind:
                body.append(f'<li class="{kind}">{words}</li>')
    body += ["</ul>"] * depth
    name = html.escape(title)
    head = f'<meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
    lines = "\n".join(body)
    page = f'<html lang="en-GB">\n<head>{head}</head>\n<body>\n{lines}\n</body>\n</html>'
    return f"<!doctype html>\n{page}\n"


def _html_span(span: Span) -> str:
    words = html.escape(span.text)
    tag = {"plain": None, "code": "code", "bold": "strong"}[span.kind]
    return words if tag is None else f"<{tag}>{words}</{tag}>"


def as_typst(title: str, blocks: Sequence[Block]) -> str:
    """The blocks as a Typst document; every word is a string literal, so none is obeyed."""
    lines = [
        f"#set document(title: {_typst_text(title)})",
        f'#set page(paper: "a4", margin: 2cm, numbering: "1 / 1", header: {_header(title)})',
        '#set text(size: 10pt, lang: "en", region: "GB")',
    ]
    for block in blocks:
        words = "".join(_typst_span(span) for span in block.spans)
        match block.kind:
            case "heading":
                lines.append(f"#heading(level: {block.level})[{words}]")
            case "paragraph":
                lines.append(f"#par[{words}]")
            case _:
                indent = f"{(block.level - 1) * 1.2:.1f}em"
                lines.append(f"#pad(left: {indent})[#list[{words}]]")
    return "\n".join(lines) + "\n"


def _header(title: str) -> str:
    """The policy's name on every page: a sheet that lies alone still says what it is of."""
    return f"align(right, text(size: 8pt, {_typst_text(title)}))"


def _typst_text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _typst_span(span: Span) -> str:
    words = _typst_text(span.text)
    wrap = {"plain": "#text({})", "code": "#raw({})", "bold": "#strong({})"}[span.kind]
    return wrap.format(words)
