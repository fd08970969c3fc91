"""A call of the harness that runs out of time is sent again, and a scenario ends in its time."""

from collections import Counter

from tests.faults.clients import until_answered
from tests.faults.ledger import Reply


def test_a_call_that_runs_out_of_time_is_sent_again() -> None:
    counted: Counter[str] = Counter()
    outcomes = iter([TimeoutError(), Reply(503, b""), Reply(201, b"kept")])

    def attempt() -> Reply:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    reply = until_answered(attempt, lambda what: counted.update([what]))

    assert reply == Reply(201, b"kept")
    assert counted == {"failures unanswered": 1, "failures answered": 1}
