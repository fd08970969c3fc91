"""`assent policies explain`: the decision on a form, or on a stored request, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from app.approvals.library import Library
from app.audit import record_reading
from app.auth.model import Caller, Role
from app.approvals.published import JoinedLibrary
from app.authoring.errors import BenchRefused
from app.authoring.explain import FORM_ALONE, explain, explain_request
from app.authoring.filled_form import Form, decide_form, read_form
from app.authoring.files import read_text
from app.authoring.stored_request import StoredRequest, read_request
from app.commands.at_the_line import call, client
from app.commands.doors import door_or_exit
from app.commands.policies.parts import (
    joined_library,
    library_of,
    notices_of,
    plain_refusals,
    policies_folder,
    version_named,
)
from app.policy import Kind, PolicyVersion


def explain_form(
    form: Annotated[Path | None, typer.Argument(help="A filled-in form as JSON.")] = None,
    request: Annotated[str | None, typer.Option(help="Else a stored request's id.")] = None,
    draft: Annotated[
        str | None, typer.Option("--version", help="Decide under this file or key@version.")
    ] = None,
    commissioner: Annotated[
        str | None,
        typer.Option(
            help="A form: whose overlay lies on top. A request: what this commissioner pays for."
        ),
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="A request: whose it is (the provider's ODS code).")
    ] = None,
    by: Annotated[str | None, typer.Option(help="A request: who reads it, for the audit.")] = None,
) -> None:
    """Decide a form, or read a stored request's decision: why, in plain words with citations."""
    if (form is None) == (request is None):
        typer.echo("Give either a form's file or --request ID.", err=True)
        raise typer.Exit(2)
    with plain_refusals():
        lines = (
            _of_form(read_form(read_text(form)), draft, commissioner)
            if form is not None
            else explain_request(_stored(request or "", draft, commissioner, provider, by))
        )
        for line in lines:
            typer.echo(line)


def _of_form(form: Form, draft: str | None, commissioner: str | None) -> Iterator[str]:
    library = joined_library()
    payer = commissioner or form.commissioner
    version = _version(library, form, draft, payer)
    notices, limited = notices_of(library)
    yield from explain(version, form.kind, decide_form(version, form, notices))
    yield ""
    yield FORM_ALONE
    if limited and form.kind is Kind.INITIATION:
        yield limited


def _version(
    library: Library, form: Form, draft: str | None, commissioner: str | None
) -> PolicyVersion:
    """The version that decides a form, with the overlay that its commissioner has on that day."""
    decided = form.context.decision_to_treat
    if draft is None and form.version is None:
        return library.deciding(form.policy, form.kind, decided, commissioner)
    version = (
        version_named(draft, library) if draft else library.get(form.policy, form.version or "")
    )
    return library.layered(version, commissioner, decided)


def _stored(
    request: str,
    draft: str | None,
    commissioner: str | None,
    provider: str | None,
    by: str | None,
) -> StoredRequest:
    """The request, once the reading of it is committed to the audit log."""
    if draft is not None:
        raise BenchRefused(
            "A stored request is explained under the version that decided it: leave --version out. "
            "`assent policies replay` decides stored requests under another."
        )
    if (commissioner is None) == (provider is None):
        raise BenchRefused("Say whose request: either --commissioner or --provider.")
    if by is None or not by.strip():
        raise BenchRefused("Say who reads the request with --by: the audit log names them.")
    door = door_or_exit()
    caller = Caller(
        id=by.strip()[:36],
        name=by.strip(),
        kind="person",
        organisation=commissioner or provider or "",
        role=Role.COMMISSIONER if commissioner else Role.PHARMACIST,
        client=client(),
        correlation_id=call(),
    )
    held = JoinedLibrary(library_of(policies_folder()))
    found, reading = door.read(lambda work: read_request(work, held.at(work), caller, request))
    door.transact(lambda work: record_reading(work, caller.actor(), reading))
    return found
