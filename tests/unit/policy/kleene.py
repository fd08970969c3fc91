"""A naive Kleene interpreter, for holding the generated code against; it shares none of its code.

Expressions are plain tuples. A count over rows is taken as the set of numbers it could still be,
and a comparison with it holds only if it holds for all of them.
"""

import operator
from datetime import date
from decimal import Decimal

OPERATORS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def text_of(e):  # noqa: C901 - one case a kind of expression
    """The expression in the criteria language."""
    match e:
        case ("flag" | "number", name):
            return name
        case ("literal", value):
            return str(value)
        case ("not", part):
            return f"NOT ({text_of(part)})"
        case ("and" | "or" as word, parts):
            return f" {word.upper()} ".join(f"({text_of(part)})" for part in parts)
        case ("at least", number, parts):
            return f"AT_LEAST({number}, {', '.join(text_of(part) for part in parts)})"
        case ("compare", sign, left, right):
            return f"({text_of(left)}) {sign} ({text_of(right)})"
        case ("between", term, low, high):
            return f"{text_of(term)} BETWEEN {text_of(low)} AND {text_of(high)}"
        case ("arithmetic", sign, left, right):
            return f"({text_of(left)}) {sign} ({text_of(right)})"
        case ("choice", name, options):
            return f"{name} IN ({', '.join(map(repr, options))})"
        case ("window", name, sign, months):
            return f"{name} {sign} ADD_MONTHS(decision_to_treat, {months})"
        case ("days", first, last, sign, days):
            return f"DAYS_BETWEEN({first}, {last}) {sign} {days}"
        case ("count", name, sign, number):
            return f"{name} {sign} {number}"
    raise TypeError(e)


def truth(e, answers):  # noqa: C901 - one case a kind of expression
    """True, False, or None for unknown."""
    match e:
        case ("flag", name):
            return answers[name]
        case ("not", part):
            below = truth(part, answers)
            return None if below is None else not below
        case ("and", parts):
            return worst([truth(part, answers) for part in parts])
        case ("or", parts):
            return best([truth(part, answers) for part in parts])
        case ("at least", number, parts):
            found = [truth(part, answers) for part in parts]
            could = {found.count(True) + extra for extra in range(found.count(None) + 1)}
            return agreed({each >= number for each in could})
        case ("compare", sign, left, right):
            return compared(sign, value(left, answers), value(right, answers))
        case ("between", term, low, high):
            middle = value(term, answers)
            return worst(
                [
                    compared(">=", middle, value(low, answers)),
                    compared("<=", middle, value(high, answers)),
                ]
            )
        case ("choice", name, options):
            return None if answers[name] is None else answers[name] in options
        case ("window", name, sign, months):
            return compared(sign, answers[name], shifted(answers["decision_to_treat"], months))
        case ("days", first, last, sign, days):
            start, end = answers[first], answers[last]
            gap = None if None in (start, end) else end.toordinal() - start.toordinal()
            return compared(sign, gap, days)
        case ("count", name, sign, number):
            rows = answers["rows"]
            if rows is None:
                return None
            found = [row_truth(name, row, answers) for row in rows]
            could = range(found.count(True), found.count(True) + found.count(None) + 1)
            return agreed({OPERATORS[sign](each, number) for each in could})
    raise TypeError(e)


def row_truth(name, row, answers):
    """Whether one row counts: `hot` rows, or `late` ones."""
    recent = compared(">=", row.get("on"), shifted(answers["decision_to_treat"], -12))
    if name == "late":
        return best([compared(">", row.get("on"), answers["d"]), row.get("hot")])
    return worst([row.get("hot"), recent])


def value(e, answers):
    """A number, or None for unknown."""
    match e:
        case ("number", name):
            return answers[name]
        case ("literal", number):
            return Decimal(number)
        case ("arithmetic", sign, left, right):
            first, last = value(left, answers), value(right, answers)
            if first is None or last is None or (sign == "/" and last == 0):
                return None
            return {"+": first + last, "-": first - last, "*": first * last}.get(
                sign, first / last if sign == "/" else None
            )
    raise TypeError(e)


def worst(results):
    """AND."""
    return False if False in results else None if None in results else True


def best(results):
    """OR."""
    return True if True in results else None if None in results else False


def agreed(results):
    """What every possibility agrees on."""
    return next(iter(results)) if len(results) == 1 else None


def compared(sign, left, right):
    """A comparison with the unknown is unknown."""
    return None if left is None or right is None else OPERATORS[sign](left, right)


def shifted(day, months):
    """Months away, stepping back from the 31st until the calendar has the day."""
    year, month = day.year, day.month + months
    while month < 1:
        year, month = year - 1, month + 12
    while month > 12:
        year, month = year + 1, month - 12
    for number in range(day.day, 27, -1):
        try:
            return date(year, month, number)
        except ValueError:
            continue
    return date(year, month, day.day)
