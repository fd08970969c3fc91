"""`assent pseudonyms …`: replace the identities in a file, and hand out one commissioner's key."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.doors import settings_or_exit
from app.reconciliation import UnreadableSubmission, bare_file
from app.reconciliation.hidden_columns import hide_identities
from app.reconciliation.intake import read_submission
from app.reference_data.pseudonyms import PseudonymKey, Pseudonyms

app = typer.Typer(no_args_is_help=True, help="Keyed pseudonyms in place of patients' identities.")

Commissioner = Annotated[
    str | None, typer.Option("--commissioner", help="Whose pseudonyms: its ODS code.")
]


@app.callback()
def pseudonyms() -> None:
    """Keyed pseudonyms in place of patients' identities."""


@app.command("key")
def show_key(commissioner: Commissioner) -> None:
    """Print one commissioner's key, for whoever computes pseudonyms for it.

    Whoever holds it can test which NHS number a pseudonym is: give it to a provider or a trusted
    third party only, never to the commissioner, and by a safe way.
    """
    typer.echo(_service_key(commissioner).key.hex())


@app.command("compute")
def compute(
    file: Annotated[Path, typer.Argument(help="The submission, as CSV.", dir_okay=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the new file.")],
    commissioner: Commissioner = None,
    key_file: Annotated[
        Path | None,
        typer.Option(help="The commissioner's key as `assent pseudonyms key` printed it."),
    ] = None,
) -> None:
    """Write a submission without its identities: pseudonyms for numbers, years for birth dates.

    What stands in columns that are not known is hidden. Exit code 2: the call is wrong; 3: the
    file cannot be read.
    """
    if (commissioner is None) == (key_file is None):
        typer.echo("Say whose key: either --commissioner or --key-file.", err=True)
        raise typer.Exit(2)
    key = _service_key(commissioner) if key_file is None else _key_in(key_file)
    try:
        submission = read_submission(file.read_bytes(), file.name)
    except OSError as error:
        typer.echo(f"{file} cannot be opened ({error.strerror}). Check the path.", err=True)
        raise typer.Exit(2) from None
    except UnreadableSubmission as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from None
    output.write_bytes(bare_file(hide_identities(submission, key)))
    typer.echo(f"{len(submission.lines)} lines, without identities: {output}", err=True)


def _service_key(commissioner: str | None) -> PseudonymKey:
    secret = settings_or_exit().pseudonym_key_bytes()
    key = Pseudonyms(secret).key_of(commissioner) if commissioner else None
    if key is None:
        typer.echo("Set ASSENT_PSEUDONYM_KEY, and give --commissioner.", err=True)
        raise typer.Exit(2)
    return key


def _key_in(file: Path) -> PseudonymKey:
    try:
        return PseudonymKey(bytes.fromhex(file.read_text(encoding="ascii").strip()))
    except (OSError, ValueError):
        typer.echo("The key file cannot be read as a key. Write it anew.", err=True)
        raise typer.Exit(2) from None
