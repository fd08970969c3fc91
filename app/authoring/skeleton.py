"""A commented policy file for a drug and an indication, which loads and can be filled in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from app.authoring.errors import BenchRefused
from app.authoring.forms.draft import slug
from app.policy import schema_check
from app.policy.suggestions import did_you_mean

_TEXT = """\
# yaml-language-server: $schema={schema}
# A policy version. Once in force it is never edited: a change is a new file.
# Check it with `assent policies check FILE`, prove it with `assent policies prove FILE`.
policy: {policy}
title: {title}
language: 1
drug: {drug}
indication: {{key: {key}, term: {term}}}   # add snomed: "…" when it is known
commissioner: To be decided
mechanism: prior_approval        # prior_approval | panel | notification
in_force:
  from: {day}
  published: null                # the day the text was published
  funding_from: null             # usually 30 or 90 days later
  last_new_start: null
  last_continuation: null
what_changed: The first text.    # later: what is new against the version before

# Every criterion names a source; `read_on` is the day on which somebody read it.
sources:
  guidance:
    title: Name the guidance and the numbered recommendation
    url: null
    read_on: null

# Ask values, with unit and date, not whether a threshold is met: the policy compares.
questions:
  diagnosis_confirmed:
    type: boolean
    label: The diagnosis is confirmed by a specialist
  severity_score:
    type: number
    label: Severity score
    minimum: 0
    maximum: 100
    decimals: 1
    measured: true               # asks on which day it was measured
  previous_treatments:
    type: list
    label: Previous treatments
    of:
      stopped_on: {{type: date, label: Day it was stopped}}
      responded: {{type: boolean, label: There was a response}}
  responding:
    type: boolean
    label: There is a response to treatment
  intolerable_effects:
    type: boolean
    label: Adverse effects are intolerable

# Values worked out from answers. A window is written in calendar months, never as 365 days.
derive:
  failed_in_last_12_months:
    count: previous_treatments
    where: >-
      NOT responded AND stopped_on >= ADD_MONTHS(decision_to_treat, -12)
      AND stopped_on <= decision_to_treat

# `evidence: unverified` until somebody has read the source: such a version can only refer.
start:
  - id: {prefix}-1
    text: The diagnosis is confirmed by a specialist
    met_when: diagnosis_confirmed
    source: guidance
    evidence: unverified
  - id: {prefix}-2
    text: A severity score of 50 or more
    met_when: severity_score >= 50
    source: guidance
    evidence: unverified
  - id: {prefix}-3
    text: No response to at least one treatment in the last 12 months
    met_when: failed_in_last_12_months >= 1
    source: guidance
    evidence: unverified

continue:
  - id: {prefix}-C1
    text: There is a response to treatment
    met_when: responding
    source: guidance
    evidence: unverified

# A stop criterion says when to stop: met means stop.
stop:
  - id: {prefix}-S1
    text: Adverse effects are intolerable
    met_when: intolerable_effects
    source: guidance
    evidence: unverified

approval:
  pattern: rolling               # rolling | episode | fixed course
  lasts: {{months: 12}}            # or {{days: 28}}
  start_within: {{days: 90}}
  source: guidance
  evidence: unverified
"""


def schema_text() -> str:
    """The JSON Schema of a policy file, as text."""
    return _schema().read_text(encoding="utf-8")


def _schema() -> Path:
    return Path(schema_check.__file__).with_name("schema.json")


def schema_from(path: Path | None) -> str:
    """Where the schema lies, seen from a policy file: an editor then finds it without a network.

    A file that is not written yet counts as one of the library, three folders down.
    """
    if path is None:
        return "../../../app/policy/schema.json"
    return Path(os.path.relpath(_schema(), path.resolve().parent)).as_posix()


def skeleton(
    drug: str,
    indication: str,
    in_force: date,
    drug_keys: Mapping[str, frozenset[str]] | None,
    path: Path | None = None,
) -> str:
    """The text of the file, to be written to `path`.

    Raises BenchRefused for a drug that the dictionary does not know.
    """
    if drug_keys is not None and drug not in drug_keys:
        raise BenchRefused(
            f"There is no drug {drug} in the dictionary. {did_you_mean(drug, drug_keys)}"
        )
    if not indication.strip():
        raise BenchRefused("The indication is empty. Say it in words.")
    return _TEXT.format(
        schema=schema_from(path),
        policy=slug(f"{drug}-{indication}"),
        title=json.dumps(f"{drug.replace('-', ' ').capitalize()} for {indication}"[:300]),
        drug=drug,
        key=slug(indication),
        term=json.dumps(indication.strip()[:300], ensure_ascii=False),
        day=in_force.isoformat(),
        prefix=slug(drug)[:3].upper(),
    )
