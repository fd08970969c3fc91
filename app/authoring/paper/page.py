"""Sheets as one HTML page that loads nothing and prints on A4; every word is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from app.authoring.paper.sheet import ROWS, Field, Judged, Part, Sheet, foot, names

_STYLE = """
@page { size: A4; margin: 14mm 14mm 16mm;
  @bottom-right { content: counter(page) " / " counter(pages); font: 9pt Arial, sans-serif; } }
* { box-sizing: border-box; }
body { font: 10.5pt/1.35 Arial, sans-serif; color: #000; max-width: 180mm; margin: 0 auto; }
section.sheet + section.sheet { break-before: page; }
header { border-bottom: 1.5pt solid #000; margin-bottom: 4mm; }
h1 { font-size: 15pt; margin: 0 0 1mm; }
h2 { font-size: 12pt; margin: 5mm 0 1mm; break-after: avoid; }
p { margin: 0 0 1.5mm; } .note, .help, .source { font-size: 9pt; color: #333; }
table { border-collapse: collapse; width: 100%; }
td, th { border: .5pt solid #555; padding: 1.6mm 2mm; vertical-align: top; text-align: left; }
tr, .together { break-inside: avoid; }
td.label { width: 45%; } td.box { height: 9mm; white-space: pre-wrap; }
td.long { height: 15mm; vertical-align: bottom; }
.hint { color: #555; letter-spacing: .04em; } .choice { display: inline-block; margin-right: 6mm;
  padding-left: 5.1mm; text-indent: -5.1mm; }
.tick { display: inline-block; width: 3.6mm; height: 3.6mm; border: .8pt solid #000;
  margin-right: 1.5mm; vertical-align: -.4mm; }
.figure { display: inline-block; width: 5mm; height: 6mm; border: .8pt solid #000; }
footer { display: none; }
@media print { footer { display: block; position: fixed; bottom: 0; font-size: 9pt; }
  body { padding-bottom: 8mm; } }
.write { display: inline-block; min-width: 24mm; border-bottom: .5pt solid #000; }
table.rows td { height: 8mm; } table.rows th { font-size: 9pt; font-weight: bold; }
td.id { width: 18mm; font-weight: bold; }
"""


def as_page(sheets: Sequence[Sheet]) -> str:
    """The sheets as HTML."""
    head = f'<meta charset="utf-8"><title>{escape(names(sheets))}</title><style>{_STYLE}</style>'
    body = "\n".join(_sheet(sheet) for sheet in sheets)
    return (
        f'<!doctype html>\n<html lang="en-GB">\n<head>{head}</head>\n<body>\n{body}\n'
        f"<footer>{escape(foot(sheets))}</footer>\n</body>\n"
        "</html>\n"
    )


def _sheet(sheet: Sheet) -> str:
    about = "".join(f"<p>{escape(line)}</p>" for line in sheet.about)
    parts = "\n".join(_part(part) for part in sheet.parts)
    return (
        f'<section class="sheet"><header><h1>{escape(sheet.kind)}: {escape(sheet.title)}</h1>'
        f"<p>{escape(sheet.policy)}. Blank form for when the service cannot be reached.</p>"
        f"{about}</header>\n{parts}</section>"
    )


def _part(part: Part) -> str:
    note = f'<p class="note">{escape(part.note)}</p>' if part.note else ""
    rows = "".join(_field(each) for each in part.fields)
    rows += "".join(_judged(each) for each in part.judged)
    kept = ' class="together"' if part.together else ""
    return f"<div{kept}><h2>{escape(part.title)}</h2>{note}<table>{rows}</table></div>"


def _field(field: Field) -> str:
    label = f"<strong>{escape(field.label)}</strong>"
    if field.help:
        label += f'<br><span class="help">{escape(field.help)}</span>'
    if field.columns:
        return f'<tr><td colspan="2">{label}{_rows(field.columns)}</td></tr>'
    size = "box long" if field.size == "long" else "box"
    return f'<tr><td class="label">{label}</td><td class="{size}">{_box(field)}</td></tr>'


def _box(field: Field) -> str:
    if field.boxes:
        return " &nbsp; ".join('<span class="figure"></span>' * each for each in field.boxes)
    if field.choices:
        return "".join(
            f'<span class="choice"><span class="tick"></span>{escape(each)}</span>'
            for each in field.choices
        )
    hint = f'<span class="hint">{escape(field.before)}</span>' if field.before else ""
    if not field.after:
        return hint
    return f'<span class="write">&nbsp;</span> {escape(field.after)}'


def _rows(columns: Sequence[str]) -> str:
    heads = "".join(f"<th>{escape(each).replace(chr(10), '<br>')}</th>" for each in columns)
    blank = f"<tr>{'<td></td>' * len(columns)}</tr>" * ROWS
    return f'<table class="rows"><tr>{heads}</tr>{blank}</table>'


def _judged(each: Judged) -> str:
    return (
        f'<tr><td class="id">{escape(each.id)}</td><td>{escape(each.text)}'
        f'<br><span class="source">{escape(each.source)}</span></td></tr>'
    )
