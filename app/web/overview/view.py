"""The overview in words: its sums, and each chart with its description and its table. Pure."""

import calendar
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final

from app.insight.control_chart import FEWEST, ControlChart, control_chart
from app.insight.figures import Kept, Name
from app.insight.funnel import Counted, Funnel, Limits, funnel
from app.reconciliation.engines.limits import EXACT_DIGITS
from app.web.decision import Colour
from app.web.desk.common import organisation_words
from app.web.overview.drawing import Drawing, draw_funnel, draw_series
from app.web.words import counted, first_upper, number_words, pounds

_NEITHER: Final = "within the limits"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table beside a chart; `colour` is that of its last cell's tag."""

    head: str
    cells: tuple[str, ...]
    said: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with everything that it says beside it; without a drawing there is too little."""

    id: str
    title: str
    what: str
    description: str
    drawing: Drawing | None
    across: str
    up: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class RateRow:
    """Requests of one provider and how many rested on an override or a waiver."""

    provider: str
    requests: int
    overridden: int
    overridden_rate: str
    waived: int
    waived_rate: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The page."""

    accepted: Decimal
    queried: Decimal
    under_approval: int
    overdue: int
    series: tuple[Chart, ...]
    funnels: tuple[Chart, ...]
    rates: tuple[RateRow, ...]


def overview_of(kept: Kept) -> Overview:
    """Everything on the page, from the figures that the worker keeps."""
    by_month = _summed(kept, lambda f: f.month)
    by_provider = _summed(kept, lambda f: f.provider)
    now = f"{kept.as_at:%Y-%m}"
    issued = {m: n for m, n in by_month[Name.APPROVALS_ISSUED].items() if m != now}
    return Overview(
        accepted=_all(by_provider[Name.ACCEPTED]),
        queried=_all(by_provider[Name.QUERIED]),
        under_approval=int(_all(by_provider[Name.UNDER_APPROVAL])),
        overdue=int(_all(by_provider[Name.OVERDUE])),
        series=(
            _series(
                "accepted",
                "Spend that matched an approval, by month billed",
                "Accepted pounds of the newest run over each month as it stands.",
                by_month[Name.ACCEPTED],
                pounds,
            ),
            _series(
                "queried",
                "Spend that did not match, by month billed",
                "Queried pounds of the newest run over each month as it stands.",
                by_month[Name.QUERIED],
                pounds,
            ),
            _series(
                "issued",
                "Approvals issued, by month",
                "The month under way is left out.",
                issued,
                lambda n: number_words(n.quantize(Decimal(1), ROUND_HALF_UP)),
            ),
        ),
        funnels=(
            _funnel(
                "lines",
                "Lines queried, by provider",
                "Of the lines of the newest runs, those with any pound queried.",
                by_provider[Name.LINES_QUERIED],
                by_provider[Name.LINES],
                "lines",
            ),
            _funnel(
                "overdue",
                "Continuations overdue, by provider",
                "Of the treatments with an approval that are not recorded as stopped, those whose "
                "last covered day has passed. Ask for the form: nobody need stop anything.",
                by_provider[Name.OVERDUE],
                by_provider[Name.UNDER_APPROVAL],
                "treatments",
            ),
        ),
        rates=_rates(by_provider),
    )


def month_of(key: str) -> str:
    """`2026-06` as "June 2026"."""
    return f"{calendar.month_name[int(key[5:])]} {key[:4]}"


def percent(share: float) -> str:
    """A proportion as "12.3%"."""
    return f"{share * 100:.1f}%"


