"""Invented policies, one for each pattern of approval, made from the invented one of the tests."""

import json
from decimal import Decimal
from typing import Any

from app.approvals.library import Library
from app.approvals.office import Office
from app.policy import PolicyVersion, from_resolved, load_policy
from app.policy.canonical import canonical_json
from app.reference_data.drugs import load_drugs
from tests.world import TRIAL_TEXT

CITED = "source: made_up, evidence: verified"
#: What each invented policy says differently: its key, drug and further terms.
LENGTH = "  lasts: {months: 12}\n"
LIMIT = '  max_dose: {amount: "300", unit: mg, per: 28 days}\n'


def policy(
    key: str = "trial-policy",
    *,
    drug: str = "natalizumab",
    terms: str = "",
    pattern: str = "rolling",
    length: str = LENGTH,
    limit: str = LIMIT,
    head: str = "",
    products: str = "[tysabri]",
    last_continuation: str = "",
    interchangeable: bool = False,
) -> PolicyVersion:
    """The invented policy with further terms, as lines of YAML indented by two spaces."""
    text = TRIAL_TEXT.replace("policy: trial-policy", f"policy: {key}")
    text = text.replace("language: 1\n", f"language: 2\n{head}")
    text = text.replace("drug: natalizumab", f"drug: {drug}")
    text = text.replace("pattern: rolling", f"pattern: {pattern}")
    text = text.replace(LENGTH, length).replace(LIMIT, limit)
    text = text.replace("products: [tysabri]", f"products: {products}")
    text = text.replace("{from: 2020-01-01}", f"{{from: 2020-01-01{last_continuation}}}")
    if interchangeable:
        text = text.replace("interchangeable: false", "interchangeable: true")
    return load_policy(text + terms, f"{key}.yaml", load_drugs().keys())


def office(*versions: PolicyVersion) -> Office:
    """An office that holds these policies only."""
    return Office(Library(versions), demonstration=True)


THEN_TWELVE = policy(length="  lasts: {months: 4}\n  then_lasts: {months: 12}\n")
PHASED = policy(
    limit="",
    terms=f"""
  max_supply: {{days: 28}}
  phases:
    - {{name: loading, lasts: {{weeks: 12}},
       max_dose: {{amount: "600", unit: mg, per: 28 days}}}}
    - {{name: maintenance, max_dose: {{amount: "300", unit: mg, per: 28 days}}}}
  escalations:
    - name: temporary escalation
      max_dose: {{amount: "450", unit: mg, per: 28 days}}
      lasts: {{weeks: 8}}
      grounds: {{lost: The response was lost}}
      {CITED.replace(", ", chr(10) + "      ")}
""",
)
COURSES = policy(
    pattern="fixed course",
    length="",
    terms="""
  courses:
    - {name: first, lasts: {days: 60}}
    - {name: second, lasts: {days: 60}, after: {months: 10}, within: {months: 18}}
""",
)
EPISODE = policy(pattern="episode", length="  lasts: {days: 42}\n", terms="  doses: 5\n")
BARRING = policy(
    terms=f"""
  barred_with:
    - {{drugs: [cladribine], overlap: {{days: 14}}, reason: No trial of both, {CITED}}}
"""
)
BARRED = policy("barred-policy", drug="cladribine", products="[mavenclad]", limit="")
SHORT = policy("short-policy", pattern="episode", length="  lasts: {days: 60}\n")
LONG = policy("long-policy", terms="  supersedes: [short-policy]\n")
CHILD = policy("child-policy")
ADULT = policy(
    "adult-policy",
    head="succeeds: [child-policy]\n",
    length="  lasts: {months: 6}\n  then_lasts: {months: 12}\n",
)
ENDING = policy(
    last_continuation=", last_continuation: 2026-09-30, afterwards: Ask the panel about others."
)
CONVERTING = policy(terms=f"  conversion: {{judged_on: pre_treatment_baseline, {CITED}}}\n")
BEST_VALUE = policy(
    products="[tysabri, tyruko]",
    terms=f"""
  best_value:
    products: [{{product: tyruko, from: 2026-01-01, until: 2026-12-31, target: 90% of new starts}}]
    reasons: {{intolerance: The product is not tolerated}}
    {CITED.replace(", ", chr(10) + "    ")}
""",
)
TWO_MEMBERS = policy(head=f"panel: {{status: no_panel, members: 2, {CITED}}}\n")


def asking_for_two(library: Library, policy: str = "adalimumab-ra-severe") -> Library:
    """The library with one policy's versions asking for two of a panel.

    Its criterion about the screening, which refers, may be waived there too. Invented.
    """
    changed = []
    for version in library.versions(policy):
        data = json.loads(version.resolved, parse_float=Decimal)
        cited = {"source": next(iter(data["sources"])), "evidence": "verified"}
        data["panel"] = {"status": "no_panel", "members": 2, **cited}
        for each in data["start"]:
            if each["met_when"] == "screened":
                each["waivable"] = True
        changed.append(from_resolved(canonical_json(data)))
    others = [each for each in library.all_versions() if each.policy != policy]
    return Library([*others, *changed], library.overlays(), library.notices)


def waivable(library: Library, question: str, policy: str = "adalimumab-ra-severe") -> Library:
    """The library with those criteria to start waivable that ask this question. Invented."""
    changed = []
    for version in library.versions(policy):
        data = json.loads(version.resolved, parse_float=Decimal)
        for each in data["start"]:
            if question in json.dumps(each["met_when"], default=str):
                each["waivable"] = True
        changed.append(from_resolved(canonical_json(data)))
    others = [each for each in library.all_versions() if each.policy != policy]
    return Library([*others, *changed], library.overlays(), library.notices)


def in_force(library: Library, policy: str = "adalimumab-ra-severe") -> Library:
    """The library with one policy whose every statement counts as verified. Invented."""

    def verified(data: Any) -> Any:
        if isinstance(data, dict):
            return {
                name: "verified" if name == "evidence" else verified(each)
                for name, each in data.items()
            }
        return [verified(each) for each in data] if isinstance(data, list) else data

    changed = [
        from_resolved(canonical_json(verified(json.loads(each.resolved, parse_float=Decimal))))
        for each in library.versions(policy)
    ]
    others = [each for each in library.all_versions() if each.policy != policy]
    return Library([*others, *changed], library.overlays(), library.notices)
