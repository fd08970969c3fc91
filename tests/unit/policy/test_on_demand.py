"""A version's functions are made at its first decision, once; a check makes them all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest

from app.policy import Context, Kind, Section, compile, decide, load, parse_answers
from app.policy.on_demand import OnDemand
from tests.unit.policy.makers import make_policy


def test_a_value_is_made_when_it_is_asked_for_and_only_once() -> None:
    made: list[str] = []
    values = OnDemand({"a": lambda: made.append("a"), "b": lambda: made.append("b")})

    assert (list(values), len(values), made) == (["a", "b"], 2, [])
    _ = values["a"], values["a"]
    assert made == ["a"]
    with pytest.raises(KeyError):
        _ = values["c"]


def test_threads_that_ask_at_once_get_one_and_the_same_value() -> None:
    threads = 8
    barrier = Barrier(threads)
    values = OnDemand({"a": object})

    def ask(_: int) -> object:
        barrier.wait(timeout=10)
        return values["a"]

    with ThreadPoolExecutor(threads) as pool:
        assert len(set(pool.map(ask, range(threads)))) == 1


def test_a_value_whose_making_fails_fails_again_and_is_never_half_made() -> None:
    values: OnDemand[str, float] = OnDemand({"a": lambda: 1 / 0})
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _ = values["a"]


def test_loading_makes_no_function_a_decision_makes_its_own_and_a_check_makes_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []

    def counted(*arguments: object) -> object:
        made.append(1)
        return compile.compile_expressions(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(load, "compile_expressions", counted)
    version = make_policy(start=["flag"])
    assert made == []

    today = date(2026, 6, 15)
    raw = {"flag": True}
    kind = Kind.INITIATION
    answers = parse_answers(version, kind, raw, decision_to_treat=today, today=today)
    for _ in range(2):
        decide(version, kind, answers, Context(decision_to_treat=today))
    assert len(made) == 1

    version.compiled.complete()
    assert len(made) == len(Section)
