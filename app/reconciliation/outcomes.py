"""Tests of a line against one coverage, and the outcome that they give.

A test whose input is missing is *not testable*, and never decides against the line.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from app.reconciliation.model import ContractLine, Coverage, LineOutcome, Test, TestResult
from app.reconciliation.period import Basis, Fit, Period, continuation_overdue, fit
from app.reference_data.drugs import Recognition
from app.reference_data.routes import code_approved, code_stated, name_of

PASSED, FAILED, NOT_TESTABLE = TestResult.PASSED, TestResult.FAILED, TestResult.NOT_TESTABLE
STATUS: Final = "approval status"
START: Final = "start-by"
DEATH: Final = "death"
ROUTE: Final = "route"
#: States of an approval in which it covers the days that it names.
USABLE: Final = frozenset({"live", "ended", "imported"})

_BY = {
    Basis.MONTH: ", by the stated month only",
    Basis.DELIVERY: ", by the date of delivery",
    Basis.INVOICE: ", by every day on which what was invoiced can have been supplied",
}


def check_status(coverage: Coverage) -> Test:
    """The approval stands. While it is under query that is what is being asked."""
    if coverage.status not in USABLE:
        return Test(STATUS, FAILED, f"the approval is {coverage.status}")
    if coverage.under_query:
        return Test(STATUS, NOT_TESTABLE, "the approval is under query by the commissioner")
    return Test(STATUS, PASSED, f"the approval is {coverage.status}")


def check_drug(coverage: Coverage, drug: str | None) -> Test:
    """The drug is the one that was approved."""
    if drug == coverage.drug:
        return Test("drug", PASSED, f"{drug} is the approved drug")
    return Test("drug", FAILED, f"{drug or 'the drug'} is not {coverage.drug}, which was approved")


def check_period(coverage: Coverage, period: Period) -> Test:
    """Every day on which the supply can have happened is covered."""
    state = fit(coverage, period)
    if state is not Fit.WITHIN:
        return Test("period", FAILED, f"supplied {state}")
    how = "within the approval"
    if coverage.to is not None and period.last > coverage.to:
        how = "within the grace after the approval"
        if coverage.stopped:
            how = f"{period.means or 'dated'} within {period.after_stop} days after the stop"
    basis = _BY.get(period.basis, "")
    return Test("period", PASSED, how + basis)


def check_start(coverage: Coverage, period: Period) -> Test:
    """Treatment began by the day that a first approval names for it.

    It failed only where people recorded a first dose after that day. That no supply before it is
    known shows nothing: it may have been free, on another's account, or under a number misread.
    """
    by = coverage.start_by
    if by is None:
        return Test(START, PASSED, "the approval names no day to begin by")
    if period.last <= by or begun_in_time(coverage):
        return Test(START, PASSED, f"treatment began by {by:%d/%m/%Y}, as the approval asks")
    if period.first <= by:
        detail = f"the supply may be before or after {by:%d/%m/%Y}, by which treatment was to begin"
        return Test(START, NOT_TESTABLE, detail)
    said = f"supplied after {by:%d/%m/%Y}, by which treatment was to begin"
    if coverage.first_dose is None:
        return Test(START, NOT_TESTABLE, f"{said}, and no first dose is on record")
    return Test(START, FAILED, f"{said}, and the first dose on record is after that day")


def begun_in_time(coverage: Coverage) -> bool:
    """Whether people recorded a first dose by the day that the approval names."""
    by, first = coverage.start_by, coverage.first_dose
    return by is not None and first is not None and first <= by


def check_provider(coverage: Coverage, provider: str | None) -> Test:
    """The provider is the approved one or a spoke that supplies for it."""
    if provider is None:
        return Test("provider", NOT_TESTABLE, "the line states no legible provider")
    if provider == coverage.provider:
        return Test("provider", PASSED, f"{provider} is the approved provider")
    if provider in coverage.supplying_providers:
        return Test("provider", PASSED, f"{provider} supplies for {coverage.provider}")
    return Test("provider", FAILED, f"{provider} is not {coverage.provider}, nor supplies for it")


def check_product(coverage: Coverage, product: str | None) -> Test:
    """The product is the approved one, or one that the policy calls interchangeable with it."""
    if product is None:
        return Test("product", NOT_TESTABLE, "the line names no product")
    if product == coverage.product:
        return Test("product", PASSED, f"{product} is the approved product")
    allowed = not coverage.products or product in coverage.products
    if allowed and (coverage.product is None or coverage.interchangeable):
        return Test("product", PASSED, f"{product} is a product that the approval allows")
    approved = coverage.product or ", ".join(sorted(coverage.products))
    return Test("product", FAILED, f"{product} is not {approved}, and is not interchangeable")


def check_route(coverage: Coverage, line: ContractLine, product: str | None) -> Test:
    """The way of administration is the approved one, by code.

    A product taken in exchange for the approved one passes by whatever way it is given: the
    approval's is that of the product that it names. Free text on the line, a missing code, and a
    code that the table of routes does not know are not testable: one may be a kind of the other.
    """
    stated, approved = code_stated(line.route), code_approved(coverage.route)
    if stated is None or approved is None:
        return Test(ROUTE, NOT_TESTABLE, "there are not two codes to compare")
    if stated == approved:
        return Test(ROUTE, PASSED, "the route is the approved one")
    names = name_of(stated), name_of(approved)
    if None in names:
        return Test(ROUTE, NOT_TESTABLE, "whether the two codes exclude each other is not known")
    if _is_exchanged(coverage, product):
        return Test(ROUTE, PASSED, f"{product} may be given in exchange, by its own route")
    return Test(ROUTE, FAILED, f"the route on the line is {names[0]}, not {names[1]} as approved")


def _is_exchanged(coverage: Coverage, product: str | None) -> bool:
    """Whether the line's product stands for another one that the approval names."""
    if product is None or coverage.product is None or product == coverage.product:
        return False
    return check_product(coverage, product).result is PASSED


