"""The reports of requests in words, and which reports there are. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.approvals.best_value import ProductChoice
from app.approvals.changed_answers import ChangedAnswers
from app.approvals.library import Library
from app.approvals.permissions import Action
from app.approvals.reporting import OverrideRate, OverrideReport
from app.policy import PolicyVersion, Section
from app.reference_data.drugs import load_drugs
from app.web.desk.common import organisation_words
from app.web.paging import Onward
from app.web.words import first_upper, instant_words


@dataclass(frozen=True, slots=True)
class Report:
    """A report in the list of them."""

    href: str
    title: str
    said: str
    action: Action


REPORTS: Final = (
    Report(
        "/reports/overrides",
        "Overrides",
        "How often clinicians went on although a criterion was not met, and with which reasons.",
        Action.REPORT,
    ),
    Report(
        "/reports/best-value",
        "Products not chosen for best value",
        "Which products requests name where a policy asks for others first, and why.",
        Action.REPORT,
    ),
    Report(
        "/reports/changed-answers",
        "Answers changed after a refusal",
        "Which answers changed in what had failed. It is a question to ask, not a finding.",
        Action.REPORT,
    ),
    Report(
        "/reports/break-glass",
        "Records opened by break-glass",
        "Who opened what other hospitals hold, and why.",
        Action.REPORT_BREAK_GLASS,
    ),
    Report(
        "/reports/identifier-access",
        "Identities shown",
        "How often people outside a care team saw who a patient is.",
        Action.REPORT_IDENTIFIERS,
    ),
)


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of the `many` rows of a report, where it goes on, and the totals of all of them.

    `first`: which row of the report the page begins with, where that is known. `said`: what the
    criteria of the page's rows say, each once.
    """

    rows: Sequence[Any]
    many: int
    onward: Onward
    totals: Sequence[tuple[str, str]] = ()
    first: int | None = None
    said: Sequence[tuple[str, str]] = ()

    @property
    def last(self) -> int:
        """Which row of the report the page ends with, where it is known where it begins."""
        return (self.first or 1) + len(self.rows) - 1


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """One criterion at one provider, with one reason or all of them together."""

    policy: str
    criterion: str
    text: str
    provider: str
    reason: str
    requests: int
    overridden: int
    relied_on: int
    rate: str


