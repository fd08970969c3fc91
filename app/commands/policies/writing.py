"""`assent policies new` and `import`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from app.authoring.errors import BenchRefused
from app.authoring.forms.draft import draft_of, slug
from app.authoring.forms.reading import PlainForm, read_forms
from app.authoring.skeleton import skeleton
from app.clock import now
from app.commands.policies.parts import plain_refusals
from app.policy import load_policy
from app.reference_data.drugs import DrugDictionary, load_drugs

_MOST_BYTES = 64 * 1024 * 1024


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
        text = skeleton(drug, indication, _day(in_force), load_drugs().keys())
        _write(out, text)


def import_form(
    file: Annotated[Path, typer.Argument(help="A plain yes/no form: .csv, .xlsx or .docx.")],
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
    dictionary = load_drugs()
    with plain_refusals():
        for form in read_forms(_bytes(file), file.name):
            _import_one(form, dictionary, drug, indication, _day(in_force), out)


def _import_one(
    form: PlainForm,
    dictionary: DrugDictionary,
    drug: str | None,
    indication: str | None,
    in_force: dt.date,
    out: Path | None,
) -> None:
    keys = dictionary.keys()
    key = drug or _drug_in(form.title, keys)
    if key is None or key not in keys:
        raise BenchRefused(
            f"“{form.title}” names no drug of the dictionary. Say --drug KEY; the keys are "
            f"{', '.join(sorted(keys))}."
        )
    others = [name.replace("-", " ") for name in keys if name != key]
    draft = draft_of(form, key, indication or form.title, in_force, others)
    version = load_policy(draft.text, f"{draft.policy}.yaml", keys)
    if out is None:
        typer.echo(draft.text)
    else:
        path = out / slug(draft.policy) / f"{version.version}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, draft.text)
    for each in draft.statements:
        label = f" ({each.boilerplate})" if each.boilerplate else ""
        typer.echo(f"statement {each.name}: {each.what}{label}", err=True)
    typer.echo(f"{draft.policy}: loads as a draft. To be decided by a person:", err=True)
    for gap in draft.gaps:
        typer.echo(f"  {gap}", err=True)


def _drug_in(title: str, keys: object) -> str | None:
    words = slug(title)
    found = [key for key in sorted(load_drugs().keys()) if key in words] if keys else []
    return found[0] if len(found) == 1 else None


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
    path.write_text(text, encoding="utf-8")
    typer.echo(f"{path}: written.")