def _summed(kept: Kept, by: Callable[..., str]) -> defaultdict[Name, defaultdict[str, Decimal]]:
    found: defaultdict[Name, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    with localcontext(prec=EXACT_DIGITS):
        for each in kept.figures:
            found[each.name][by(each)] += each.amount
    return found


def _all(amounts: dict[str, Decimal]) -> Decimal:
    with localcontext(prec=EXACT_DIGITS):
        return sum(amounts.values(), Decimal(0))


def _series(
    id: str,
    title: str,
    what: str,
    amounts: dict[str, Decimal],
    written: Callable[[Decimal], str],
) -> Chart:
    months = sorted(amounts)
    chart = control_chart([amounts[month] for month in months])
    if chart is not None and min(amounts.values()) >= 0:
        # What cannot be negative has no limit below nothing.
        chart = replace(chart, lower=max(chart.lower, Decimal(0)))
    drawing = None
    signals: list[tuple[str, ...]] = [()] * len(months)
    if chart is not None:
        drawing = draw_series(
            chart, [f"{calendar.month_abbr[int(m[5:])]} {m[2:4]}" for m in months], written
        )
        signals = [tuple(signal.value for signal in point.signals) for point in chart.points]
    rows = tuple(
        Row(
            month_of(month),
            (written(amounts[month]),),
            first_upper("; ".join(said)) if said else "No signal",
            "orange" if said else "grey",
        )
        for month, said in zip(months, signals, strict=True)
    )
    return Chart(
        id,
        title,
        what,
        _told(chart, months, written),
        drawing,
        "Month",
        "",
        ("Month", "#Amount", "Signal"),
        rows,
    )


def _told(chart: ControlChart | None, months: list[str], written: Callable[[Decimal], str]) -> str:
    if chart is None:
        return "It takes two months to draw it."
    marked = sum(bool(point.signals) for point in chart.points)
    first, last = month_of(months[0]), month_of(months[-1])
    said = (
        f"From {first} to {last} the mean is {written(chart.mean)} a month, the limits are "
        f"{written(chart.lower)} and {written(chart.upper)}. "
    )
    said += f"{first_upper(counted(marked, 'month'))} with a signal." if marked else "No signal."
    if not chart.settled:
        said += f" Below {FEWEST} months the limits are still settling."
    return said


def _funnel(
    id: str,
    title: str,
    what: str,
    of_them: dict[str, Decimal],
    every: dict[str, Decimal],
    noun: str,
) -> Chart:
    made = funnel([Counted(p, int(of_them.get(p, 0)), int(every[p])) for p in sorted(every)])
    rows: tuple[Row, ...] = ()
    if made is not None:
        pairs = sorted(zip(made.counted, made.limits, strict=True), key=lambda p: -p[0].share)
        rows = tuple(_funnel_row(each, limits) for each, limits in pairs)
    return Chart(
        id,
        title,
        what,
        _funnel_told(made),
        None if made is None else draw_funnel(made, percent),
        f"How many {noun}",
        "Share",
        ("Provider", "#Of them", f"#{first_upper(noun)}", "#Share", "Against the limits"),
        rows,
    )


def _funnel_row(each: Counted, limits: Limits) -> Row:
    said, colour = _place(each.share, limits)
    cells = (number_words(each.of_them), number_words(each.all), percent(each.share))
    return Row(organisation_words(each.provider), cells, first_upper(said), colour)


def _place(share: float, limits: Limits) -> tuple[str, Colour]:
    if share > limits.upper998:
        return "above the 99.8% limit", "orange"
    if share > limits.upper95:
        return "above the 95% limit", "yellow"
    if share < limits.lower998:
        return "below the 99.8% limit", "blue"
    if share < limits.lower95:
        return "below the 95% limit", "blue"
    return _NEITHER, "grey"


def _funnel_told(made: Funnel | None) -> str:
    if made is None:
        return "There is nothing to count yet."
    outside = [
        each.provider
        for each, limits in zip(made.counted, made.limits, strict=True)
        if _place(each.share, limits)[0] != _NEITHER
    ]
    spread = (
        "The limits are widened for what differs between providers beyond chance "
        f"(dispersion {made.dispersion:.1f})."
        if made.tau2
        else "Providers differ no more than chance would have them differ."
    )
    told = f"Outside the 95% limits: {', '.join(outside)}." if outside else "All are within them."
    return f"The average is {percent(made.average)}. {spread} {told}"


def _rates(by_provider: dict[Name, defaultdict[str, Decimal]]) -> tuple[RateRow, ...]:
    asked = by_provider[Name.REQUESTS]
    over, waived = by_provider[Name.OVERRIDDEN], by_provider[Name.WAIVED]
    rows = [
        _rate(organisation_words(provider), asked[provider], over[provider], waived[provider])
        for provider in sorted(asked)
    ]
    if rows:
        rows.append(_rate("All providers", _all(asked), _all(over), _all(waived)))
    return tuple(rows)


def _rate(provider: str, asked: Decimal, over: Decimal, waived: Decimal) -> RateRow:
    return RateRow(
        provider,
        int(asked),
        int(over),
        percent(float(over / asked)),
        int(waived),
        percent(float(waived / asked)),
    )
