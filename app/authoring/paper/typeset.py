"""Sheets as a Typst document for A4; every word is a string literal, so none is obeyed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.authoring.paper.sheet import ROWS, Field, Judged, Part, Sheet, foot, names

_HEAD = """#set page(paper: "a4", margin: (x: 15mm, y: 16mm), footer: context [
  #text(size: 8.5pt, FOOT) #h(1fr) #counter(page).display("1 / 1", both: true)
])
#set text(size: 10pt, lang: "en", region: "GB")
#set table(stroke: 0.5pt, inset: 5pt)
#let small(body) = text(size: 8.5pt, fill: luma(60), body)
#let tick = box(width: 3.4mm, height: 3.4mm, stroke: 0.8pt, baseline: 0.4mm)
"""


def as_typst(sheets: Sequence[Sheet]) -> str:
    """The sheets as Typst."""
    lines = [
        f"#set document(title: {_text(names(sheets))})",
        _HEAD.replace("FOOT", _text(foot(sheets))),
    ]
    for number, sheet in enumerate(sheets):
        if number:
            lines.append("#pagebreak()")
        lines += _sheet(sheet)
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _sheet(sheet: Sheet) -> Iterator[str]:
    yield f"#heading(level: 1, text({_text(f'{sheet.kind}: {sheet.title}')}))"
    told = f"{sheet.policy}. Blank form for when the service cannot be reached."
    for line in (told, *sheet.about):
        yield f"#par(text({_text(line)}))"
    for part in sheet.parts:
        lines = "\n".join(_part(part))
        yield f"#block(breakable: false)[{lines}]" if part.together else lines


def _part(part: Part) -> Iterator[str]:
    yield f"#heading(level: 2, text({_text(part.title)}))"
    if part.note:
        yield f"#small({_text(part.note)})"
    if part.judged:
        cells = ", ".join(_judged(each) for each in part.judged)
        yield f"#table(columns: (20mm, 1fr), {cells})"
    if part.fields:
        cells = ", ".join(_field(each) for each in part.fields)
        yield f"#table(columns: (45%, 1fr), {cells})"


def _judged(each: Judged) -> str:
    words = f"[#text({_text(each.text)}) #linebreak() #small({_text(each.source)})]"
    return f"strong({_text(each.id)}), {words}"


def _field(field: Field) -> str:
    label = f"#strong({_text(field.label)})"
    if field.help:
        label += f" #linebreak() #small({_text(field.help)})"
    if field.columns:
        heads = ", ".join(f"small({_text(each)})" for each in field.columns)
        blank = ", ".join(["[#v(5mm)]"] * (ROWS * len(field.columns)))
        rows = f"#table(columns: (1fr,) * {len(field.columns)}, {heads}, {blank})"
        return f"table.cell(colspan: 2, breakable: false)[{label} {rows}]"
    # Room to write in, above the pattern; weak space would vanish beside the cell's edge.
    room = "10mm" if field.size == "long" else "2.5mm" if field.before or field.after else "0mm"
    return f"[{label}], [#v({room}) {_box(field)}]"


def _box(field: Field) -> str:
    if field.boxes:
        one = "#box(width: 5mm, height: 6mm, stroke: 0.8pt)"
        return " #h(3mm) ".join(" ".join([one] * each) for each in field.boxes)
    if field.choices:
        return " #h(5mm) ".join(f"#box[#tick #text({_text(each)})]" for each in field.choices)
    words = f"{'_' * 14} {field.after}" if field.after else field.before
    return f"#small({_text(words)})" if words else "#v(4mm)"
