"""A version's functions are made at its first decision, once; a check makes them all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest

from app.policy import (
    Context,
    Kind,
    PolicyFileFaults,
    Section,
    compile,
    decide,
    load,
    load_policy,
    parse_answers,
)
from app.policy.on_demand import Later, Once, OnDemand
from tests.patience import PATIENCE_SECONDS
from tests.unit.policy.makers import make_policy, policy_text


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
        barrier.wait(PATIENCE_SECONDS)
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


def test_what_is_wanted_once_is_made_once_by_all_who_ask_together() -> None:
    threads = 8
    barrier = Barrier(threads)
    once = Once(object)

    def ask(_: int) -> object:
        barrier.wait(PATIENCE_SECONDS)
        return once()

    with ThreadPoolExecutor(threads) as pool:
        assert len(set(pool.map(ask, range(threads)))) == 1
    later = Later(lambda: {"a": 1})
    assert (dict(later), len(later)) == ({"a": 1}, 1)


# --- a version that the lock vouches for ---------------------------------------------------------


def test_a_locked_text_gives_the_same_version_without_being_checked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = policy_text(start=["score > 5 AND flag"])
    full = load_policy(text, "a.yaml")
    checks: list[str] = []
    check = load.Checker.criteria
    monkeypatch.setattr(
        load.Checker, "criteria", lambda self: (checks.append("criteria"), check(self))[1]
    )
    vouched = load_policy(text, "a.yaml", vouched={full.hash})

    assert checks == []
    assert vouched == full
    assert vouched.compiled.sections[Section.START].source == (
        full.compiled.sections[Section.START].source
    )
    assert len(checks) == 1  # for the questions and the functions together


@pytest.mark.parametrize("vouches", [True, False])
def test_an_edited_text_is_checked_whatever_the_lock_says_of_the_one_before(vouches: bool) -> None:
    locked = {load_policy(policy_text(start=["flag"]), "a.yaml").hash} if vouches else set()
    with pytest.raises(PolicyFileFaults, match="flagg"):
        load_policy(policy_text(start=["flagg"]), "a.yaml", vouched=locked)


def test_a_locked_text_whose_drug_has_left_the_dictionary_is_refused() -> None:
    text = policy_text(start=["flag"])
    locked = {load_policy(text, "a.yaml").hash}
    with pytest.raises(PolicyFileFaults, match="no drug"):
        load_policy(text, "a.yaml", {"another-drug": frozenset()}, vouched=locked)
