"""Column types that keep their value exactly on SQLite and on PostgreSQL."""

import datetime as dt
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import JSON, DateTime, Dialect, Numeric, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

#: JSON documents; JSONB on PostgreSQL. Decimals inside are stored as strings by the caller.
Document = JSON().with_variant(JSONB(), "postgresql")

PLACES: Final = 8
DIGITS: Final = 26


class Instant(TypeDecorator[dt.datetime]):
    """An instant in UTC. SQLite has no time zones, so the value is normalised on the way in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone: pass an aware datetime")
        value = value.astimezone(dt.UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: dt.datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Exact(TypeDecorator[Decimal]):
    """An exact decimal, up to 8 places and 18 digits before them; anything else is refused.

    SQLite stores Numeric as REAL, so there it is text: compare and sum it in Python, not in SQL.
    It reads back without trailing zeros, the same on both databases.
    """

    impl = Numeric(DIGITS, PLACES)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(40))
        return dialect.type_descriptor(Numeric(DIGITS, PLACES))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"expected Decimal, got {type(value).__name__}")
        value = _plain(value)
        return format(value, "f") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else _plain(Decimal(str(value)))


def _plain(value: Decimal) -> Decimal:
    """The same number with no exponent and no trailing zeros, without rounding.

    Raises ValueError where it would not fit: PostgreSQL would round it, SQLite keep it.
    """
    if not value.is_finite():
        raise ValueError("an exact decimal must be a finite number")
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or not any(digits):
        return Decimal(0)
    while digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    if exponent < -PLACES or len(digits) + exponent > DIGITS - PLACES:
        raise ValueError(
            f"an exact decimal holds {DIGITS - PLACES} digits and {PLACES} decimal places at most"
        )
    if exponent > 0:
        digits, exponent = digits + (0,) * exponent, 0
    return Decimal((sign, digits, exponent))
