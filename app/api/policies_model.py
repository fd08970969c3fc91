"""The documents that the policy endpoints answer with, and how a policy version becomes one."""

import datetime as dt
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from app.api.documents import Document
from app.api.types import ExactNumber
from app.policy import (
    ApprovalTerms,
    Criterion,
    Kind,
    PolicyVersion,
    Question,
    Source,
    questions_for,
)
from app.policy.model import Evidence, OnFailure, QuestionType

DRAFT = "Draft: check before clinical use. Some of its statements have not been verified."

Draft = Annotated[
    str | None,
    Field(description="Set where any criterion or term is unverified; show it wherever it shows"),
]
Day = Annotated[dt.date, Field(description="A Europe/London calendar day")]


class IndicationDocument(Document):
    """The condition that a policy covers."""

    key: str
    term: str
    snomed: str | None


class SourceDocument(Document):
    """Where a statement comes from, and the day on which it was read."""

    id: str
    title: str
    url: str | None
    read_on: dt.date | None


class InForceDocument(Document):
    """The days between which a version decides."""

    from_: Day = Field(serialization_alias="from")
    published: dt.date | None
    funding_from: dt.date | None
    last_new_start: dt.date | None
    last_continuation: dt.date | None


class PolicySummary(Document):
    """A policy as its newest version says."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "policy": "natalizumab-rrms-res",
                "title": "Natalizumab for rapidly evolving severe relapsing-remitting multiple "
                "sclerosis",
                "drug": "natalizumab",
                "indication": {
                    "key": "rrms",
                    "term": "Relapsing remitting multiple sclerosis",
                    "snomed": "426373005",
                },
                "commissioner": "NHS England",
                "mechanism": "prior_approval",
                "newest_version": "2024-05-01",
                "versions": 1,
                "draft": DRAFT,
            }
        }
    )

    policy: str
    title: str
    drug: str
    indication: IndicationDocument
    commissioner: str
    mechanism: str
    newest_version: str
    versions: int
    draft: Draft


class PolicyList(Document):
    """Every policy of the library."""

    policies: list[PolicySummary]


class VersionSummary(Document):
    """One version of a policy, in short."""

    version: str
    in_force: InForceDocument
    what_changed: str
    hash: str
    draft: Draft


class PolicyDocument(Document):
    """A policy with all its versions, oldest first."""

    policy: str
    title: str
    versions: list[VersionSummary]


class QuestionDocument(Document):
    """One question of a form. Limits are exact decimals, in strings."""

    name: str
    type: QuestionType
    label: str
    help: str | None
    unit: str | None
    minimum: ExactNumber | None
    maximum: ExactNumber | None
    decimals: int | None
    options: dict[str, str]
    fields: list["QuestionDocument"] = Field(description="The columns of a list's rows")
    carried: bool = Field(description="A continuation takes over the initiation's answer")
    measured: bool = Field(description="The answer carries the day on which it was measured")


class CriterionDocument(Document):
    """One testable statement with its source."""

    id: str
    text: str
    met_when: str = Field(description="The statement in the criteria language")
    source: str = Field(description="The id of one of the version's sources")
    evidence: Evidence
    on_failure: OnFailure
    waivable: bool


class MaxDoseDocument(Document):
    """The largest dose that an approval covers."""

    amount: ExactNumber
    unit: str
    per: str


class TermsDocument(Document):
    """What an approval under the version covers, and for how long."""

    pattern: str
    lasts_months: int | None
    lasts_days: int | None
    start_within_days: int | None
    grace_days: int
    retrospective_reasons: dict[str, str]
    retrospective_days: int
    max_dose: MaxDoseDocument | None
    products: list[str] = Field(description="Product keys; empty means any product of the drug")
    interchangeable: bool
    source: str
    evidence: Evidence


class NewStartsDocument(Document):
    """A policy's general answer to new starts."""

    decide: str
    reason: str
    source: str
    evidence: Evidence


class VersionDocument(Document):
    """One dated, immutable text of a policy."""

    policy: str
    version: str
    title: str
    drug: str
    indication: IndicationDocument
    commissioner: str
    mechanism: str
    new_starts: NewStartsDocument | None
    in_force: InForceDocument
    what_changed: str
    sources: list[SourceDocument]
    questions: list[QuestionDocument]
    start: list[CriterionDocument]
    continue_: list[CriterionDocument] = Field(serialization_alias="continue")
    stop: list[CriterionDocument]
    approval: TermsDocument
    language: int
    hash: str = Field(description="SHA-256 of the version as stored beside each decision")
    draft: Draft


