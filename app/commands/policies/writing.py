"""`assent policies new`, `schema` and `import`."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.authoring.errors import BenchRefused
from app.authoring.forms.draft import Draft, slug
from app.authoring.forms.folder import bring, bring_all, summary_lines
from app.authoring.forms.reading import read_forms
from app.authoring.skeleton import schema_from, schema_text, skeleton
from app.clock import now
from app.commands.policies.parts import plain_refusals
from app.reference_data.drugs import load_drugs

_MOST_BYTES = 64 * 1024 * 1024
_FORMS = (".csv", ".xlsx", ".docx")


def new(
    drug: Annotated[str, typer.Argument(help="The drug's key in the dictionary.")],
    indication: Annotated[str, typer.Argument(help="The indication, in words.")],
    in_force: Annotated[
        dt.datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day in force.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; else it is printed.")] = None,
) -> None:
    """Begin a policy: a commented file that loads."""
    with plain_refusals():
        _write(out, skeleton(drug, indication, _day(in_force), load_drugs().keys(), out))


def schema(
    out: Annotated[Path | None, typer.Option(help="The file to write; else it is printed.")] = None,
) -> None:
    """The JSON Schema of a policy file, with which any editor completes and checks as you type."""
    with plain_refusals():
        _write(out, schema_text())


def import_form(
    file: Annotated[Path, typer.Argument(help="A plain yes/no form, .csv, .xlsx or .docx, or a folder of them.")],
    drug: Annotated[
        str | None, typer.Option(help="The drug's key; else it is looked for in the title.")
    ] = None,
    indication: Annotated[
        str | None, typer.Option(help="The indication in words; else the form's title.")
    ] = None,
    in_force: Annotated[
        dt.datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day in force.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write drafts into; else they are printed.")
    ] = None,
) -> None:
    """Bring plain yes/no forms over as draft policies; what a person must decide is marked."""
    with plain_refusals():
        if file.is_dir():
            _import_folder(file, _day(in_force), out, drug or indication)
            return
        for form in read_forms(_bytes(file), file.name):
            draft = bring(
                form, load_drugs().keys(), _day(in_force), drug or "", indication or ""
            )
            _import_one(draft, _day(in_force), out)


def _import_folder(
    folder: Path, in_force: dt.date, out: Path | None, one_for_all: str | None
) -> None:
    """Every form below a folder; exit code 1 when one could not be brought over."""
    if out is None or one_for_all:
        raise BenchRefused(
            "A folder of forms needs --out FOLDER for its drafts, and takes each drug and "
            "indication from the form's title: leave --drug and --indication out."
        )
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _FORMS and p.is_file())
    if not files:
        raise BenchRefused(f"{folder}: holds no .csv, .xlsx or .docx. Check the path.")
    named = ((str(p.relative_to(folder)), partial(_bytes, p)) for p in files)
    brought = []
    for each in bring_all(named, load_drugs().keys(), in_force):
        if each.draft is not None and not _new_file(_path(out, each.draft, in_force), each.draft):
            each = replace(each, draft=None, reason="its draft is there already and is kept.")
        brought.append(each)
    lines = list(summary_lines(brought))
    (out / "SUMMARY.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for line in lines:
        typer.echo(line)
    if any(each.draft is None for each in brought):
        raise typer.Exit(1)


def _new_file(path: Path, draft: Draft) -> bool:
    """Write a draft where there is none yet; returns whether it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return False
    path.write_text(_with_schema(path, draft), encoding="utf-8")
    return True


def _with_schema(path: Path, draft: Draft) -> str:
    return f"# yaml-language-server: $schema={schema_from(path)}\n{draft.text}"


def _path(out: Path, draft: Draft, in_force: dt.date) -> Path:
    return out / slug(draft.policy) / f"{in_force}.yaml"


def _import_one(draft: Draft, in_force: dt.date, out: Path | None) -> None:
    if out is None:
        typer.echo(draft.text)
    else:
        path = _path(out, draft, in_force)
        _write(path, _with_schema(path, draft))
    for each in draft.statements:
        label = f" ({each.boilerplate})" if each.boilerplate else ""
        typer.echo(f"statement {each.name}: {each.what}{label}", err=True)
    typer.echo(f"{draft.policy}: loads as a draft. To be decided by a person:", err=True)
    for gap in draft.gaps:
        typer.echo(f"  {gap}", err=True)


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise BenchRefused(f"{file}: the file is over 64 MB. Split it.")
        return file.read_bytes()
    except OSError:
        raise BenchRefused(f"{file}: cannot be read. Check the path.") from None


def _day(given: dt.datetime | None) -> dt.date:
    return given.date() if given is not None else now().date()


def _write(path: Path | None, text: str) -> None:
    if path is None:
        typer.echo(text)
        return
    if path.exists():
        raise BenchRefused(f"{path}: is there already, and is not overwritten. Give another name.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError:
        raise BenchRefused(f"{path}: cannot be written. Check the path and its rights.") from None
    typer.echo(f"{path}: written.")
