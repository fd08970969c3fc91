"""The documents that the policy endpoints answer with."""

import datetime as dt
from typing import Annotated

from pydantic import ConfigDict, Field

from app.api.documents import Document
from app.api.terms_model import TermsDocument
from app.api.types import ExactNumber
from app.policy import Kind, PanelStatus
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
    afterwards: str | None = Field(
        description="What follows the last new start or continuation, and what to do then"
    )


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


class OverlaySummary(Document):
    """A commissioner's overlay on a policy, in short."""

    commissioner: str
    from_: Day = Field(serialization_alias="from")
    until: dt.date | None
    what_changed: str
    hash: str


class PolicyDocument(Document):
    """A policy with all its versions and overlays, oldest first."""

    policy: str
    title: str
    versions: list[VersionSummary]
    overlays: list[OverlaySummary]


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


class OverrideRuleDocument(Document):
    """That a clinician may override a criterion, and for which reasons."""

    reasons: dict[str, str]
    source: str = Field(description="The id of one of the version's sources")
    evidence: Evidence


class ArmText(Document):
    """One of a criterion's named alternatives."""

    id: str
    text: str
    met_when: str


class CriterionDocument(Document):
    """One testable statement with its source."""

    id: str
    text: str
    met_when: str = Field(description="The statement in the criteria language")
    source: str = Field(description="The id of one of the version's sources")
    evidence: Evidence
    on_failure: OnFailure
    waivable: bool
    layer: str = Field(description="national, or the overlay's commissioner and day")
    override: OverrideRuleDocument | None = Field(description="null: no clinician may override it")
    arms: list[ArmText] = Field(description="Its named alternatives, of which one must hold")


class NewStartsDocument(Document):
    """A policy's general answer to new starts."""

    decide: str
    reason: str
    source: str
    evidence: Evidence


class PanelDocument(Document):
    """Whether a panel decides under the version, and how soon it answers."""

    status: PanelStatus
    stated: bool = Field(description="False: derived from how the version decides")
    words: str = Field(description="The status as a sentence")
    authority: str | None = Field(description="Who decides an external authority's cases")
    crisis: str | None = Field(description="The start criterion that tells a crisis")
    answer_days: int | None
    answer_working_days: int | None
    urgent: str | None = Field(description="What happens when treatment cannot wait")
    members: int = Field(
        description="How many members must agree on what is referred: 1, or 2 where the version "
        "asks for two"
    )
    source: str | None
    evidence: Evidence | None


class VersionDocument(Document):
    """One dated, immutable text of a policy."""

    policy: str
    version: str
    title: str
    drug: str
    indication: IndicationDocument
    commissioner: str
    mechanism: str
    panel: PanelDocument
    new_starts: NewStartsDocument | None
    in_force: InForceDocument
    what_changed: str
    sources: list[SourceDocument]
    questions: list[QuestionDocument]
    start: list[CriterionDocument]
    continue_: list[CriterionDocument] = Field(serialization_alias="continue")
    stop: list[CriterionDocument]
    approval: TermsDocument
    succeeds: list[str] = Field(
        description="Policies whose running treatments go on under this one, by a continuation"
    )
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