class FormDocument(Document):
    """The questions that a kind of request asks, in the order of the form."""

    policy: str
    version: str
    kind: Kind
    questions: list[QuestionDocument]
    draft: Draft


def policy_summary(versions: tuple[PolicyVersion, ...]) -> PolicySummary:
    """A policy, from all its versions, oldest first."""
    newest = versions[-1]
    return PolicySummary(
        policy=newest.policy,
        title=newest.title,
        drug=newest.drug,
        indication=_indication(newest),
        commissioner=newest.commissioner,
        mechanism=newest.mechanism,
        newest_version=newest.version,
        versions=len(versions),
        draft=_draft(newest),
    )


def policy_document(versions: tuple[PolicyVersion, ...]) -> PolicyDocument:
    """A policy with all its versions, oldest first."""
    return PolicyDocument(
        policy=versions[-1].policy,
        title=versions[-1].title,
        versions=[
            VersionSummary(
                version=version.version,
                in_force=_in_force(version),
                what_changed=version.what_changed,
                hash=version.hash,
                draft=_draft(version),
            )
            for version in versions
        ],
    )


def version_document(version: PolicyVersion) -> VersionDocument:
    """One version in full."""
    plain: dict[str, Any] = {
        name: getattr(version, name)
        for name in (
            "policy",
            "version",
            "title",
            "drug",
            "commissioner",
            "mechanism",
            "what_changed",
            "language",
            "hash",
        )
    }
    return VersionDocument(
        **plain,
        indication=_indication(version),
        new_starts=_new_starts(version),
        in_force=_in_force(version),
        sources=[_source(source) for source in version.sources.values()],
        questions=[_question(question) for question in version.questions.values()],
        start=[_criterion(criterion) for criterion in version.start],
        continue_=[_criterion(criterion) for criterion in version.continue_],
        stop=[_criterion(criterion) for criterion in version.stop],
        approval=_terms(version.approval),
        draft=_draft(version),
    )


def form_document(version: PolicyVersion, kind: Kind) -> FormDocument:
    """The questions of one kind of request."""
    return FormDocument(
        policy=version.policy,
        version=version.version,
        kind=kind,
        questions=[_question(question) for question in questions_for(version, kind)],
        draft=_draft(version),
    )


def _draft(version: PolicyVersion) -> str | None:
    return DRAFT if version.unverified else None


def _indication(version: PolicyVersion) -> IndicationDocument:
    found = version.indication
    return IndicationDocument(key=found.key, term=found.term, snomed=found.snomed)


def _in_force(version: PolicyVersion) -> InForceDocument:
    found = version.in_force
    return InForceDocument(
        from_=found.from_,
        published=found.published,
        funding_from=found.funding_from,
        last_new_start=found.last_new_start,
        last_continuation=found.last_continuation,
    )


def _source(source: Source) -> SourceDocument:
    return SourceDocument(id=source.id, title=source.title, url=source.url, read_on=source.read_on)


def _question(question: Question) -> QuestionDocument:
    return QuestionDocument(
        name=question.name,
        type=question.type,
        label=question.label,
        help=question.help,
        unit=question.unit,
        minimum=question.minimum,
        maximum=question.maximum,
        decimals=question.decimals,
        options=question.options,
        fields=[_question(column) for column in question.fields.values()],
        carried=question.carried,
        measured=question.measured,
    )


def _criterion(criterion: Criterion) -> CriterionDocument:
    return CriterionDocument(
        id=criterion.id,
        text=criterion.text,
        met_when=criterion.met_when,
        source=criterion.source.id,
        evidence=criterion.evidence,
        on_failure=criterion.on_failure,
        waivable=criterion.waivable,
    )


def _terms(terms: ApprovalTerms) -> TermsDocument:
    dose = terms.max_dose
    return TermsDocument(
        pattern=terms.pattern,
        lasts_months=terms.lasts_months,
        lasts_days=terms.lasts_days,
        start_within_days=terms.start_within_days,
        grace_days=terms.grace_days,
        retrospective_reasons=terms.retrospective_reasons,
        retrospective_days=terms.retrospective_days,
        max_dose=None
        if dose is None
        else MaxDoseDocument(amount=dose.amount, unit=dose.unit, per=dose.per),
        products=list(terms.products),
        interchangeable=terms.interchangeable,
        source=terms.source.id,
        evidence=terms.evidence,
    )


def _new_starts(version: PolicyVersion) -> NewStartsDocument | None:
    found = version.new_starts
    if found is None:
        return None
    return NewStartsDocument(
        decide=found.decide,
        reason=found.reason,
        source=found.source.id,
        evidence=found.evidence,
    )
