"""The same form under the immunoglobulin criteria of 2019 and of December 2021.

One row for each change that the two editions make: the library picks the version by the day of
the decision to treat, 1 June 2020 or 1 June 2022, and everything else stays the same.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from app.approvals.library import Library
from app.policy import Context, Kind, Outcome, Part, PolicyDecision, decide, parse_answers, readable
from tests.policies.library import all_versions

BEFORE, AFTER = dt.date(2020, 6, 1), dt.date(2022, 6, 1)
LIBRARY = Library(all_versions())
OK, REFUSED, REFERRED = Outcome.APPROVED, Outcome.CRITERIA_NOT_MET, Outcome.REFERRED
#: A woman without a weight correction: 2 g/kg is 120 g.
BODY: dict[str, Any] = {
    "height_cm": {"value": 165, "unit": "cm"},
    "weight_kg": {"value": 60, "unit": "kg"},
    "dose_g": {"value": 120, "unit": "g"},
}
SPAD = {
    "clinical_immunologist": True,
    "bacterial_infection": True,
    "oral_antibiotic_months": {"value": 6, "unit": "months"},
    "vaccine_challenge_failed": True,
    "height_cm": {"value": 165, "unit": "cm"},
    "weight_kg": {"value": 60, "unit": "kg"},
    "monthly_dose_g": {"value": 35, "unit": "g"},
    "outcomes_scored": True,
}


def measures(*names: str) -> list[dict[str, Any]]:
    """Outcome measures, each chosen and scored before treatment and improved since."""
    score = {"fixed_beforehand": True, "score_before": 10, "score_after": 14, "meaningful": True}
    return [{"measure": name, **score} for name in names]


EXACERBATION = {
    **BODY,
    "outcome_measures": measures("qmg"),
    "neurologist_diagnosis": True,
    "exacerbation_admission": True,
    "before_surgery": False,
    "plasma_exchange_not_possible": True,
    "dose_g": {"value": 60, "unit": "g"},
}
GBS_AGAIN = {
    **BODY,
    "infusion_days": {"value": 5, "unit": "days"},
    "courses_so_far": 1,
    "days_to_next_course": {"value": 14, "unit": "days"},
    "igg_before_dose": {"value": 10, "unit": "g/L"},
    "serious_complication": False,
}
IGM_LONG = {
    **BODY,
    "outcome_measures": measures("mrc_sum", "onls", "grip"),
    "taper_followed": True,
    "withdrawn_without_relapse": False,
    "serious_complication": False,
}
MYOSITIS = {
    **BODY,
    "specialist_diagnosis": True,
    "myositis_type": "pm",
    "significant_weakness": True,
    "dysphagia": False,
    "respiratory_failure": False,
    "refractory_skin": False,
    "failed_steroid_immunosuppressant": True,
    "treatment_purpose": "maintenance",
    "rituximab_status": "failed",
    "outcome_measures": measures("mrc_sum", "haq", "fvc"),
}
TRANSPLANT = {
    **BODY,
    "transplant_organ": "renal",
    "antibody_prevents_transplant": True,
    "transplant_regimen": "high_dose",
    "outcomes_scored": True,
}
CHILD = {
    "phase": "acute",
    "life_threatening_bleed": True,
    "urgent_rise_needed": False,
    "bleeding_refractory": False,
    "moderate_bleed_at_risk": False,
    "platelets": {"value": 8, "unit": "10*9/L"},
    "height_cm": {"value": 130, "unit": "cm"},
    "weight_kg": {"value": 60, "unit": "kg"},
    "child_ideal_weight_kg": {"value": 28, "unit": "kg"},
}
PANEL_CASE = {
    **BODY,
    "diagnosis_confirmed": True,
    "panel_case_stated": True,
    "outcomes_scored": True,
}
DYSAUTONOMIA = {
    **BODY,
    "in_intensive_care": True,
    "autonomic_unit": False,
    "large_fibre": False,
    "outcome_measures": measures("postural_drop"),
    "infusion_days": {"value": 5, "unit": "days"},
}


@dataclass(frozen=True)
class Pair:
    """One form, and what each edition says of it; `findings` are checked where they are named."""

    rule: str
    policy: str
    answers: dict[str, Any]
    before: Outcome
    after: Outcome
    kind: Kind = Kind.INITIATION
    birth_date: dt.date = dt.date(1970, 5, 5)
    found_before: dict[str, str] = field(default_factory=dict)
    found_after: dict[str, str] = field(default_factory=dict)


PAIRS = [
    Pair(
        "IG.TSS.DOSE: 2 g/kg at once, then 1 g/kg",
        "tss",
        {**BODY, "toxic_shock": True, "no_rapid_response": True},
        OK,
        REFUSED,
    ),
    Pair("IG.SPAD.TRIAL.PANEL: none, then a panel", "specific-antibody-deficiency", SPAD, OK, REFERRED),
    Pair(
        "IG.MG.ACUTE.PANEL in a crisis: none in either",
        "myasthenia-acute",
        {**EXACERBATION, "myasthenic_crisis": True},
        OK,
        OK,
    ),
    Pair(
        "IG.MG.ACUTE.PANEL outside a crisis: 2019 covers the crisis alone, 2021 asks the panel",
        "myasthenia-acute",
        {**EXACERBATION, "myasthenic_crisis": False},
        REFERRED,
        REFERRED,
        found_before={"MGA-4": "not met"},
        found_after={"MGA-4": "not met"},
    ),
    Pair(
        "IG.GBS.SECOND: on day 14 after a rise of 7 g/L, then none",
        "gbs",
        {**GBS_AGAIN, "igg_after_dose": {"value": 17, "unit": "g/L"}},
        OK,
        REFUSED,
        Kind.CONTINUATION,
        found_before={"GBS-C2": "met"},
        found_after={"GBS-C1": "not met"},
    ),
    Pair(
        "IG.GBS.SECOND: not after a rise above 7 g/L",
        "gbs",
        {**GBS_AGAIN, "igg_after_dose": {"value": "17.1", "unit": "g/L"}},
        REFUSED,
        REFUSED,
        Kind.CONTINUATION,
        found_before={"GBS-C2": "not met"},
    ),
    Pair("IG.IGM.LONG: panel, then not commissioned", "igm-neuropathy-long", IGM_LONG, REFERRED, REFUSED),
    Pair(
        "IG.TEN: no panel, then not commissioned",
        "ten",
        {
            **BODY,
            "dermatologist": True,
            "life_threatening": True,
            "skin_area_percent": {"value": 9, "unit": "%"},
            "outcomes_scored": True,
        },
        OK,
        REFUSED,
    ),
    Pair(
        "IG.DM.LINE: after rituximab, then after abatacept too",
        "myositis",
        {**MYOSITIS, "abatacept_status": "not_tried"},
        REFERRED,
        REFUSED,
        found_before={"MYO-4": "met"},
        found_after={"MYO-4": "met", "MYO-7": "not met"},
    ),
    Pair(
        "IG.DM.LINE: maintenance before rituximab is not funded in either",
        "myositis",
        {**MYOSITIS, "rituximab_status": "not_tried", "abatacept_status": "failed"},
        REFUSED,
        REFUSED,
        found_before={"MYO-4": "not met"},
        found_after={"MYO-4": "not met"},
    ),
    Pair(
        "IG.TX.INCOMPAT.PANEL: a panel, then none",
        "transplant-incompatible",
        TRANSPLANT,
        REFERRED,
        OK,
    ),
    Pair(
        "IG.CHILD.WEIGHT: the corrected weight, then the ideal weight alone",
        "itp",
        {**CHILD, "dose_g": {"value": 35, "unit": "g"}},
        OK,
        REFUSED,
        birth_date=dt.date(2012, 5, 5),
    ),
    Pair("IG.CRPS", "crps", {**BODY, "other_treatments_failed": True, "dose_g": {"value": 30, "unit": "g"}}, REFERRED, REFUSED),
    Pair("IG.EPILEPSY", "childhood-epilepsy", {**BODY, "other_treatments_failed": True, "dose_g": {"value": 60, "unit": "g"}}, REFERRED, REFUSED),
    Pair("IG.URTICARIA", "severe-urticaria", PANEL_CASE, REFERRED, REFUSED),
    Pair("IG.PYODERMA", "pyoderma-gangrenosum", PANEL_CASE, REFERRED, REFUSED),
    Pair("IG.DYSAUTONOMIA: individual funding, then a panel", "dysautonomia", DYSAUTONOMIA, REFUSED, REFERRED),
]  # fmt: skip


def judge(pair: Pair, day: dt.date) -> PolicyDecision:
    """The decision of the version that the library holds for the day."""
    version = LIBRARY.deciding(f"immunoglobulin-{pair.policy}", pair.kind, day)
    assert version.in_force.from_ == (
        dt.date(2019, 2, 1) if day == BEFORE else dt.date(2021, 12, 1)
    )
    raw = dict(pair.answers)
    if "reviewed_on" in version.questions:
        raw["reviewed_on"] = (day - dt.timedelta(days=90)).isoformat()
    raw = {
        name: answer
        for name, answer in raw.items()
        if name in version.questions and pair.kind in version.questions[name].kinds
    }
    answers = parse_answers(version, pair.kind, raw, decision_to_treat=day, today=day)
    first_dose = day - dt.timedelta(days=14) if pair.kind is Kind.CONTINUATION else None
    return decide(version, pair.kind, answers, Context(day, first_dose, pair.birth_date, "female"))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.rule)
def test_one_form_is_judged_by_the_edition_of_its_day(pair: Pair) -> None:
    before, after = judge(pair, BEFORE), judge(pair, AFTER)
    assert (before.outcome, after.outcome) == (pair.before, pair.after), (before, after)
    for decision, expected in ((before, pair.found_before), (after, pair.found_after)):
        found = {each.criterion: each.result.value for each in decision.findings}
        assert {name: found.get(name) for name in expected} == expected


def test_every_change_between_the_editions_has_its_pair() -> None:
    rules = {
        "TSS.DOSE", "SPAD.TRIAL.PANEL", "MG.ACUTE.PANEL", "GBS.SECOND", "IGM.LONG", "TEN",
        "DM.LINE", "TX.INCOMPAT.PANEL", "CHILD.WEIGHT", "CRPS", "EPILEPSY", "URTICARIA",
        "PYODERMA", "DYSAUTONOMIA",
    }  # fmt: skip
    assert {pair.rule.split(":")[0].split(" ")[0].removeprefix("IG.") for pair in PAIRS} == rules


#: The worked results of the calculator at 2 g/kg with Robinson's ideal weight, in whole 5 g vials.
DOSES = [
    ("male", 180, 110, 175),  # ideal 73, corrected 87.8: plain ideal weight would give 145
    ("female", 160, 90, 135),  # ideal 54.36, corrected 68.616: plain ideal weight, 105
    ("female", 165, 60, 120),  # within 20% of ideal: the actual weight
]


@pytest.mark.parametrize("day", [BEFORE, AFTER])
@pytest.mark.parametrize(("sex", "height", "weight", "dose"), DOSES)
def test_the_largest_dose_is_the_calculators_and_one_vial_more_is_refused(
    day: dt.date, sex: Any, height: int, weight: int, dose: int
) -> None:
    version = LIBRARY.deciding("immunoglobulin-kawasaki", Kind.INITIATION, day)
    body = {
        "height_cm": {"value": height, "unit": "cm"},
        "weight_kg": {"value": weight, "unit": "kg"},
    }
    results = []
    for grams in (dose, dose + 5):
        raw = {**body, "dose_g": {"value": grams, "unit": "g"}}
        answers = parse_answers(version, Kind.INITIATION, raw, decision_to_treat=day, today=day)
        decision = decide(
            version, Kind.INITIATION, answers, Context(day, None, dt.date(1970, 5, 5), sex)
        )
        found = {each.criterion: each.result.value for each in decision.findings}
        results.append(found["KAW-8"])
    assert results == ["met", "not met"]


#: From 15 g on whole vials of 5 g, below it 5 g and 2 g: 0.2 g/kg and 0.15 g/kg of a man
#: of 110 kg (87.8 kg to dose by), and 0.6 g/kg a month, which is on the dosing weight too.
SMALL_DOSES = [
    ("varicella", "VAR-D2", "dose_g", 15, 16),
    ("measles-immunosuppressed", "MEA-D2", "dose_g", 13, 14),
    ("pid", "PID-6", "monthly_dose_g", 50, 55),
    ("thymoma", "THY-4", "monthly_dose_g", 50, 55),
]


@pytest.mark.parametrize("day", [BEFORE, AFTER])
@pytest.mark.parametrize(("policy", "criterion", "question", "dose", "more"), SMALL_DOSES)
def test_a_small_dose_is_built_from_vials_of_5_g_and_2_g(
    day: dt.date, policy: str, criterion: str, question: str, dose: int, more: int
) -> None:
    version = LIBRARY.deciding(f"immunoglobulin-{policy}", Kind.INITIATION, day)
    found = {}
    for grams in (dose, more):
        raw = {
            "height_cm": {"value": 180, "unit": "cm"},
            "weight_kg": {"value": 110, "unit": "kg"},
            question: {"value": grams, "unit": "g"},
        }
        answers = parse_answers(version, Kind.INITIATION, raw, decision_to_treat=day, today=day)
        context = Context(day, None, dt.date(1970, 5, 5), "male")
        for finding in decide(version, Kind.INITIATION, answers, context).findings:
            if finding.criterion.startswith(criterion):
                found[grams, finding.criterion] = finding.result.value
    assert (found[dose, criterion], found[more, criterion]) == ("met", "not met"), found


def test_one_outcome_measure_entered_twice_counts_once() -> None:
    once, twice = measures("mrc_sum", "onls", "grip"), measures("mrc_sum", "onls", "onls")
    for entered, expected in ((once, "met"), (twice, "not met")):
        version = LIBRARY.deciding("immunoglobulin-cidp-short", Kind.INITIATION, AFTER)
        answers = parse_answers(
            version,
            Kind.INITIATION,
            {"outcome_measures": entered},
            decision_to_treat=AFTER,
            today=AFTER,
        )
        decision = decide(version, Kind.INITIATION, answers, Context(AFTER))
        (found,) = (each for each in decision.findings if each.criterion == "CIDPS-4")
        assert found.result.value == expected


def _looked_at(part: Part) -> dict[str, Any]:
    found: dict[str, Any] = dict(part.looked_at)
    for below in part.parts:
        found |= _looked_at(below)
    return found


def test_the_finding_shows_the_working_of_the_dose() -> None:
    version = LIBRARY.deciding("immunoglobulin-itp", Kind.INITIATION, AFTER)
    raw = {
        "phase": "acute",
        "height_cm": {"value": 180, "unit": "cm"},
        "weight_kg": {"value": 110, "unit": "kg"},
        "dose_g": {"value": 90, "unit": "g"},
    }
    answers = parse_answers(version, Kind.INITIATION, raw, decision_to_treat=AFTER, today=AFTER)
    context = Context(AFTER, None, dt.date(1970, 5, 5), "male")
    decision = decide(version, Kind.INITIATION, answers, context)
    (finding,) = (each for each in decision.findings if each.criterion == "ITP-9")
    working = _looked_at(finding.part)
    assert finding.result.value == "not met"
    assert working["largest_dose"] == 85
    assert round(working["dose_per_kg"], 3) == Decimal("1.025")  # 90 over 87.8
    shown = readable(version)
    for formula in ("Ideal body weight of an adult (Robinson)", "Corrected body weight"):
        assert f"(formula: {formula}, 2026-11-22" in shown.replace("\\", "")
