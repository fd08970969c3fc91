"""What keeps a patient's identity from readers who do not give care.

A commissioner, a panel and an auditor judge what was asked for and what was paid; none of them
needs to know who the patient is. They see a pseudonym and the year of birth. Identifiers that
somebody wrote into free text are taken out of every document, since the patient's own are known.
"""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import BaseModel
from sqlalchemy import select

from app.approvals import patients
from app.approvals.permissions import PROVIDER_ROLES
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

HIDDEN: Final = "[hidden]"
#: A shorter hospital number would take figures out of text that tell of nobody.
SHORTEST_LOCAL_ID: Final = 4
#: Our own codes and names: never free text.
_OURS: Final = frozenset(
    {"id", "hash", "reference", "policy_hash", "correlation_id"}
    | {"treatment_id", "request_id", "object_id"}
)


def gives_care(caller: Caller) -> bool:
    """Whether the reader is of a care team, and so sees who the patient is."""
    return caller.role in PROVIDER_ROLES


@dataclass(frozen=True, slots=True)
class Veil:
    """Takes one patient's identifiers out of what a reader is shown; None: it shows all."""

    pattern: re.Pattern[str] | None
    birth_date: re.Pattern[str] | None = None
    birth_year: str = ""

    @classmethod
    def over_treatment(cls, work: Work, caller: Caller, treatment_id: str) -> Self:
        """The veil over documents of a treatment that the caller may see."""
        if gives_care(caller):
            return cls(None)
        query = select(tables.treatment.c.patient_id).where(tables.treatment.c.id == treatment_id)
        with work.beyond_scope():
            patient_id = work.connection.execute(query).scalar_one()
        return cls.over_patient(work, caller, patient_id)

    @classmethod
    def over_patient(cls, work: Work, caller: Caller, patient_id: str) -> Self:
        """The veil over what is told of a patient of whom the caller may know."""
        if gives_care(caller):
            return cls(None)
        with work.beyond_scope():  # to hide a number, every organisation's must be known
            known = patients.patient(work, patient_id)
            same = patients.same_person(work, known.canonical_id)
            identifier = tables.patient_identifier.c
            local = work.connection.execute(
                select(identifier.local_id).where(identifier.patient_id.in_(same))
            ).scalars()
            numbers = work.connection.execute(
                select(tables.patient.c.nhs_number).where(tables.patient.c.id.in_(same))
            ).scalars()
            texts = [_nhs_number(number) for number in numbers if number]
            texts += [re.escape(each) for each in local if len(each) >= SHORTEST_LOCAL_ID]
        return cls(_any_of(texts), _any_of(_as_written(known.birth_date)), f"{known.birth_date:%Y}")

    def over(self, value: Any) -> Any:
        """The value, document or JSON, without the patient's identifiers; its type stays."""
        if self.birth_date is None:
            return value
        if type(value) is str:  # an enum member is text too, but none of somebody's writing
            return self._text(value)
        if isinstance(value, BaseModel):
            fields = type(value).model_fields
            update = {name: self.over(getattr(value, name)) for name in fields if _may_tell(name)}
            return value.model_copy(update=update)
        if isinstance(value, dict):
            return {k: self.over(v) if _may_tell(str(k)) else v for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.over(each) for each in value)
        return value

    def _text(self, text: str) -> str:
        if self.birth_date is not None:
            text = self.birth_date.sub(self.birth_year, text)
        return text if self.pattern is None else self.pattern.sub(HIDDEN, text)


def _may_tell(name: str) -> bool:
    return name not in _OURS


def _nhs_number(number: str) -> str:
    parts = (number[:3], number[3:6], number[6:])
    return "[ -]?".join(parts)


def _as_written(day: dt.date) -> list[str]:
    """The ways in which people write a birth date, as patterns."""
    year, month, number = f"{day:%Y}", day.month, day.day
    name = f"{day:%b}[a-z]*"
    return [
        f"{year}-{month:02d}-{number:02d}",
        f"0?{number}[/. -]0?{month}[/. -]{year}",
        f"0?{number}[/. -]{name}[/. -]{year}",
    ]


def _any_of(texts: list[str]) -> re.Pattern[str] | None:
    """One pattern for whole words; None for no text."""
    if not texts:
        return None
    return re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(texts)})(?![0-9A-Za-z])", re.IGNORECASE)
