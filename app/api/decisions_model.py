"""Decisions and their findings as documents."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from app.api.documents import Document
from app.api.doses_given_model import DosesGivenDocument, doses_given_document
from app.api.policies_model import DRAFT, Draft
from app.api.types import Day
from app.approvals.model import DecisionRecord, Interest
from app.policy import NATIONAL, Notice, Overlay, PolicyDecision, PolicyVersion, decision_to_json
from app.policy.model import Evidence, OnFailure
from app.policy.notices import notice_from_json

ResultWord = Literal["met", "not met", "not answered"]


class OverlayReference(Document):
    """The commissioner's overlay that decided on top of the version, by its hash."""

    commissioner: str
    from_: Day = Field(serialization_alias="from")
    hash: str


class DecidingPolicy(Document):
    """The policy version that decided, by its hash, and the overlay on top of it."""

    policy: str
    version: str
    title: str
    hash: str
    overlay: OverlayReference | None
    draft: Draft


class FindingSource(Document):
    """Where a criterion comes from, and the day on which it was read."""

    id: str
    title: str
    url: str | None
    read_on: Day | None


class LookedAt(Document):
    """One value that a part looked at. A count is what is certain and what is possible."""

    name: str
    type: Literal["not answered", "boolean", "integer", "number", "date", "count", "choice"]
    value: Annotated[Any, Field(description="A number is a decimal in a string")]


class PartDocument(Document):
    """One part of a criterion: its text, its result, its own parts, the values looked at."""

    text: str
    result: ResultWord
    parts: list["PartDocument"]
    looked_at: list[LookedAt]


class OverriddenDocument(Document):
    """That a clinician overrode the criterion. Its result stays what it is."""

    reason: str
    label: str = Field(description="The reason in the policy's words")
    by: str | None = Field(description="The caller who overrode it")
    relied_on: bool = Field(description="The decision needed it: the criterion is not satisfied")


class ArmDocument(Document):
    """The result of one alternative of a criterion."""

    id: str
    text: str
    result: ResultWord


class NearestDocument(Document):
    """The alternative of an unmet criterion that came nearest: `met` of its `of` tests are met."""

    arm: str
    met: int
    of: int


class FindingDocument(Document):
    """A criterion's result, as a tree, with its source and whether that was verified."""

    criterion: str
    section: Literal["start", "continue", "stop"]
    result: ResultWord
    text: str
    source: FindingSource
    evidence: Evidence
    on_failure: OnFailure
    waivable: bool
    part: PartDocument
    overridden: OverriddenDocument | None = None
    arms: list[ArmDocument] = Field(
        default=[],
        description="The criterion's named alternatives, if it has any: they are the parts of "
        "`part`, in the same order",
    )
    nearest: NearestDocument | None = Field(
        default=None, description="Given where the criterion has alternatives and none is met"
    )
    layer: str = Field(
        default=NATIONAL,
        description="The layer that it comes from: national, or an overlay's commissioner and day",
    )


class MissingQuestion(Document):
    """A question whose answer would let an undecided criterion be decided."""

    name: str
    label: str | None
    unit: str | None


class NoticeDocument(Document):
    """A safety notice in force on the day of the decision: a layer above the policy's text."""

    layer: str = Field(description="safety notice, and its name")
    title: str
    from_: Day = Field(serialization_alias="from")
    decide: Literal["refer", "refuse"]
    reason: str
    source: str
    url: str | None
    evidence: Evidence


class DecisionDocument(Document):
    """One decision on a request: the policy's, or a person's."""

    number: int
    revision: int = Field(description="The set of answers that it was made on")
    made_by: str
    outcome: str
    findings: list[FindingDocument]
    missing: list[MissingQuestion]
    reasons: list[str]
    waived: list[str]
    overridden: list[str] = Field(description="Criteria that it relied on an override for")
    notices: list[NoticeDocument] = Field(description="Safety notices that suspended the start")
    decided_at: AwareDatetime
    decided_by: str | None = Field(description="The caller who decided; null for the policy")
    reason: str | None
    interest: Literal["none", "declared"] | None = Field(
        description="What a member of a panel declared of their own interests with it"
    )
    agreed_with: str | None = Field(
        description="The member of the panel who had voted so before, where two must agree"
    )
    doses_given: DosesGivenDocument | None = Field(
        description="What it says of doses given, where it overturned an urgent start"
    )


_FINDINGS = TypeAdapter(list[FindingDocument])


def deciding_policy(version: PolicyVersion) -> DecidingPolicy:
    """The version that decides, in short, marked as a draft where anything is unverified."""
    return DecidingPolicy(
        policy=version.policy,
        version=version.version,
        title=version.title,
        hash=version.hash,
        overlay=_overlay(version.overlay),
        draft=DRAFT if version.unverified else None,
    )


def _overlay(overlay: Overlay | None) -> OverlayReference | None:
    if overlay is None:
        return None
    return OverlayReference(
        commissioner=overlay.commissioner, from_=overlay.from_, hash=overlay.hash
    )


def decision_document(stored: DecisionRecord, version: PolicyVersion) -> DecisionDocument:
    """A stored decision."""
    return DecisionDocument(
        number=stored.number,
        revision=stored.revision,
        made_by=stored.made_by,
        outcome=stored.outcome,
        findings=_FINDINGS.validate_python(stored.findings),
        missing=missing_questions(stored.missing, version),
        reasons=stored.reasons,
        waived=stored.waived,
        overridden=stored.overridden or [],
        notices=notice_documents(notice_from_json(each) for each in stored.notices or ()),
        decided_at=stored.decided_at,
        decided_by=stored.decided_by,
        reason=stored.reason,
        interest=None if stored.interest is None else Interest(stored.interest).value,
        agreed_with=stored.agreed_with,
        doses_given=doses_given_document(stored.doses_given),
    )


def notice_documents(notices: Iterable[Notice]) -> list[NoticeDocument]:
    """The safety notices that a decision was made under."""
    return [
        NoticeDocument(
            layer=f"safety notice {each.name}",
            title=each.title,
            from_=each.from_,
            decide=each.decide,
            reason=each.reason,
            source=each.source_title,
            url=each.source_url,
            evidence=each.evidence,
        )
        for each in notices
    ]


def findings_of(decision: PolicyDecision) -> list[FindingDocument]:
    """The findings of a decision that was not stored."""
    return [finding_document(finding) for finding in decision_to_json(decision)["findings"]]


def finding_document(stored: Mapping[str, Any]) -> FindingDocument:
    """A finding from its stored JSON."""
    return FindingDocument.model_validate(stored)


def missing_questions(
    names: list[str] | tuple[str, ...], version: PolicyVersion
) -> list[MissingQuestion]:
    """The missing questions with their labels; a built-in name, such as sex, has none."""
    found = []
    for name in names:
        question = version.questions.get(name)
        found.append(
            MissingQuestion(
                name=name,
                label=None if question is None else question.label,
                unit=None if question is None else question.unit,
            )
        )
    return found
