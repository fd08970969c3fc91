"""The yardstick: the benchmark's fifteen criteria, written by hand with Kleene's logic.

It returns what the generated function returns, value for value: the fifteen results, then the
result of every part and every value looked at, in the order of the findings. It is written the
way a careful programmer would write it for speed: locals, no calls that can be avoided.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.policy.calendar import add_months

DISEASES = frozenset({"a", "b", "d"})
ROUTES = frozenset({"iv", "sc"})
EDSS_MOST = Decimal("6.5")
HIGH_SCORE = Decimal("5.1")
RESPONSE = Decimal("1.2")
MG_PER_KG = Decimal("8.5")
ALT_LIMIT = Decimal("3")
LYMPHOCYTES_LEAST = Decimal("0.5")
DISABILITY_LEAST = Decimal("2")
DISABILITY_MOST = Decimal("4.5")


def by_hand(form: Mapping[str, Any]) -> tuple[Any, ...]:
    """Decide the fifteen criteria for one form; None is "not answered"."""
    answer = form.get
    today = answer("decision_to_treat")

    confirmed = answer("diagnosis_confirmed")
    centre = answer("specialist_centre")
    b1 = (
        False
        if confirmed is False or centre is False
        else None
        if confirmed is None or centre is None
        else True
    )

    age = answer("age")
    b2 = None if age is None else age >= 18

    disease = answer("disease")
    b3 = None if disease is None else disease in DISEASES

    pregnant = answer("pregnant")
    not_pregnant = None if pregnant is None else not pregnant
    counselled = answer("counselled")
    b4 = (
        True
        if not_pregnant or counselled
        else None
        if not_pregnant is None or counselled is None
        else False
    )

    infection = answer("active_infection")
    no_infection = None if infection is None else not infection
    screened = answer("hepatitis_screened")
    b5 = (
        False
        if no_infection is False or screened is False
        else None
        if no_infection is None or screened is None
        else True
    )

    tb = answer("tb_test_on")
    if tb is None:
        tb_late_enough = tb_past = b6 = None
    else:
        tb_late_enough = tb >= add_months(today, -12)
        tb_past = tb <= today
        b6 = tb_late_enough and tb_past

    activity = answer("mri_activity")
    mri = answer("mri_on")
    recent = None if mri is None else add_months(today, -6) <= mri <= today
    b7 = (
        False
        if activity is False or recent is False
        else None
        if activity is None or recent is None
        else True
    )

    edss = answer("edss")
    b8 = None if edss is None else edss <= EDSS_MOST

    first = answer("das28_first")
    first_high = None if first is None else first > HIGH_SCORE
    second = answer("das28_second")
    second_high = None if second is None else second > HIGH_SCORE
    first_on = answer("first_score_on")
    second_on = answer("second_score_on")
    apart = None if first_on is None or second_on is None else (second_on - first_on).days >= 28
    b9 = (
        False
        if first_high is False or second_high is False or apart is False
        else None
        if first_high is None or second_high is None or apart is None
        else True
    )

    b10 = None if first is None or second is None else first - second <= RESPONSE

    failed = answer("failed_drugs")
    two_failed = None if failed is None else failed >= 2
    intolerant = answer("intolerant")
    contraindicated = answer("contraindicated")
    joints = answer("joints")
    six_joints = None if joints is None else joints >= 6
    sure = maybe = 0
    for part in (two_failed, intolerant, contraindicated, six_joints):
        if part:
            sure += 1
        elif part is None:
            maybe += 1
    b11 = True if sure >= 2 else None if sure + maybe >= 2 else False

    dose = answer("dose_mg")
    weight = answer("weight_kg")
    most = None if weight is None else weight * MG_PER_KG
    dose_fits = None if dose is None or most is None else dose <= most
    route = answer("route")
    route_fits = None if route is None else route in ROUTES
    b12 = (
        False
        if dose_fits is False or route_fits is False
        else None
        if dose_fits is None or route_fits is None
        else True
    )

    other = answer("other_biologic")
    no_other = None if other is None else not other
    stopped = answer("washout_from")
    washed_out = None if stopped is None else (today - stopped).days >= 56
    b13 = (
        True
        if no_other or washed_out
        else None
        if no_other is None or washed_out is None
        else False
    )

    alt = answer("alt")
    alt_fits = None if alt is None else alt < ALT_LIMIT
    lymphocytes = answer("lymphocytes")
    lymphocytes_fit = None if lymphocytes is None else lymphocytes >= LYMPHOCYTES_LEAST
    b14 = (
        False
        if alt_fits is False or lymphocytes_fit is False
        else None
        if alt_fits is None or lymphocytes_fit is None
        else True
    )

    relapse = answer("relapse_on")
    relapsed = None if relapse is None else relapse >= add_months(today, -24)
    disabled = None if edss is None else DISABILITY_LEAST <= edss <= DISABILITY_MOST
    b15 = True if relapsed or disabled else None if relapsed is None or disabled is None else False

    # fmt: off
    return (
        b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15,
        confirmed, centre, age, disease, not_pregnant, pregnant, counselled,
        no_infection, infection, screened, tb_late_enough, tb, today, tb_past,
        activity, recent, mri, edss, first_high, first, second_high, second,
        apart, first_on, second_on, two_failed, failed, intolerant, contraindicated,
        six_joints, joints, dose_fits, dose, most, weight, route_fits, route,
        no_other, other, washed_out, stopped, alt_fits, alt, lymphocytes_fit, lymphocytes,
        relapsed, relapse, disabled,
    )
    # fmt: on
