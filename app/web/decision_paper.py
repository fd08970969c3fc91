"""A request's decision as a sheet of A4, with the words of its page. Pure.

It is set by Typst; every word is a string literal, so none is obeyed.
"""

from collections.abc import Iterator, Sequence

from app.web.decision import Colour, FindingRow, Outcome, Pairs

_HEAD = """#set page(paper: "a4", margin: (x: 18mm, y: 18mm), footer: context [
  #text(size: 8pt, fill: luma(60), FOOT) #h(1fr)
  #text(size: 8pt, fill: luma(60), counter(page).display("1 / 1", both: true))
])
#set text(size: 10pt, lang: "en", region: "GB")
#set par(justify: false)
#set table(stroke: (x: none, y: 0.4pt + luma(160)), inset: (x: 4pt, y: 5pt))
#show heading.where(level: 2): it => block(above: 14pt, below: 7pt, it)
#let small(body) = text(size: 8.5pt, fill: luma(60), body)
"""
#: A result is told by its word; the shade only helps the eye.
_SHADES: dict[Colour, str] = {"green": "luma(245)", "orange": "luma(215)", "yellow": "luma(230)"}


def as_typst(
    title: str,
    outcome: Outcome,
    marks: Sequence[str],
    reference: str | None,
    next_steps: Sequence[str],
    covers: Pairs,
    ruling: Pairs,
    about: Pairs,
    votes: Pairs,
    answers: Pairs,
    foot: str,
) -> str:
    """The sheet. `marks` stand at its top: that it is a draft's, or of a demonstration."""
    lines = [
        f"#set document(title: {_text(f'{outcome.heading}: {title}')})",
        _HEAD.replace("FOOT", _text(foot)),
        *(_boxed(each) for each in marks),
        f"#small({_text(title)})",
        f"#heading(level: 1, text({_text(outcome.heading)}))",
    ]
    if reference:
        words = f"#text(size: 14pt, weight: 700, {_text(reference)})"
        lines.append(f"#par[#text({_text('Approval reference')}) #h(6pt) {words}]")
    lines += _part("What to do next", (_par(each) for each in next_steps))
    lines += _part("Why", (_par(each) for each in outcome.reasons))
    lines += _part("What it covers", _pairs(covers))
    lines += _part("Doses given under the urgent start", _pairs(ruling))
    lines += _part("The request", _pairs(about))
    lines += _part("What the panel said", _pairs(votes))
    lines += _part("Each criterion", _findings(outcome.findings))
    lines += _part("Answers", _pairs(answers))
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _boxed(words: str) -> str:
    return f"#block(width: 100%, stroke: 0.8pt, inset: 6pt, text(weight: 700, {_text(words)}))"


def _par(words: str) -> str:
    return f"#par(text({_text(words)}))"


def _part(title: str, lines: Iterator[str]) -> list[str]:
    """A part with its heading; nothing where it is empty."""
    found = list(lines)
    return [f"#heading(level: 2, text({_text(title)}))", *found] if found else []


def _pairs(pairs: Pairs) -> Iterator[str]:
    if pairs:
        cells = ", ".join(f"strong({_text(key)}), text({_text(value)})" for key, value in pairs)
        yield f"#table(columns: (38%, 1fr), {cells})"


def _findings(rows: Sequence[FindingRow]) -> Iterator[str]:
    if rows:
        heads = ", ".join(f"strong({_text(each)})" for each in ("Criterion", "Result", "Source"))
        cells = ", ".join(_finding(each) for each in rows)
        yield f"#table(columns: (1fr, 24mm, 42mm), table.header({heads}), {cells})"


def _finding(row: FindingRow) -> str:
    notes = "".join(f" #linebreak() #small({_text(each)})" for each in row.notes)
    words = f"[#strong({_text(row.criterion)}) #text({_text(row.text)}){notes}]"
    checked = "" if row.verified else " (not verified)"
    layer = f" #linebreak() #small({_text(row.layer)})" if row.layer else ""
    shade = _SHADES.get(row.colour, "luma(255)")
    result = f"table.cell(fill: {shade}, strong({_text(row.result)}))"
    return f"{words}, {result}, [#small({_text(row.source + checked)}){layer}]"
