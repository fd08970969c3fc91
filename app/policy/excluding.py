"""Which yes/no questions a form uses only to rule something out. Pure.

Of such a question a "yes" can only stop a treatment, refuse it, or ask for a reason to go on all
the same: a "no" is the absence of an obstacle, never something that the patient must have. So "none
of these" answers several of them. It is read from the criteria, by their syntax:

- in a criterion to start or continue the question stands negated (`NOT infection`, also within a
  derived list, `NOT (smoker OR malignancy)`, and beside a way out, `NOT risk OR no_alternative`);
  in one to stop it stands plain;
- it stands nowhere else: not in a count, a choice or a comparison, not where a "yes" is wanted by
  any criterion of the form, and not where a "no" is one part of a way to qualify, as in
  `severe OR (NOT count_reached AND day >= 5)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from app.policy import nodes
from app.policy.language import parse
from app.policy.model import Derived, Kind, PolicyVersion, QuestionType, Section

_SECTIONS = {
    Kind.INITIATION: (Section.START,),
    Kind.CONTINUATION: (Section.CONTINUE, Section.STOP),
}


def excluding(version: PolicyVersion, kind: Kind) -> frozenset[str]:
    """The names of those questions. None for a request to stop: there a "yes" is what is wanted."""
    against: set[str] = set()
    otherwise: set[str] = set()
    tests = {
        (each.met_when, section is not Section.STOP)
        for section in _SECTIONS.get(kind, ())
        for each in version.criteria(section)
    }
    for text, wanted in tests:
        for name, rules_out in _uses(version, _parsed(text), wanted, apart=False):
            (against if rules_out else otherwise).add(name)
    asked = version.questions
    return frozenset(
        name
        for name in against - otherwise
        if asked[name].type is QuestionType.BOOLEAN
        and not (asked[name].measured or asked[name].carried)
    )


@lru_cache(maxsize=4096)
def _parsed(text: str) -> nodes.Node:
    return parse(text)


def _uses(
    version: PolicyVersion, node: nodes.Node, wanted: bool, *, apart: bool
) -> Iterator[tuple[str, bool]]:
    """Each question below a test, and whether it only rules out there.

    `wanted`: the form does well where the test holds. `apart`: it is one of several ways.
    """
    match node:
        case nodes.Name(name):
            yield from _named(version, name, wanted, apart=apart)
        case nodes.Not(part):
            yield from _uses(version, part, not wanted, apart=apart)
        case nodes.Or(parts) | nodes.And(parts):
            joined = isinstance(node, nodes.And)
            if joined and wanted and apart:
                yield from _all(version, node)
                return
            ways = joined is not wanted  # an OR that is wanted, or an AND that is not
            for part in parts:
                yield from _uses(version, part, wanted, apart=apart or ways)
        case _:
            yield from _all(version, node)


def _named(
    version: PolicyVersion, name: str, wanted: bool, *, apart: bool
) -> Iterator[tuple[str, bool]]:
    derived = version.derived.get(name)
    if derived is None:
        if name in version.questions:
            yield name, not wanted
    elif derived.value is not None:
        yield from _uses(version, _parsed(derived.value), wanted, apart=apart)
    else:
        yield from _below(version, derived)


def _all(version: PolicyVersion, node: nodes.Node) -> Iterator[tuple[str, bool]]:
    """Every question below a node, as one that is looked at in some other way."""
    for name in nodes.names_in(node):
        derived = version.derived.get(name)
        if derived is not None:
            yield from _below(version, derived)
        elif name in version.questions:
            yield name, False


def _below(version: PolicyVersion, derived: Derived) -> Iterator[tuple[str, bool]]:
    texts = (
        derived.value,
        derived.where,
        derived.otherwise,
        *(text for pair in derived.choose for text in pair),
    )
    for text in texts:
        if text is not None:
            yield from _all(version, _parsed(text))