@dataclass(frozen=True, slots=True)
class ProductRow:
    """One product with one reason, at one provider under one policy."""

    policy: str
    provider: str
    product: str
    first: str
    reason: str
    requests: int
    approved: int


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One decision whose answers differ from the refusal before it."""

    at: str
    href: str
    policy: str
    who: str
    outcome: str
    criteria: str
    questions: str
    refused_href: str | None


def override_key(each: OverrideRate) -> tuple[int | str, ...]:
    """Those with most overrides relied on first; a criterion that nobody overrode comes last."""
    ids = (each.policy, each.criterion, each.provider, each.reason or "")
    return (-each.relied_on, -each.overridden, *ids)


def overrides_in_order(found: Sequence[OverrideRate]) -> Sequence[OverrideRate]:
    """As `override_key` orders them."""
    return sorted(found, key=override_key)


def override_totals(found: OverrideReport) -> Sequence[tuple[str, str]]:
    """What a report of overrides comes to, in words."""
    return (
        ("Requests with a criterion that may be overridden", f"{found.requests:,}"),
        ("Overrides given", f"{found.overridden:,}"),
        ("Relied on", f"{found.relied_on:,}"),
    )


def criteria_said(rows: Sequence[OverrideRow]) -> Sequence[tuple[str, str]]:
    """What the criteria of some rows say, each once however many hospitals it stands for."""
    found = {(row.policy, row.criterion): row.text for row in rows if row.text}
    return tuple((f"{criterion}, {policy}", text) for (policy, criterion), text in found.items())


def override_row(rate: OverrideRate, library: Library) -> OverrideRow:
    """A rate in words."""
    version = _newest_version(library, rate.policy)
    criteria = {} if version is None else {each.id: each for each in _criteria(version)}
    criterion = criteria.get(rate.criterion)
    override = None if criterion is None else criterion.override
    reasons = {} if override is None else override.reasons
    return OverrideRow(
        policy=rate.policy if version is None else version.title,
        criterion=rate.criterion,
        text="" if criterion is None else criterion.text,
        provider=organisation_words(rate.provider),
        reason="All reasons"
        if rate.reason is None
        else reasons.get(rate.reason, first_upper(rate.reason)),
        requests=rate.requests,
        overridden=rate.overridden,
        relied_on=rate.relied_on,
        rate="Too few" if rate.rate is None else f"{rate.rate}%",
    )


def choice_key(each: ProductChoice) -> tuple[int | str, ...]:
    """Those that the policy did not ask for first come first, the most frequent first."""
    ids = (each.policy, each.provider, each.product or "", ",".join(each.first), each.reason or "")
    return (int(each.best_value), -each.requests, *ids)


def choices_in_order(found: Sequence[ProductChoice]) -> Sequence[ProductChoice]:
    """As `choice_key` orders them."""
    return sorted(found, key=choice_key)


def product_totals(found: Sequence[ProductChoice]) -> Sequence[tuple[str, str]]:
    """What a report of products comes to, in words."""
    requests = sum(each.requests for each in found)
    best = sum(each.requests for each in found if each.best_value)
    unnamed = sum(each.requests for each in found if each.product is None)
    return (
        ("Requests", f"{requests:,}"),
        ("Of these, for a product that was asked for first", f"{best:,}"),
        ("For another product", f"{requests - best - unnamed:,}"),
        ("With no product named", f"{unnamed:,}"),
        ("Approved", f"{sum(each.approved for each in found):,}"),
    )


def product_row(choice: ProductChoice, library: Library) -> ProductRow:
    """A choice in words."""
    version = _newest_version(library, choice.policy)
    names = {} if version is None else _product_names(version.drug)
    first = ", ".join(names.get(each, each) for each in choice.first)
    reason = "None given" if choice.reason is None else (choice.said or choice.reason)
    return ProductRow(
        policy=choice.policy if version is None else version.title,
        provider=organisation_words(choice.provider),
        product="None named"
        if choice.product is None
        else names.get(choice.product, choice.product),
        first="This one" if choice.best_value else first,
        reason="" if choice.best_value and choice.reason is None else reason,
        requests=choice.requests,
        approved=choice.approved,
    )


def treatments_in(found: Sequence[ChangedAnswers]) -> tuple[str, ...]:
    """The treatments whose requests rows name, each once."""
    return tuple(dict.fromkeys(each.treatment_id for each in found if each.treatment_id))


def changed_rows(
    found: Sequence[ChangedAnswers], library: Library, names: Mapping[str, str]
) -> tuple[ChangedRow, ...]:
    """The rows. `names`: those of the reader's own people, by id; another's are not named."""
    return tuple(_changed(each, library, names) for each in found)


def _changed(each: ChangedAnswers, library: Library, names: Mapping[str, str]) -> ChangedRow:
    version = _newest_version(library, each.policy)
    labels = {} if version is None else {n: q.label for n, q in version.questions.items()}
    who = organisation_words(each.provider)
    erased = each.criteria is None or each.questions is None
    return ChangedRow(
        at=instant_words(each.at),
        href=f"/requests/{each.request_id}",
        policy=each.policy if version is None else version.title,
        who=f"{names[each.by]}, {who}" if each.by in names else who,
        outcome="" if each.outcome is None else first_upper(each.outcome),
        criteria="Erased with the patient" if erased else ", ".join(each.criteria or ()),
        questions="" if erased else "; ".join(labels.get(n, n) for n in each.questions or ()),
        refused_href=None
        if each.refused_request in (None, each.request_id)
        else f"/requests/{each.refused_request}",
    )


def _newest_version(library: Library, policy: str) -> PolicyVersion | None:
    return library.versions(policy)[-1] if policy in library.usable() else None


def _criteria(version: PolicyVersion) -> list[Any]:
    return [each for section in Section for each in version.criteria(section)]


def _product_names(drug: str) -> dict[str, str]:
    known = load_drugs().drugs.get(drug)
    return {} if known is None else {each.key: each.name for each in known.products}
