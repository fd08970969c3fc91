"""Days as forms of the library send them."""

import datetime as dt
from collections.abc import Mapping

from app.web.form.typed import typed_day


def day_in(name: str, form: Mapping[str, str]) -> dt.date | None:
    """The day in the three boxes of a name; None where they make no day."""
    try:
        return dt.date.fromisoformat(typed_day(name, form) or "")
    except ValueError:
        return None
