"""What the world holds at the moment: every object's id and version, and who has a part in it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from app.api.request_bodies import EXAMPLE_PATIENT
from app.db.tables import (
    administration_proposal,
    adoption_proposal,
    approval,
    approval_import,
    break_glass,
    caller,
    challenge,
    client,
    draft,
    drug_spelling,
    hand_over,
    job,
    line_decision,
    linkage_proposal,
    patient,
    patient_death,
    patient_identifier,
    patient_objection,
    person,
    person_role,
    reconciliation_run,
    request,
    request_attachment,
    submission,
    treatment,
)
from tests.fuzz.stage import FAMILIES, OLD, SYSTEM

Rows = Iterable[tuple[Any, Any, Any, tuple[Any, ...]]]


@dataclass(frozen=True)
class Known:
    """An object that exists: its state or length, and the organisations with a part in it.

    `parts` are those of its columns in order, None where a column names nobody.
    """

    id: str
    version: int
    state: Any
    parts: tuple[str | None, ...]

    @property
    def organisations(self) -> frozenset[str]:
        return frozenset(code for code in self.parts if code)

    @property
    def families(self) -> frozenset[str]:
        return frozenset(FAMILIES[code] for code in self.organisations if code in FAMILIES)


@dataclass(frozen=True)
class Person:
    """A patient as somebody would type them."""

    id: str
    nhs_number: str | None
    birth_date: str
    local_id: str | None
    organisations: frozenset[str]


def _of(
    table: sa.Table, *owners: str, id: str = "id", state: str | None = None
) -> Callable[[sa.Connection], Rows]:
    """The rows of a table that names its organisations in these columns."""

    def read(connection: sa.Connection) -> Rows:
        c = table.c
        columns = [c[id], c["version"] if "version" in c else sa.literal(0)]
        columns.append(c[state] if state else sa.literal(None))
        query = sa.select(*columns, *(c[name] for name in owners)).order_by(c[id])
        for row in connection.execute(query):
            yield row[0], row[1], row[2], tuple(row[3:])

    return read


#: What is done to a patient, and taken back → whether it stands.
_STANDING = {
    "death": sa.exists().where(
        patient_death.c.patient_id == patient.c.id, patient_death.c.taken_back_at.is_(None)
    ),
    "objection": sa.exists().where(
        patient_objection.c.patient_id == patient.c.id, patient_objection.c.withdrawn_at.is_(None)
    ),
    "linked": patient.c.linked_to.is_not(None),
    "unnumbered": patient.c.nhs_number.is_(None),
}


def _patients(connection: sa.Connection) -> Rows:
    """Their state is what stands of them, or None."""
    t, p = treatment.c, patient.c
    query = sa.select(t.patient_id, t.provider, t.commissioner).order_by(t.patient_id)
    state = sa.case(*((what, sa.literal(name)) for name, what in _STANDING.items()))
    states = {row[0]: row[1] for row in connection.execute(sa.select(p.id, state))}
    for id_, _, _, codes in _grouped(connection.execute(query)):
        yield id_, 0, states[id_], codes


def _persons(connection: sa.Connection) -> Rows:
    r, p = person_role.c, person.c
    query = (
        sa.select(p.id, r.organisation)
        .join_from(person, person_role, r.person_id == p.id)
        .where(r.revoked_at.is_(None))
        .order_by(p.id)
    )
    yield from _grouped(connection.execute(query))


def _grouped(rows: Iterable[Any]) -> Rows:
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row[0], set()).update(row[1:])
    for id_, organisations in found.items():
        yield id_, 0, None, tuple(sorted(organisations))


def _callers(connection: sa.Connection) -> Rows:
    """Those that the run may take away: nobody who calls in it."""
    c = caller.c
    query = sa.select(c.id, c.organisation).where(c.name.startswith(OLD)).order_by(c.id)
    for row in connection.execute(query):
        yield row[0], 0, None, (row[1],)


def _clients(connection: sa.Connection) -> Rows:
    """As with callers: not those who ask for tokens."""
    c = client.c
    query = sa.select(c.id, c.organisations).where(~c.name.startswith(SYSTEM)).order_by(c.id)
    for row in connection.execute(query):
        yield row[0], 0, None, tuple(row[1])


#: Kind, as paths name it → its objects.
KINDS: Final[Mapping[str, Callable[[sa.Connection], Rows]]] = {
    "requests": _of(request, "provider", "commissioner", "panel", "counterparty", state="state"),
    "treatments": _of(treatment, "provider", "commissioner", state="first_dose"),
    "approvals": _of(approval, "provider", "commissioner", id="reference", state="state"),
    "patients": _patients,
    "drafts": _of(draft, "organisation", state="submitted_request"),
    "break-glass": _of(break_glass, "organisation", state="ended_at"),
    "challenges": _of(challenge, "commissioner", "provider", state="state"),
    "drug-names": _of(drug_spelling, "organisation", state="accepted_at"),
    "imports": _of(approval_import, "organisation", state="state"),
    "jobs": _of(job, "organisation"),
    "line-decisions": _of(line_decision, "organisation", state="undone_at"),
    "linkage-proposals": _of(linkage_proposal, "organisation", state="state"),
    "runs": _of(reconciliation_run, "organisation", state="lines"),
    "submissions": _of(submission, "organisation"),
    "callers": _callers,
    "clients": _clients,
    "people": _persons,
    "proposals": _of(administration_proposal, "organisation", state="state"),
    "adoption-proposals": _of(adoption_proposal, "organisation", state="state"),
    "hand-over-proposals": _of(hand_over, "organisation", state="state"),
    # Found within a request, which stands in the place of its state.
    "attachments": _of(request_attachment, "organisation", state="request_id"),
}
#: Ids of these kinds are told to nobody but those with a part in the object.
#: A grant of break-glass is told to the providers whose records it opens.
PRIVATE: Final = tuple(
    kind for kind in KINDS if kind not in {"callers", "clients", "people", "break-glass"}
)
#: The patient of the API's own examples.
EXAMPLE: Final = EXAMPLE_PATIENT["nhs_number"].replace(" ", "")


def known(connection: sa.Connection, kind: str) -> list[Known]:
    """Every object of a kind, in the order of their ids."""
    return [
        Known(id_, version, state, codes) for id_, version, state, codes in KINDS[kind](connection)
    ]


def patients(connection: sa.Connection) -> list[Person]:
    """Every patient with a treatment, with a hospital number of one of the hospitals."""
    parts = {each.id: each.organisations for each in known(connection, "patients")}
    i, p = patient_identifier.c, patient.c
    query = (
        sa.select(p.id, p.nhs_number, p.birth_date, sa.func.min(i.local_id))
        .join_from(patient, patient_identifier, i.patient_id == p.id, isouter=True)
        .group_by(p.id, p.nhs_number, p.birth_date)
        .order_by(p.id)
    )
    return [
        Person(row[0], row[1], str(row[2]), row[3], parts[row[0]])
        for row in connection.execute(query)
        if row[0] in parts
    ]


def private_ids(connection: sa.Connection) -> dict[str, str]:
    """Id → the family, of each object that belongs to one family alone."""
    found: dict[str, str] = {}
    for each in map(partial(known, connection), PRIVATE):
        found |= {one.id: min(one.families) for one in each if len(one.families) == 1}
    for id_ in _of_example(connection):
        found.pop(id_, None)
    return found


def _of_example(connection: sa.Connection) -> Iterator[str]:
    """What hangs on the patient whose number and birth date every caller has from the API's own
    examples: whoever sends both may open the record by break-glass, and is told of a claim."""
    t, p = treatment.c, patient.c
    held = (
        sa.select(t.id)
        .join_from(treatment, patient, p.id == t.patient_id)
        .where(p.nhs_number == EXAMPLE)
    )
    yield from connection.scalars(sa.select(p.id).where(p.nhs_number == EXAMPLE))
    yield from connection.scalars(held)
    yield from connection.scalars(sa.select(request.c.id).where(request.c.treatment_id.in_(held)))
    yield from connection.scalars(
        sa.select(approval.c.reference).where(approval.c.treatment_id.in_(held))
    )
