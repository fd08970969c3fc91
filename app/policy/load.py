"""Loads a policy file: YAML text in, an immutable PolicyVersion out, or every fault at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from app.policy import build, nodes
from app.policy.canonical import canonical_json, sha256
from app.policy.check import Checked, Checker
from app.policy.check_size import check_size
from app.policy.compile import (
    CompiledPolicy,
    RowTest,
    compile_expressions,
    compile_row_test,
)
from app.policy.document import Document, Path, read
from app.policy.emit import CountOf, PickOf, Program
from app.policy.errors import Fault, PolicyFileFaults
from app.policy.formulas import expanded, is_formula, readable_source
from app.policy.model import Derived, Kind, PolicyVersion, Question, Section
from app.policy.on_demand import Later, Once, OnDemand
from app.policy.panel import panel_terms
from app.policy.resolve import resolve
from app.policy.schema_check import shape_faults
from app.policy.shelf import Shelf

DrugKeys = Mapping[str, frozenset[str]]


def load_policy(
    text: str,
    file: str,
    drug_keys: DrugKeys | None = None,
    shelf: Shelf | None = None,
    *,
    vouched: Set[str] = frozenset(),
) -> PolicyVersion:
    """Load one policy file.

    `file` is only named in faults. `drug_keys` maps each drug to its products; None skips that
    check. `shelf` holds the formulas and the area's questions that it may take. `vouched` are the
    hashes of versions that have been checked in full before (the lock's): what has such a hash is
    that very text, and its questions and expressions are read when they are first needed. Raises
    PolicyFileFaults with every fault of the file, in the order of its lines.
    """
    document = read(text, file)
    unresolved = [] if document.cut_short else resolve(document, file, shelf or Shelf())
    if vouched and not document.faults and not unresolved:
        resolved = canonical_json(document.data)
        if sha256(resolved) in vouched:
            return _vouched(document, file, drug_keys, resolved)
    return _load(document, file, drug_keys, unresolved)


def from_resolved(resolved: str) -> PolicyVersion:
    """Rebuild a version from its stored canonical JSON, to replay a decision.

    Raises PolicyFileFaults where the stored text is not a policy of this language version.
    """
    document = Document()
    try:
        document.data = json.loads(resolved, parse_float=Decimal)
    except (ValueError, RecursionError):
        fault = Fault(
            "stored version", None, None, "json", "the stored text is not JSON", "Restore it"
        )
        raise PolicyFileFaults((fault,)) from None
    return _load(document, "stored version", None, [])


def load_document(document: Document, file: str) -> PolicyVersion:
    """The version of data that was put together elsewhere; faults as for `load_policy`."""
    return _load(document, file, None, [])


def _vouched(
    document: Document, file: str, drug_keys: DrugKeys | None, resolved: str
) -> PolicyVersion:
    """A version checked before: only what the file does not hold is checked, its drug's key."""
    checker = Checker(document, file, [], document.faults)
    checker.terms(drug_keys)
    if document.faults:
        raise PolicyFileFaults(tuple(document.faults))
    full = Once(partial(from_resolved, resolved))
    compiled = CompiledPolicy(
        Later(lambda: full().compiled.sections),
        Later(lambda: full().compiled.rows),
        Later(lambda: full().compiled.picks),
    )
    return _version(document.data, resolved, Later(lambda: full().questions), compiled)


def _load(
    document: Document,
    file: str,
    drug_keys: DrugKeys | None,
    unresolved: list[tuple[Path, Fault]],
) -> PolicyVersion:
    faults = document.faults
    if not document.cut_short:
        named = {path for path, _ in unresolved}
        shape = [each for each in shape_faults(document, file) if each[0] not in named]
        shape += unresolved
        faults = [*faults, *(fault for _, fault in shape)]
        checker = Checker(document, file, [path for path, _ in shape], faults)
        checker.questions()
        checker.derive()
        checker.criteria()
        checker.terms(drug_keys)
        check_size(checker)
    if faults:
        raise PolicyFileFaults(tuple(sorted(faults, key=lambda fault: fault.line or 0)))
    checked = checker.checked
    return _version(
        document.data, canonical_json(document.data), _with_kinds(checked), _compiled(checked)
    )


def _version(
    data: dict[str, Any],
    resolved: str,
    questions: Mapping[str, Question],
    compiled: CompiledPolicy,
) -> PolicyVersion:
    sources = {name: build.source(name, each) for name, each in data["sources"].items()}
    sections = {section: build.criteria(data, section, sources) for section in Section}
    approval = build.approval(data["approval"], sources)
    new_starts = build.new_starts(data.get("new_starts"), sources)
    panel = panel_terms(data.get("panel"), sources)
    in_force = build.in_force(data["in_force"])
    correction = data.get("correction", 0)
    evidence = {each.evidence for criteria in sections.values() for each in criteria}
    evidence |= {
        each.override.evidence
        for criteria in sections.values()
        for each in criteria
        if each.override
    }
    evidence |= {
        each["formula"]["evidence"]
        for each in (data.get("derive") or {}).values()
        if is_formula(each)
    }
    evidence |= {*approval.evidences(), new_starts.evidence if new_starts else "verified"}
    evidence |= {panel.evidence if panel else "verified"}
    return PolicyVersion(
        policy=data["policy"],
        version=in_force.from_.isoformat() + (f".{correction}" if correction else ""),
        title=data["title"].strip(),
        drug=data["drug"],
        indication=build.indication(data["indication"]),
        commissioner=data["commissioner"].strip(),
        mechanism=data["mechanism"],
        panel=panel,
        new_starts=new_starts,
        in_force=in_force,
        what_changed=data["what_changed"].strip(),
        sources=sources,
        questions=questions,
        derived=_derived(data.get("derive") or {}),
        start=sections[Section.START],
        continue_=sections[Section.CONTINUE],
        stop=sections[Section.STOP],
        approval=approval,
        language=data["language"],
        resolved=resolved,
        hash=sha256(resolved),
        unverified="unverified" in evidence,
        succeeds=tuple(data.get("succeeds") or ()),
        compiled=compiled,
    )


def _derived(derive: Mapping[str, Any]) -> dict[str, Derived]:
    """The derived values, a formula's steps among them; its result names the formula."""
    found = {name: build.derived(name, each) for name, each in expanded(derive).items()}
    for name, entry in derive.items():
        found[name] = replace(found[name], formula=readable_source(entry))
    return found


def _compiled(checked: Checked) -> CompiledPolicy:
    program = checked.program()
    compiled = {
        section: partial(compile_expressions, _expressions(section, checked), program)
        for section in Section
    }
    over: dict[str, CountOf | PickOf] = {**checked.counts, **checked.picks}
    rows = {name: partial(_row_test, found, program) for name, found in over.items()}
    return CompiledPolicy(OnDemand(compiled), OnDemand(rows), checked.picks)


def _row_test(over: CountOf | PickOf, program: Program) -> RowTest:
    where = over.where
    test = None if where is None else compile_row_test(where, program, over.row_scope)
    return RowTest(over.list_name, over.fields, test)


def _expressions(section: Section, checked: Checked) -> list[nodes.Node]:
    found = [item for item in checked.expressions.items() if item[0][0] == section.value]
    return [node for _, node in sorted(found, key=lambda item: item[0][1])]


def _with_kinds(checked: Checked) -> dict[str, Question]:
    """The questions, each with the kinds of request that ask it.

    Unless the file says so itself, that is the kinds whose criteria can look at it; a question
    that no criterion looks at is asked at initiation and continuation.
    """
    start, going_on, stop = (_names(checked, section) for section in Section)
    by_kind = {
        Kind.INITIATION: _looked_at(checked, start),
        Kind.CONTINUATION: _looked_at(checked, [*going_on, *stop]),
        Kind.STOP: _looked_at(checked, stop),
    }
    unused = frozenset({Kind.INITIATION, Kind.CONTINUATION})
    found = {}
    for name, question in checked.questions.items():
        used = frozenset(kind for kind, names in by_kind.items() if name in names)
        found[name] = replace(question, kinds=question.kinds or used or unused)
    return found


def _names(checked: Checked, section: Section) -> list[str]:
    """Every name that stands in the criteria of a section."""
    tests = _expressions(section, checked)
    return [name for node in tests for name in nodes.names_in(node)]


def _looked_at(checked: Checked, names: list[str]) -> set[str]:
    """These names, and every name that they lead to through derived values."""
    waiting = list(names)
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        if name in checked.derived:
            waiting += nodes.names_in(checked.derived[name])
        over = checked.counts.get(name) or checked.picks.get(name)
        if over is not None:
            waiting.append(over.list_name)
            waiting += [] if over.where is None else nodes.names_in(over.where)
    return reached
