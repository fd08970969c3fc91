"""The pounds of lines that were accepted with a test that could not be made. Pure."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final, Generic, TypeVar

from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.engines.spacing import TOO_SOON
from app.reconciliation.engines.supply_terms import VAT
from app.reconciliation.model import MatchedLine, TestResult

ZERO: Final = Decimal(0)
#: Tests that never decide an outcome: that they could not be made leaves nothing untested.
ONLY_CORROBORATES: Final = frozenset({"birth date", VAT, TOO_SOON})
#: Any of them, where one is to be named.
ANY_TEST: Final = "any test"
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Untested:
    """Pounds that were accepted of lines with a test that could not be made.

    `by_test` has the same for each test, by name; a line with two such tests counts in both.
    """

    amount: Decimal
    by_test: Mapping[str, Decimal]


def untested_tests(item: MatchedLine) -> frozenset[str]:
    """The tests of an accepted line that could not be made, and might have queried it."""
    return lacking_of(item.accepted, ((test.name, test.result) for test in item.tests))


def lacking_of(accepted: Decimal, tests: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The same of what was accepted of a line, and its tests by name with their results."""
    if not accepted:
        return frozenset()
    return frozenset(
        name
        for name, result in tests
        if result == TestResult.NOT_TESTABLE and name not in ONLY_CORROBORATES
    )


def untested_amount(item: MatchedLine) -> Decimal:
    """What of a line was accepted untested: all that is accepted of it, or nothing."""
    return item.accepted if untested_tests(item) else ZERO


def untested_of(items: Iterable[MatchedLine]) -> Untested:
    """What was accepted untested of these lines, exactly."""
    counting = Counting[None]()
    for item in items:
        counting.add(None, item)
    return counting.whole()


class Counting(Generic[K]):
    """Counts what was accepted untested while lines go by, by a key of each."""

    def __init__(self) -> None:
        self._amounts: dict[K, Decimal] = defaultdict(lambda: ZERO)
        self._tests: dict[K, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))

    def add(self, key: K, item: MatchedLine) -> None:
        """Count a line."""
        lacking = untested_tests(item)
        if not lacking:
            return
        self.add_sum(key, lacking, item.accepted)

    def add_sum(self, key: K, lacking: Iterable[str], amount: Decimal) -> None:
        """Count what was accepted of some lines, none of which these tests could be made of."""
        with localcontext(prec=EXACT_DIGITS):
            self._amounts[key] += amount
            for name in lacking:
                self._tests[key][name] += amount

    def of(self, key: K) -> Untested:
        """What was counted under a key: nothing where no line was."""
        tests = self._tests.get(key, {})
        return Untested(self._amounts.get(key, ZERO), {name: tests[name] for name in sorted(tests)})

    def whole(self) -> Untested:
        """What was counted in all."""
        by_test: dict[str, Decimal] = defaultdict(lambda: ZERO)
        with localcontext(prec=EXACT_DIGITS):
            for tests in self._tests.values():
                for name, amount in tests.items():
                    by_test[name] += amount
            amount = sum(self._amounts.values(), ZERO)
        return Untested(amount, {name: by_test[name] for name in sorted(by_test)})


def sum_known(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of some amounts, exactly; None, not known, where one of them is not known."""
    every = tuple(amounts)
    known = [amount for amount in every if amount is not None]
    with localcontext(prec=EXACT_DIGITS):
        return sum(known, ZERO) if len(known) == len(every) else None


def told_by_test(untested: Untested) -> dict[str, str]:
    """The pounds of each test as exact text, as they are kept."""
    return {name: f"{amount:f}" for name, amount in untested.by_test.items()}
