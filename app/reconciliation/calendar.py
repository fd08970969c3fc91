"""A commissioner's calendar and the totals stated to it, set from CSV files. Both are dated data.

No national dates are packaged: the days for submission, flex, freeze and challenge stand in each
contract (NHS Standard Contract, Schedule 6), and are the organisation's own to set.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from app.approvals.permissions import Action, check_can
from app.audit import Event, record
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import slice_store
from app.reconciliation.decode import decode, rows_of
from app.reconciliation.errors import SettingNotAccepted
from app.reconciliation.layouts import normal
from app.reconciliation.parse import Reading, parse_money, parse_organisation, parse_text
from app.reconciliation.parse_dates import (
    financial_period,
    parse_date,
    parse_financial_month,
    parse_financial_year,
)
from app.reconciliation.slice_store import ContractMonth, MonitoringFigure
from app.reconciliation.slices import Fold, SliceKey

T = TypeVar("T")
Parsers = Mapping[str, Callable[[str], Reading[Any]]]
_DAYS = ("submission", "flex", "freeze", "challenge_by")
_PERIOD: Parsers = {
    "financial_year": parse_financial_year,
    "financial_month": parse_financial_month,
}
_MONTH: Parsers = {**_PERIOD, **dict.fromkeys(_DAYS, parse_date), "source": parse_text}
_FIGURE: Parsers = {
    "provider": parse_organisation,
    "commissioner": parse_organisation,
    **_PERIOD,
    "amount": parse_money,
    "source": parse_text,
}


def read_calendar(data: bytes) -> tuple[ContractMonth, ...]:
    """A calendar's months: columns financial_year, financial_month, source and the four days.

    A day may be left empty. Raises SettingNotAccepted, or UnreadableSubmission for no CSV.
    """
    months = tuple(ContractMonth(**row) for row in _rows(data, _MONTH, optional=_DAYS))
    check_months(months)
    return months


def check_months(months: Sequence[ContractMonth]) -> None:
    """Raise SettingNotAccepted where days do not follow each other, or a month stands twice."""
    for number, month in enumerate(months, start=1):
        days = [day for day in (month.submission, month.flex, month.freeze) if day is not None]
        if days != sorted(days):
            raise SettingNotAccepted(number, "submission, flex and freeze do not follow each other")
    _check_once([(month.financial_year, month.financial_month) for month in months])


def read_figures(data: bytes, fold: Fold) -> tuple[MonitoringFigure, ...]:
    """Totals of the Aggregate Contract Monitoring set: the slice's columns, amount and source.

    Pounds; `amount` is the high-cost drugs of that slice. Codes fold as those of lines do.
    """
    stated = []
    for row in _rows(data, _FIGURE):
        key = SliceKey(*(row[name] for name in SliceKey._fields))
        stated.append(MonitoringFigure(key, row["amount"], row["source"]))
    return folded_figures(stated, fold)


def folded_figures(stated: Sequence[MonitoringFigure], fold: Fold) -> tuple[MonitoringFigure, ...]:
    """The figures with codes folded as those of lines are, on the last day of their month.

    Raises SettingNotAccepted where a slice stands twice.
    """
    figures = []
    for each in stated:
        _, last = financial_period(each.key.financial_year, each.key.financial_month)
        key = each.key._replace(
            provider=fold(each.key.provider, last), commissioner=fold(each.key.commissioner, last)
        )
        figures.append(replace(each, key=key))
    _check_once([figure.key for figure in figures])
    return tuple(figures)


def _rows(data: bytes, parsers: Parsers, optional: Sequence[str] = ()) -> list[dict[str, Any]]:
    text, _ = decode(data)
    header, *body = rows_of(text, ",")
    names = [normal(cell) for cell in header]
    columns = {name: normal(name) for name in parsers}
    lacking = [name for name, column in columns.items() if column not in names]
    if lacking:
        raise SettingNotAccepted(0, f"the first row lacks {', '.join(lacking)}")
    found = []
    for number, cells in enumerate(body, start=1):
        if any(cell.strip() for cell in cells):
            by_name = dict(zip(names, cells, strict=False))
            texts = {name: by_name.get(column, "") for name, column in columns.items()}
            found.append(_read(number, texts, parsers, optional))
    return found


def _read(
    number: int, texts: Mapping[str, str], parsers: Parsers, optional: Sequence[str]
) -> dict[str, Any]:
    values = {}
    for name, parse in parsers.items():
        value, why = parse(texts[name])
        if why is not None or (value is None and name not in optional):
            raise SettingNotAccepted(number, f"{name}: {why or 'it is empty'}")
        values[name] = value[:200] if isinstance(value, str) else value
    return values


def _check_once(keys: Sequence[tuple[Any, ...]]) -> None:
    for number, key in enumerate(keys, start=1):
        if key in keys[: number - 1]:
            raise SettingNotAccepted(number, "it repeats an earlier row")


def calendar_for(
    work: Work, caller: Caller, financial_year: str | None
) -> tuple[ContractMonth, ...]:
    """The caller's organisation's contract months as set last, in order of time."""
    check_can(caller, Action.RECONCILE)
    found = slice_store.calendar_of(work, caller.organisation)
    return tuple(found[p] for p in sorted(found) if financial_year in (None, p.financial_year))


def figures_for(
    work: Work, caller: Caller, financial_year: str | None
) -> tuple[MonitoringFigure, ...]:
    """The totals stated to the caller's organisation as set last, in order of their slices."""
    check_can(caller, Action.RECONCILE)
    found = slice_store.figures_of(work, caller.organisation)
    return tuple(found[k] for k in sorted(found) if financial_year in (None, k.financial_year))


def set_calendar(work: Work, caller: Caller, months: Sequence[ContractMonth]) -> None:
    """Set these months for the caller's organisation; earlier settings stay on record.

    Raises NotAllowed, and SettingNotAccepted as `check_months`.
    """
    check_can(caller, Action.KEEP_CALENDAR)
    check_months(months)
    for month in months:
        slice_store.set_month(work, caller.organisation, caller.id, month)
        period = f"{month.financial_year}-{month.financial_month:02d}"
        _tell(work, caller, "calendar set", period, {n: _iso(getattr(month, n)) for n in _DAYS})


def set_figures(work: Work, caller: Caller, figures: Sequence[MonitoringFigure]) -> None:
    """Set these stated totals for the caller's organisation; earlier ones stay on record."""
    check_can(caller, Action.KEEP_CALENDAR)
    for figure in figures:
        slice_store.set_figure(work, caller.organisation, caller.id, figure)
        name = "-".join(map(str, figure.key))
        _tell(work, caller, "stated total set", name, {"amount": _text(figure.amount)})


def _iso(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _text(amount: Decimal) -> str:
    return f"{amount:f}"


def _tell(work: Work, caller: Caller, action: str, name: str, after: dict[str, Any]) -> None:
    own = f"{caller.organisation}-{name}"
    event = Event(action=action, object_type="contract month", object_id=own, after=after)
    record(work, caller.actor(), event)
