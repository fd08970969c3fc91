"""The answers that invented forms give, by illness: to the packaged policies' questions."""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from app.approvals.coverage import add_months
from app.demonstration.chance import Chance
from app.demonstration.clinic import Course, Illness

Answers = dict[str, Any]

#: The question that an incomplete first form leaves open.
LEFT_OPEN: Final[Mapping[Illness, str]] = {
    Illness.RA: "das28_at_start",
    Illness.RRMS: "edss",
    Illness.PBC: "child_pugh",
    Illness.ITP: "weight_kg",
}
#: The question that an incomplete continuation leaves open.
REVIEW_LEFT_OPEN: Final[Mapping[Illness, str]] = {
    Illness.RA: "das28_now",
    Illness.RRMS: "edss",
    Illness.PBC: "clinical_benefit",
    Illness.ITP: "platelets",
}


def first_form(course: Course, draw: Chance) -> Answers:
    """Answers that meet every criterion that does not need people."""
    return _FIRST[course.illness](course, draw)


def failing(course: Course, answers: Answers) -> Answers:
    """The answers, with one that the policy does not fund."""
    changed: dict[Illness, Answers] = {
        Illness.RA: {"das28_at_start": "4.80"},
        Illness.RRMS: {"mri_baseline_activity": False},
        Illness.PBC: {"udca_status": "adequate"},
        Illness.ITP: {"moderate_bleed_at_risk": False},
    }
    return {**answers, **changed[course.illness]}


def for_people(course: Course, answers: Answers) -> Answers:
    """The answers, with one on which people have to decide."""
    changed: dict[Illness, Answers] = {
        Illness.RA: {"least_expensive": False, "other_product_reason": "no_reason"},
        Illness.PBC: {},  # every new start is referred
        Illness.ITP: {"phase": "maintenance", "bleeding_refractory": True, "courses_given": 2},
    }
    return {**answers, **changed[course.illness]}


def review(course: Course, on: dt.date, draw: Chance) -> Answers:
    """A continuation's answers, on a day, by how the patient responds."""
    return _REVIEW[course.illness](course, on, draw)


def _mg(amount: Decimal) -> Answers:
    return {"value": str(amount), "unit": "mg"}


def _days(days: int) -> Answers:
    return {"value": days, "unit": "days"}


# --- rheumatoid arthritis -----------------------------------------------------------------------


def _das28_before(course: Course) -> Decimal:
    """The patient's DAS28 before treatment, 5.20 to 7.40."""
    return Decimal(520 + course.number * 37 % 220) / 100


def _ra_first(course: Course, draw: Chance) -> Answers:
    return {
        "ra_diagnosis": True,
        "das28_at_start": {"value": str(_das28_before(course))},
        "csdmards": [
            {"drug": "methotrexate", "in_combination": True, "responded": False},
            {"drug": "other", "in_combination": True, "responded": False},
        ],
        "with_methotrexate": draw.below(0.8),
        "methotrexate_unsuitable": True,
        "least_expensive": True,
        "screened": True,
        "active_infection": False,
        "dose_mg": _mg(course.amount),
        "dose_interval_days": _days(course.every_days),
    }


def _ra_review(course: Course, _on: dt.date, draw: Chance) -> Answers:
    responding = Decimal(draw.between(240, 380)) / 100
    now = responding if course.responds else _das28_before(course) - Decimal("0.4")
    return {
        "das28_now": str(now),
        "with_methotrexate": True,
        "dose_mg": _mg(course.amount),
        "dose_interval_days": _days(course.every_days),
        "active_infection": False,
        "intolerable_effects": False,
    }


# --- multiple sclerosis -------------------------------------------------------------------------


def _ms_first(course: Course, draw: Chance) -> Answers:
    decided = course.decided_on
    return {
        "ms_course": "rrms",
        "specialist_diagnosis": True,
        "relapses": [
            {"began_on": _iso(decided, -draw.between(190, 330)), "disabling": True},
            {"began_on": _iso(decided, -draw.between(30, 150)), "disabling": True},
        ],
        "mri_baseline_activity": True,
        "edss": {"value": draw.one_of(("2.0", "2.5", "3.0", "3.5", "4.0", "5.0"))},
        "mdt_neurologist": True,
        "mdt_nurse": True,
        "other_dmt": False,
        "contraindicated": False,
        "dose_mg": _mg(course.amount),
        "dose_interval_days": _days(course.every_days),
    }


