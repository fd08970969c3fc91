"""Callers are found by token, registered with audit, and revoked at once."""

import dataclasses
import datetime as dt
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from app.audit.model import Actor
from app.audit.store import trail
from app.auth.errors import CallerNotAccepted, NotAllowed, NotSignedIn
from app.auth.model import Role
from app.auth.store import find_caller, register_caller, revoke_caller, token_hash
from app.db.tables import caller as callers
from app.db.transaction import Database
from app.db.work import Moment, Work

ADMINISTRATOR = Actor("admin", "system", "SERVICE", "administrator", "test", "correlation-1")


def _register(work: Work, **changes: object) -> tuple[str, str]:
    described = {"name": "EPR of Northbridge", "kind": "system", "organisation": "DEMO1"}
    return register_caller(
        work,
        ADMINISTRATOR,
        **{**described, "role": Role.CLINICIAN, **changes},  # type: ignore[arg-type]
    )


def test_a_registered_caller_is_found_by_its_token(transact, read) -> None:
    id, token = transact(_register)

    found = read(lambda work: find_caller(work, token, correlation_id="c-1"))

    assert found is not None
    assert (found.id, found.name, found.kind) == (id, "EPR of Northbridge", "system")
    assert (found.organisation, found.role) == ("DEMO1", Role.CLINICIAN)
    assert (found.client, found.correlation_id) == (id, "c-1")
    assert found.actor() == Actor(id, "system", "DEMO1", "clinician", id, "c-1")


@pytest.mark.parametrize("change", [str.lower, str.upper, lambda t: t[:-1], lambda t: t + " "])
def test_a_token_that_differs_at_all_finds_nobody(
    transact, read, change: Callable[[str], str]
) -> None:
    _, token = transact(_register)

    assert read(lambda work: find_caller(work, change(token))) is None


def test_the_token_itself_is_stored_nowhere(transact, read) -> None:
    id, token = transact(_register)

    rows = read(lambda work: work.connection.execute(sa.select(callers)).one())
    events = read(lambda work: trail(work, "caller", id))

    assert rows.token_hash == token_hash(token)
    assert token not in str(rows)
    assert token not in str(events)
    assert token_hash(token) not in str(events)
    assert [event.action for event in events] == ["register caller"]


def test_two_callers_never_get_the_same_token(transact) -> None:
    tokens = {transact(_register)[1] for _ in range(5)}

    assert len(tokens) == 5
    assert all(len(token) == 43 for token in tokens)


def test_a_revoked_token_finds_nobody_from_that_moment(
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
    transact,
) -> None:
    id, token = transact(_register)
    later = Moment(moment.instant + dt.timedelta(hours=1), moment.day)

    revoked = database.transact(
        lambda work: revoke_caller(work, ADMINISTRATOR, id),
        moment=later,
        new_id=ids,
        random_bytes=random_bytes,
    )

    assert revoked
    assert database.read(lambda work: find_caller(work, token), moment=moment) is not None
    assert database.read(lambda work: find_caller(work, token), moment=later) is None
    actions = database.read(lambda work: trail(work, "caller", id), moment=later)
    assert [event.action for event in actions] == ["register caller", "revoke caller"]


def test_revoking_a_caller_twice_or_one_that_never_was_does_nothing(transact, read) -> None:
    id, _ = transact(_register)

    assert transact(lambda work: revoke_caller(work, ADMINISTRATOR, id))
    assert not transact(lambda work: revoke_caller(work, ADMINISTRATOR, id))
    assert not transact(lambda work: revoke_caller(work, ADMINISTRATOR, "nobody"))
    assert len(read(lambda work: trail(work, "caller", id))) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ""}, "1 to 120 characters"),
        ({"name": "   "}, "1 to 120 characters"),
        ({"name": "x" * 121}, "1 to 120 characters"),
        ({"organisation": "rx1"}, "upper-case"),
        ({"organisation": ""}, "upper-case"),
        ({"organisation": "TENCHARACT"}, "upper-case"),
        ({"organisation": "RX1\n"}, "upper-case"),
        ({"token": "chosen"}, "only for demonstration"),
    ],
)
def test_a_caller_that_cannot_be_stored_is_refused_with_the_reason(
    transact, read, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(CallerNotAccepted, match=says):
        transact(lambda work: _register(work, **changes))

    assert read(lambda work: work.connection.execute(sa.select(callers)).all()) == []


def test_the_demonstration_may_choose_a_token(transact, read) -> None:
    transact(lambda work: _register(work, token="demo-clinician", demonstration=True))

    found = read(lambda work: find_caller(work, "demo-clinician"))
    assert found is not None
    assert found.role is Role.CLINICIAN


def test_refusals_say_what_why_and_what_to_do_next() -> None:
    refusal = NotAllowed("authorise a request", "the role 'delegate' may not do it", "Ask.")

    assert (
        str(refusal) == "You may not authorise a request: the role 'delegate' may not do it. Ask."
    )
    assert "Authorization: Bearer" in str(NotSignedIn())


def test_a_caller_cannot_be_changed_after_it_was_found(transact, read) -> None:
    _, token = transact(_register)
    found = read(lambda work: find_caller(work, token))

    with pytest.raises(dataclasses.FrozenInstanceError):
        found.organisation = "DEMO2"
