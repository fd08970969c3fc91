"""How a policy version becomes the documents that the policy endpoints answer with."""

from typing import Any

from app.api.policies_model import (
    DRAFT,
    ArmText,
    CriterionDocument,
    FormDocument,
    IndicationDocument,
    InForceDocument,
    NewStartsDocument,
    OverlaySummary,
    OverrideRuleDocument,
    PanelDocument,
    PolicyDocument,
    PolicySummary,
    QuestionDocument,
    SourceDocument,
    VersionDocument,
    VersionSummary,
)
from app.api.terms_model import terms_document
from app.policy import (
    Criterion,
    Kind,
    Overlay,
    OverrideRule,
    PolicyVersion,
    Question,
    Source,
    members_to_agree,
    panel_status,
    questions_for,
    status_words,
)


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


def policy_document(
    versions: tuple[PolicyVersion, ...], overlays: tuple[Overlay, ...]
) -> PolicyDocument:
    """A policy with all its versions and overlays, oldest first."""
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
        overlays=[
            OverlaySummary(
                commissioner=overlay.commissioner,
                from_=overlay.from_,
                until=overlay.until,
                what_changed=overlay.what_changed,
                hash=overlay.hash,
            )
            for overlay in overlays
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
        panel=_panel(version),
        new_starts=_new_starts(version),
        in_force=_in_force(version),
        sources=[_source(source) for source in version.sources.values()],
        questions=[_question(question) for question in version.questions.values()],
        start=[_criterion(criterion) for criterion in version.start],
        continue_=[_criterion(criterion) for criterion in version.continue_],
        stop=[_criterion(criterion) for criterion in version.stop],
        approval=terms_document(version.approval),
        succeeds=list(version.succeeds),
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
        afterwards=found.afterwards,
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
        layer=criterion.layer,
        override=_override(criterion.override),
        arms=[ArmText(id=a.id, text=a.text, met_when=a.met_when) for a in criterion.arms],
    )


def _override(rule: OverrideRule | None) -> OverrideRuleDocument | None:
    if rule is None:
        return None
    return OverrideRuleDocument(reasons=rule.reasons, source=rule.source.id, evidence=rule.evidence)


def _panel(version: PolicyVersion) -> PanelDocument:
    terms = version.panel
    return PanelDocument(
        status=panel_status(version),
        stated=terms is not None,
        words=status_words(version),
        authority=terms.authority if terms else None,
        crisis=terms.crisis if terms else None,
        answer_days=terms.answer_days if terms else None,
        answer_working_days=terms.answer_working_days if terms else None,
        urgent=terms.urgent if terms else None,
        members=members_to_agree(version),
        source=terms.source.id if terms else None,
        evidence=terms.evidence if terms else None,
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
