"""By what a line, or a treatment, is found when an approval changes. Pure.

A change may touch a line that states one of the person's numbers or one of the approval's
references, and a line that a run found to be the treatment's. A change of what policies ask of a
drug may touch every line of the drug. Hospital numbers are compared without
their hospital, so that a merger of hospitals leaves none out: too many lines may be found, and
matching them again then changes nothing.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from app.reconciliation.model import ContractLine, MatchedLine
from app.reconciliation.parse import normalise_reference

#: Of a slice whose lines cannot be told one by one: any change of its organisation's may touch it.
ANY: Final = "*"


#: Of a slice that an earlier release kept, which did not say what drugs are in it.
ANY_POLICY: Final = "*policy"


def of_drug(drug: str) -> str:
    """The key of a drug, for what policies ask of it."""
    return _key("drug", drug)


def of_number(nhs_number: str) -> str:
    """The key of an NHS number."""
    return _key("number", nhs_number)


def of_local_id(local_id: str) -> str:
    """The key of a hospital number, whatever its case and spaces."""
    return _key("local", local_id.upper().replace(" ", ""))


def of_reference(reference: str) -> str | None:
    """The key of an approval's reference; None where it is none."""
    found = normalise_reference(reference)
    return _key("reference", found) if found else None


def of_treatment(treatment_id: str) -> str:
    """The key of a treatment."""
    return _key("treatment", treatment_id)


def keys_of_lines(items: Iterable[MatchedLine]) -> frozenset[str]:
    """Everything by which a change finds these lines."""
    found: set[str] = set()
    for item in items:
        found.update(_of_line(item.line))
        if item.treatment_id is not None:
            found.add(of_treatment(item.treatment_id))
        if item.recognition.drug is not None:
            found.add(of_drug(item.recognition.drug))
    return frozenset(found)


def _of_line(line: ContractLine) -> Iterable[str]:
    if line.nhs_pseudonym or line.local_pseudonym:
        yield ANY  # no number of the service's own can be looked up by it
    if line.nhs_number is not None:
        yield of_number(line.nhs_number)
    if line.local_patient_id is not None:
        yield of_local_id(line.local_patient_id)
    reference = of_reference(line.reference) if line.reference else None
    if reference is not None:
        yield reference


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}\n{value}".encode()).hexdigest()[:32]
