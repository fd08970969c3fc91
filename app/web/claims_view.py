"""What may be claimed, and the baseline that a claimant is told, in words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.api.claims import ClaimDocument
from app.approvals.library import Library
from app.policy import PolicyVersion, Question
from app.reference_data.drugs import DrugDictionary
from app.web.form.fields import answer_words
from app.web.words import day_words, first_upper

#: So many treatments are listed for the letters that were typed.
MOST = 40


@dataclass(frozen=True, slots=True)
class Claimable:
    """A drug for an indication, by the policy that stands for it in an address."""

    policy: str
    text: str


def claimable(version: PolicyVersion, drugs: DrugDictionary) -> Claimable:
    """The treatment that a policy is about: "Adalimumab for rheumatoid arthritis"."""
    drug = drugs.drugs.get(version.drug)
    name = first_upper(drug.name if drug else version.drug)
    return Claimable(version.policy, f"{name} for {version.indication.term}")


def fitting(library: Library, drugs: DrugDictionary, words: Sequence[str]) -> tuple[Claimable, ...]:
    """Each treatment once whose drug, brand or indication has all of these words in it."""
    found: dict[tuple[str, str], Claimable] = {}
    for policy in sorted(library.usable()):
        version = library.versions(policy)[-1]
        if _fits(version, drugs, words):
            found.setdefault((version.drug, version.indication.key), claimable(version, drugs))
    return tuple(sorted(found.values(), key=lambda each: each.text))[:MOST]


def _fits(version: PolicyVersion, drugs: DrugDictionary, words: Sequence[str]) -> bool:
    drug = drugs.drugs.get(version.drug)
    brands = [each.name for each in drug.products] if drug else []
    text = " ".join([claimable(version, drugs).text, *brands]).lower()
    return all(word.lower() in text for word in words)


def fact_pairs(document: ClaimDocument) -> tuple[tuple[str, str], ...]:
    """The approval and its dates."""
    ends = day_words(document.covers_to) if document.covers_to else "no end"
    covers = f"{day_words(document.covers_from)} to {ends}" if document.covers_from else "not known"
    begun = day_words(document.first_dose) if document.first_dose else "Not recorded yet"
    return (
        ("Reference", document.reference or "none"),
        ("Covers", covers),
        ("First dose", begun),
    )


def baseline_rows(
    document: ClaimDocument, library: Library, asked: PolicyVersion
) -> tuple[tuple[str, str], ...]:
    """The baseline, question by question, in the words of a policy of the same treatment."""
    questions = _questions(library, asked)
    return tuple(
        (
            questions[name].label if name in questions else first_upper(name.replace("_", " ")),
            _said(questions.get(name), answer.model_dump(mode="json")),
        )
        for name, answer in document.baseline.items()
    )


def _questions(library: Library, asked: PolicyVersion) -> Mapping[str, Question]:
    """Every question of the policies for the same drug and indication; the asked one's win."""
    found: dict[str, Question] = {}
    for version in (*_of_the_same(library, asked), asked):
        found |= version.questions
    return found


def _of_the_same(library: Library, asked: PolicyVersion) -> Iterator[PolicyVersion]:
    for policy in sorted(library.usable()):
        version = library.versions(policy)[-1]
        if (version.drug, version.indication.key) == (asked.drug, asked.indication.key):
            yield version


def _said(question: Question | None, answer: Mapping[str, object]) -> str:
    if question is None:
        return str(answer["value"])
    return answer_words(question, answer)
