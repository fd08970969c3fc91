"""Near misses as worked cases: YAML that can be appended to a policy's `cases.yaml`."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.authoring.files import read_text
from app.authoring.proofs.claims import NearMiss
from app.policy import PolicyVersion
from app.policy.cases import read_cases


def append_cases(path: Path, version: PolicyVersion, near: Sequence[NearMiss]) -> int:
    """Append a case for each near miss that the file does not name yet; returns how many.

    The file is read again before it is written, so a faulty file is never made.
    """
    text = read_text(path)
    known = {case.name for case in read_cases(text, str(path))}
    fresh = [each for each in near if each.patient and case_name(version, each) not in known]
    if not fresh:
        return 0
    added = "".join(case_text(version, each) for each in fresh)
    joined = text.rstrip("\n") + "\n\n  # --- near misses, found by the prover ---\n" + added
    read_cases(joined, str(path))
    path.write_text(joined, encoding="utf-8")
    return len(fresh)


def case_name(version: PolicyVersion, near: NearMiss) -> str:
    """The name under which a near miss stands among the cases."""
    return f"near miss of {near.criterion} ({version.version}, {near.kind})"


def case_text(version: PolicyVersion, near: NearMiss) -> str:
    """One near miss as an item of `cases:`."""
    return "".join(f"  {line}\n" for line in _lines(version, near))


def _lines(version: PolicyVersion, near: NearMiss) -> Iterator[str]:
    patient, decision = near.patient, near.decision
    if patient is None or decision is None:
        return
    yield f"- name: {case_name(version, near)}"
    yield f'  version: "{version.version}"'
    yield f"  kind: {near.kind}"
    context = patient.context
    for name in ("decision_to_treat", "first_dose", "birth_date", "sex"):
        value = getattr(context, name)
        if value is not None:
            yield f"  {name}: {value}"
    if patient.today != context.decision_to_treat:
        yield f"  today: {patient.today}"
    yield "  answers:"
    for name, raw in patient.answers.items():
        yield f"    {name}: {_yaml(raw)}"
    found = {f.criterion: f.result for f in decision.findings}
    yield "  expect:"
    yield f"    outcome: {decision.outcome}"
    yield f"    findings: {{{near.criterion}: {found[near.criterion]}}}"


def _yaml(raw: Any) -> str:
    """A raw answer as YAML on one line (JSON is YAML)."""
    return json.dumps(_plain(raw), ensure_ascii=False)


def _plain(raw: Any) -> Any:
    if isinstance(raw, dt.date):
        return raw.isoformat()
    if isinstance(raw, Mapping):
        return {key: _plain(value) for key, value in raw.items()}
    return [_plain(row) for row in raw] if isinstance(raw, list) else raw
