"""`assent supply-check` and `assent reconcile --draft`: a trust's check before it invoices."""

import datetime as dt
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from app.api.supply_checks import check_and_keep
from app.auth.model import Caller, Role
from app.commands.at_the_line import acting_for
from app.commands.doors import door_or_exit, settings_or_exit
from app.commands.refusals import done
from app.desk import make_desk
from app.door import Door
from app.reconciliation import Submission, as_text, checking_supplies, returned_file
from app.reconciliation.checking_supplies import Checked, PlannedSupply
from app.reconciliation.model import TestResult
from app.reconciliation.outcomes import sentence
from app.reconciliation.service import Desk


def supply_check(
    drug: Annotated[str, typer.Argument(help="Its name as the pharmacy writes it, or dm+d code.")],
    provider: Annotated[str, typer.Option(help="Your trust's ODS code.")],
    on: Annotated[dt.datetime, typer.Option(formats=["%Y-%m-%d"], help="Day of supply.")],
    nhs_number: Annotated[str | None, typer.Option(help="The patient's NHS number.")] = None,
    local_id: Annotated[str | None, typer.Option(help="The patient's hospital number.")] = None,
    born: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The patient's birth date.")
    ] = None,
    commissioner: Annotated[str | None, typer.Option(help="Who pays (its ODS code).")] = None,
    reference: Annotated[str | None, typer.Option(help="The approval's reference.")] = None,
    quantity: Annotated[str | None, typer.Option(help="How many of the unit.")] = None,
    unit: Annotated[str | None, typer.Option(help="Such as pen, vial or mg.")] = None,
    unit_price: Annotated[str | None, typer.Option(help="Pounds for one unit.")] = None,
    delivery: Annotated[
        str | None, typer.Option(help="Pounds for a home delivery, within the total.")
    ] = None,
    homecare: Annotated[bool, typer.Option(help="It is dispensed as homecare.")] = False,
    total: Annotated[str | None, typer.Option(help="Pounds.")] = None,
    care_reason: Annotated[
        str | None,
        typer.Option(help="Why you care for the patient; without it no other provider is asked."),
    ] = None,
) -> None:
    """Check one planned supply: will it be challenged, and what is to be done."""
    planned = PlannedSupply(
        drug=drug,
        supply_date=on.date(),
        nhs_number=nhs_number,
        local_id=local_id,
        birth_date=born.date() if born else None,
        commissioner=commissioner,
        reference=reference,
        quantity=_amount(quantity),
        unit=unit,
        unit_price=_amount(unit_price),
        home_delivery_charge=_amount(delivery),
        homecare=homecare,
        total=_amount(total),
    )
    caller = pharmacist(provider)
    submission = done(lambda: checking_supplies.as_submission(caller, planned))
    desk = make_desk(settings_or_exit())
    door = door_or_exit()
    (advice,) = _checked(door, desk, caller, submission, care_reason, restates=False).advice
    verdict = "would be challenged" if advice.challenged else "would not be challenged"
    typer.echo(f"{advice.item.outcome.value}: {verdict}. {advice.item.reason}")
    for test in advice.item.tests:
        if test.result is not TestResult.PASSED:
            typer.echo(f"{sentence(test.name)[:-1]}, {test.result.value}: {test.detail}.")
    if advice.form is not None:
        typer.echo(f"Form: {advice.form.value}. {advice.item.remedy}")
    if advice.due is not None:
        typer.echo(f"The next continuation is due by {advice.due:%d/%m/%Y}.")


def check_draft(data: bytes, name: str, provider: str, output: Path | None) -> None:
    """Check a draft file of a provider, print the totals, and write the file back."""
    desk, caller = make_desk(settings_or_exit()), pharmacist(provider)
    submission = done(lambda: checking_supplies.read_draft(desk, caller, data, name))
    why = checking_supplies.SUPPLIED
    checked = _checked(door_or_exit(), desk, caller, submission, why, restates=True)
    typer.echo(as_text(checked.summary))
    wrong = sum(each.challenged for each in checked.advice)
    typer.echo(f"{wrong} line(s) would be challenged. Nothing was stored.", err=True)
    if output is not None:
        output.write_bytes(returned_file(submission, checked.matched, safe=True))
        typer.echo(f"The file, with the remedy of each line: {output}", err=True)


def pharmacist(provider: str) -> Caller:
    """The person at the command line, who acts for one trust."""
    return acting_for(provider, Role.PHARMACIST)


def _checked(
    door: Door,
    desk: Desk,
    caller: Caller,
    submission: Submission,
    why: str | None,
    *,
    restates: bool,
) -> Checked:
    return done(lambda: check_and_keep(door, desk, caller, submission, why, restates=restates))


def _amount(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        typer.echo(f"{text} is not a number. Give one such as 352.14.", err=True)
        raise typer.Exit(2) from None