def check_indication(coverage: Coverage, code: str | None) -> Test:
    """The indication's code is the approved one. Free text and missing codes are not testable."""
    if code is None or coverage.indication_snomed is None:
        return Test("indication", NOT_TESTABLE, "there are not two codes to compare")
    if code == coverage.indication_snomed:
        return Test("indication", PASSED, "the indication is the approved one")
    return Test("indication", FAILED, "the indication on the line is not the approved one")


def check_birth_date(coverage: Coverage, birth_date: dt.date | None) -> Test:
    """Corroborates the patient; alone it never undoes a match on the NHS number."""
    if birth_date is None or coverage.birth_date is None:
        return Test("birth date", NOT_TESTABLE, "there are not two birth dates to compare")
    if birth_date == coverage.birth_date:
        return Test("birth date", PASSED, "the birth dates agree")
    return Test("birth date", FAILED, "the birth date on the line is not the patient's")


def check_funding(coverage: Coverage) -> Test:
    """The treatment is paid for by the NHS on that day."""
    if coverage.funding_origin.casefold() == "nhs":
        return Test("funding", PASSED, "the treatment is funded by the NHS")
    return Test("funding", FAILED, f"the treatment is recorded as {coverage.funding_origin}")


def check_death(coverage: Coverage, period: Period) -> Test:
    """Supply is not dated after the patient's death, beyond what last deliveries are given."""
    if coverage.died_on is None:
        return Test(DEATH, PASSED, "no death is on record")
    last = coverage.died_on + dt.timedelta(days=period.after_death)
    given = f"more than {period.after_death} days " if period.after_death else ""
    if period.first > last:
        return Test(DEATH, FAILED, f"supplied {given}after the patient's recorded death")
    if period.last > last:
        return Test(DEATH, NOT_TESTABLE, "the stated month reaches beyond the recorded death")
    if period.last > coverage.died_on:
        how = f"{period.means or 'dated'} within {period.after_death} days after the recorded death"
        return Test(DEATH, PASSED, how)
    return Test(DEATH, PASSED, "supplied before the recorded death")


