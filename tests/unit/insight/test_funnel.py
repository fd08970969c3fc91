"""The funnel against values worked out by hand from Spiegelhalter's formulas."""

import math

import pytest

from app.insight.funnel import Counted, funnel, quantile


def test_quantiles_are_rs_default() -> None:
    # R: quantile(c(1, 2, 4, 8), c(.1, .9)) is 1.3 and 6.8
    assert quantile([8, 1, 4, 2], 0.1) == pytest.approx(1.3)
    assert quantile([8, 1, 4, 2], 0.9) == pytest.approx(6.8)


def test_without_overdispersion_the_limits_are_those_of_the_arcsine_scale() -> None:
    made = funnel([Counted("A", 10, 100), Counted("B", 10, 100)])
    assert made is not None
    assert (made.average, made.tau2, made.dispersion) == (0.1, 0.0, 0.0)
    # asin √0.1 = 0.3217506; s = 0.05; ± 1.959964 s = 0.0979982 → sin² of 0.2237524 and 0.4197488
    limits = made.limits[0]
    assert limits.lower95 == pytest.approx(math.sin(0.3217506 - 0.0979982) ** 2, abs=1e-6)
    assert limits.upper95 == pytest.approx(0.166095, abs=2e-4)
    assert limits.lower998 < limits.lower95 < 0.1 < limits.upper95 < limits.upper998


def test_overdispersion_is_the_additive_model_of_dersimonian_and_laird() -> None:
    made = funnel([Counted("A", 20, 100), Counted("B", 50, 100), Counted("C", 80, 100)])
    assert made is not None
    # target asin √0.5 = π/4; z = ∓ 2 √100 × (π/4 − asin √0.2) = ∓ 6.4350111, winsorised to ∓ 5.1480
    z = 20 * (math.pi / 4 - math.asin(math.sqrt(0.2)))
    assert z == pytest.approx(6.4350111)
    phi = 2 * (0.8 * z) ** 2 / 3
    assert made.dispersion == pytest.approx(phi)
    assert made.tau2 == pytest.approx((3 * phi - 2) / (1200 - 3 * 400**2 / 1200))
    spread = math.sqrt(1 / 400 + made.tau2)
    assert made.limits[0].upper95 == pytest.approx(math.sin(math.pi / 4 + 1.959964 * spread) ** 2)


def test_limits_stay_between_nothing_and_everything() -> None:
    made = funnel([Counted("A", 0, 3), Counted("B", 1, 40)])
    assert made is not None
    for limits in made.limits:
        assert 0 <= limits.lower998 <= limits.upper998 <= 1


def test_providers_that_count_nothing_are_left_out() -> None:
    assert funnel([Counted("A", 0, 0)]) is None
    made = funnel([Counted("A", 0, 0), Counted("B", 1, 2)])
    assert made is not None
    assert [each.provider for each in made.counted] == ["B"]
    assert made.tau2 == 0
