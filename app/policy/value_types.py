"""The types of the criteria language: families, units, options; and the scope of names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Family(StrEnum):
    """What kind of value an expression yields."""

    BOOLEAN = "yes or no"
    NUMBER = "a number"
    DATE = "a date"
    CHOICE = "a choice"


@dataclass(frozen=True, slots=True)
class Type:
    """The type of an expression. `interval` marks counts, known only between two bounds."""

    family: Family
    unit: str | None = None
    whole: bool = False
    interval: bool = False
    constant: bool = False
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scope:
    """The names an expression may use, and those that exist but cannot be used, with why."""

    types: Mapping[str, Type]
    unusable: Mapping[str, str] = field(default_factory=dict)


BOOLEAN = Type(Family.BOOLEAN)
DATE = Type(Family.DATE)
COUNT = Type(Family.NUMBER, whole=True, interval=True)