def check_continuation(coverage: Coverage, period: Period) -> Test:
    """No continuation was due before the supply without being submitted."""
    if coverage.continuation_due is None:
        return Test("continuation", PASSED, "none was due")
    if continuation_overdue(coverage, period):
        return Test(
            "continuation",
            FAILED,
            f"a continuation was due by {coverage.continuation_due:%d/%m/%Y} "
            "and none was submitted",
        )
    return Test("continuation", PASSED, "none was overdue")


def check_coverage(
    line: ContractLine,
    recognition: Recognition,
    coverage: Coverage,
    period: Period,
    provider: str | None,
) -> tuple[Test, ...]:
    """Every test of a line against a coverage but price and quantity, in the order of reading."""
    death = (check_death(coverage, period),) if coverage.died_on is not None else ()
    return (
        *explaining(coverage, recognition.drug, period),
        check_start(coverage, period),
        check_provider(coverage, provider),
        check_product(coverage, recognition.product),
        check_route(coverage, line, recognition.product),
        check_indication(coverage, line.indication_code),
        check_birth_date(coverage, line.birth_date),
        check_funding(coverage),
        check_continuation(coverage, period),
        *death,
    )


def explaining(coverage: Coverage, drug: str | None, period: Period) -> tuple[Test, ...]:
    """The tests that tell whether a coverage could be the line's at all."""
    return check_status(coverage), check_drug(coverage, drug), check_period(coverage, period)


# Which failed test gives which outcome, the first that failed deciding. A birth date is absent on
# purpose: it only corroborates. So is what is said of VAT: it is advice.
_DECIDING = (
    ("funding", LineOutcome.NOT_RECOVERABLE),
    (DEATH, LineOutcome.OUTSIDE_APPROVAL_PERIOD),
    (START, LineOutcome.OUTSIDE_APPROVAL_PERIOD),
    ("provider", LineOutcome.NOT_THE_APPROVED_PROVIDER),
    ("product", LineOutcome.DRUG_OR_INDICATION_DIFFERS),
    (ROUTE, LineOutcome.DRUG_OR_INDICATION_DIFFERS),
    ("indication", LineOutcome.DRUG_OR_INDICATION_DIFFERS),
    ("continuation", LineOutcome.CONTINUATION_OVERDUE),
    ("unit price", LineOutcome.OVER_PRICE),
    ("agreed price", LineOutcome.OVER_PRICE),
    ("quantity", LineOutcome.OVER_QUANTITY),
    ("dose", LineOutcome.OVER_QUANTITY),
    ("supply length", LineOutcome.OVER_QUANTITY),
    ("home delivery", LineOutcome.OVER_PRICE),
)


def outcome_of(coverage: Coverage, tests: Sequence[Test]) -> tuple[LineOutcome, str]:
    """The outcome of a line that lies within a coverage, and the reason in words."""
    failed = {test.name: test.detail for test in tests if test.result is FAILED}
    for name, outcome in _DECIDING:
        if name == "unit price" and coverage.under_query:
            return LineOutcome.AWAITING_DECISION, "The approval is under query by the commissioner."
        if name in failed:
            return outcome, sentence(failed[name])
    how = "Covered by an approval"
    if "birth date" in failed:
        how += f", though {failed['birth date']}"
    if (begun := unrecorded_start(tests)) is not None:
        how += f", though {begun.detail}"
    if coverage.late:
        return LineOutcome.APPROVED_LATE, how + ", which was requested late."
    return LineOutcome.MATCHED, how + "."


def unrecorded_start(tests: Sequence[Test]) -> Test | None:
    """The test of the start, where whether treatment began in time could not be told."""
    return next((t for t in tests if t.name == START and t.result is NOT_TESTABLE), None)


def sentence(detail: str) -> str:
    """A test's detail as a sentence."""
    return detail[:1].upper() + detail[1:] + "."