def _ms_review(course: Course, on: dt.date, draw: Chance) -> Answers:
    positive = draw.below(0.25)
    return {
        "last_review_on": _iso(on, -draw.between(3, 40)),
        "edss": {"value": draw.one_of(("2.0", "2.5", "3.0", "3.5", "4.0"))},
        "relapses": [],
        "jcv_antibody": "positive" if positive else "negative",
        "prior_immunosuppressant": False,
        "benefit_outweighs_pml_risk": draw.below(0.6) if positive else True,
        "other_dmt": False,
        "dose_mg": _mg(course.amount),
        "dose_interval_days": _days(course.every_days),
        "relapses_fewer": True,
        "relapses_milder": True,
        "intolerable_effects": False,
        "unable_to_walk_due_to_ms": False,
        "spms_confirmed": False,
    }


# --- primary biliary cholangitis ----------------------------------------------------------------


def _pbc_first(course: Course, draw: Chance) -> Answers:
    decided = course.decided_on
    return {
        "pbc_diagnosis": True,
        "udca_status": "inadequate",
        "udca_started_on": add_months(decided, -draw.between(14, 60)).isoformat(),
        "udca_dose_mg": _mg(Decimal(course.weight_kg * 15 // 50 * 50)),
        "weight_kg": {"value": course.weight_kg, "unit": "kg"},
        "alp_at_start": {"value": draw.between(230, 480), "unit": "U/L"},
        "alp_upper_limit": {"value": 120, "unit": "U/L"},
        "bilirubin": {"value": draw.between(8, 18), "unit": "umol/L"},
        "bilirubin_upper_limit": {"value": 21, "unit": "umol/L"},
        "mdt_delegated": True,
        "mdt_on": _iso(decided, -draw.between(2, 20)),
        "mdt_meets_monthly": True,
        "service_24_7": True,
        "hepatologists_wte": "3.0",
        "centre_registry": True,
        "child_pugh": "none",
        "ever_decompensated": False,
        "portal_hypertension": False,
        "biliary_obstruction": False,
        "dose_mg": _mg(course.amount),
    }


def _pbc_review(course: Course, on: dt.date, draw: Chance) -> Answers:
    raised = course.change is not None and course.change.day <= on
    return {
        "clinical_benefit": True,
        "alp_now": {"value": draw.between(110, 185), "unit": "U/L"},
        "alp_upper_limit": {"value": 120, "unit": "U/L"},
        "bilirubin": {"value": draw.between(8, 18), "unit": "umol/L"},
        "bilirubin_upper_limit": {"value": 21, "unit": "umol/L"},
        "dose_mg": _mg(Decimal(10) if raised else course.amount),
        "tolerated": True,
        "response_insufficient": raised,
        "child_pugh": "none",
        "ever_decompensated": False,
        "biliary_obstruction": False,
    }


# --- immune thrombocytopenia --------------------------------------------------------------------


def _itp_first(course: Course, draw: Chance) -> Answers:
    return {
        "phase": "acute",
        "life_threatening_bleed": False,
        "urgent_rise_needed": False,
        "bleeding_refractory": False,
        "moderate_bleed_at_risk": True,
        "platelets": {"value": draw.between(2, 19), "unit": "10*9/L"},
        "height_cm": {"value": course.height_cm, "unit": "cm"},
        "weight_kg": {"value": course.weight_kg, "unit": "kg"},
        "dose_g": {"value": str(course.amount), "unit": "g"},
    }


def _itp_review(course: Course, _on: dt.date, draw: Chance) -> Answers:
    return {
        "phase": "acute",
        "platelets": {"value": draw.between(9, 24), "unit": "10*9/L"},
        "height_cm": {"value": course.height_cm, "unit": "cm"},
        "weight_kg": {"value": course.weight_kg, "unit": "kg"},
        "dose_g": {"value": str(course.amount), "unit": "g"},
        "repeat_day": course.repeats[0],
        "doses_given": 1,
        "severe_bleed": False,
        "haemostatic_count_reached": False,
        "bleeding_resolved": False,
        "serious_complication": False,
    }


def _iso(day: dt.date, days: int) -> str:
    return (day + dt.timedelta(days=days)).isoformat()


_FIRST: Final[Mapping[Illness, Callable[[Course, Chance], Answers]]] = {
    Illness.RA: _ra_first,
    Illness.RRMS: _ms_first,
    Illness.PBC: _pbc_first,
    Illness.ITP: _itp_first,
}
_REVIEW: Final[Mapping[Illness, Callable[[Course, dt.date, Chance], Answers]]] = {
    Illness.RA: _ra_review,
    Illness.RRMS: _ms_review,
    Illness.PBC: _pbc_review,
    Illness.ITP: _itp_review,
}
POLICIES: Final[Mapping[Illness, str]] = {
    Illness.RA: "adalimumab-ra-severe",
    Illness.RRMS: "natalizumab-rrms-res",
    Illness.PBC: "obeticholic-acid-pbc",
    Illness.ITP: "immunoglobulin-itp",
}
