"""The approval terms of a policy file: what they mean, what is nonsense, how they read."""

from datetime import date
from decimal import Decimal

import pytest

from app.policy import MaxDose, PolicyFileFaults, Span, load_policy, readable
from tests.unit.policy.makers import policy_text

CITED = {"source": "src", "evidence": "verified"}
TERMS = {"pattern": "rolling", "lasts": {"months": 4}, **CITED}
DOSE = {"amount": "40", "unit": "mg", "per": "2 weeks"}
HIGHER = {"amount": "80", "unit": "mg", "per": "2 weeks"}
PHASES = [
    {"name": "loading", "lasts": {"weeks": 12}, "max_dose": HIGHER},
    {"name": "maintenance", "max_dose": DOSE},
]
ESCALATION = {
    "name": "temporary escalation",
    "max_dose": HIGHER,
    "lasts": {"weeks": 8},
    "grounds": {"lost": "The response was lost"},
    **CITED,
}
COURSES = [
    {"name": "first", "lasts": {"days": 60}},
    {"name": "second", "lasts": {"days": 60}, "after": {"months": 10}, "within": {"months": 18}},
]
BARRED = {"drugs": ["b-drug"], "overlap": {"days": 14}, "reason": "No trial of both.", **CITED}
BEST = {
    "products": [{"product": "brand-one", "from": "2026-01-01", "until": "2026-12-31"}],
    "reasons": {"intolerance": "An excipient is not tolerated"},
    **CITED,
}
DRUGS = {"a-drug": frozenset({"brand-one", "brand-two"}), "b-drug": frozenset()}


def loaded(language: int = 2, head: dict | None = None, **terms: object):
    text = policy_text(
        language=language, approval={**TERMS, **terms}, start=["flag"], **(head or {})
    )
    return load_policy(text, "a.yaml", DRUGS)


def test_every_term_is_read() -> None:
    terms = loaded(
        then_lasts={"months": 12},
        max_dose=DOSE,
        phases=PHASES,
        escalations=[ESCALATION],
        barred_with=[BARRED],
        supersedes=["another"],
        max_supply={"days": 31},
        best_value=BEST,
        conversion={"judged_on": "pre_treatment_baseline", **CITED},
    ).approval
    assert (terms.lasts, terms.then_lasts) == (Span(months=4), Span(months=12))
    assert [phase.lasts for phase in terms.phases] == [Span(days=84), None]
    assert terms.phases[0].max_dose == MaxDose(Decimal(80), "mg", "2 weeks")
    assert terms.escalations[0].lasts == Span(days=56)
    assert terms.barred_with[0].drugs == ("b-drug",)
    assert terms.barred_with[0].overlap_days == 14
    assert (terms.supersedes, terms.max_supply_days) == (("another",), 31)
    assert terms.best_value is not None
    assert terms.conversion is not None
    assert terms.best_value.on(date(2026, 12, 31)) == ("brand-one",)
    assert terms.best_value.on(date(2027, 1, 1)) == ()
    assert terms.conversion.judged_on == "pre_treatment_baseline"


def test_courses_and_doses_are_read() -> None:
    courses = loaded(pattern="fixed course", courses=COURSES).approval.courses
    assert [course.after for course in courses] == [None, Span(months=10)]
    assert loaded(pattern="episode", doses=5).approval.doses == 5


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"lasts": None, "pattern": "episode", "then_lasts": {"months": 12}}, "then-lasts"),
        ({"pattern": "fixed course", "then_lasts": {"months": 12}}, "then-lasts"),
        ({"doses": 3}, "doses"),
        ({"phases": [PHASES[1], PHASES[0]]}, "phases"),  # the first would overlap the second
        ({"phases": [PHASES[0], {**PHASES[1], "name": "loading"}]}, "phases"),
        ({"escalations": [ESCALATION]}, "escalation"),  # above no limit
        ({"max_dose": HIGHER, "escalations": [ESCALATION]}, "escalation"),  # not above it
        ({"courses": COURSES}, "courses"),  # not a fixed course
        ({"pattern": "fixed course", "courses": COURSES[::-1]}, "courses"),
        (
            {
                "pattern": "fixed course",
                "courses": [COURSES[0], {**COURSES[1], "within": {"days": 9}}],
            },
            "courses",
        ),
        ({"pattern": "fixed course", "lasts": None, "courses": [{"name": "only"}]}, "courses"),
        ({"supersedes": ["a-policy"]}, "policy"),
        ({"barred_with": [{**BARRED, "drugs": ["no-drug"]}]}, "drug"),
        ({"barred_with": [{**BARRED, "drugs": ["a-drug"]}]}, "drug"),
        ({"barred_with": [{**BARRED, "source": "nowhere"}]}, "source"),
        ({"best_value": {**BEST, "products": [{"product": "x", "from": "2026-01-01"}]}}, "product"),
        (
            {
                "best_value": {
                    **BEST,
                    "products": [
                        {"product": "brand-one", "from": "2026-02-01", "until": "2026-01-01"}
                    ],
                }
            },
            "dates",
        ),
        ({"lasts": {"weeks": 12, "months": 3}}, "value"),
        ({"phases": PHASES[:1]}, "value"),
    ],
)
def test_terms_that_make_no_sense_are_faults(terms: dict, code: str) -> None:
    with pytest.raises(PolicyFileFaults) as refused:
        loaded(**terms)
    assert code in {fault.code for fault in refused.value.faults}
    assert all(fault.mend for fault in refused.value.faults)


@pytest.mark.parametrize(
    "changes",
    [
        {"then_lasts": {"months": 12}},
        {"lasts": {"weeks": 12}},
        {"max_supply": {"days": 31}},
        {"head": {"succeeds": ["another"]}},
        {"head": {"in_force": {"from": "2026-01-01", "afterwards": "Ask."}}},
    ],
)
def test_a_file_that_uses_a_newer_term_says_its_language(changes: dict) -> None:
    assert loaded(**changes).language == 2
    with pytest.raises(PolicyFileFaults) as refused:
        loaded(language=1, **changes)
    assert [fault.code for fault in refused.value.faults] == ["language"]


def test_an_unverified_part_of_the_terms_makes_the_version_unverified() -> None:
    assert not loaded(barred_with=[BARRED]).unverified
    assert loaded(barred_with=[{**BARRED, "evidence": "unverified"}]).unverified
    assert loaded(max_dose=DOSE, escalations=[{**ESCALATION, "evidence": "unverified"}]).unverified


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"then_lasts": {"months": 12}}, "The first approval lasts 4 months"),
        ({"then_lasts": {"months": 12}}, "A continuation lasts 12 months"),
        ({"phases": PHASES}, "Phase loading: for 12 weeks, at most 80 mg per 2 weeks"),
        ({"phases": PHASES}, "Phase maintenance: from then on, at most 40 mg per 2 weeks"),
        ({"max_dose": DOSE, "escalations": [ESCALATION]}, "for at most 8 weeks, then the former"),
        ({"max_dose": DOSE, "escalations": [ESCALATION]}, "`lost`: The response was lost"),
        (
            {"pattern": "fixed course", "courses": COURSES},
            "begins no sooner than 10 months after the course before",
        ),
        ({"pattern": "episode", "doses": 5}, "at most 5 doses; a new episode needs a new request"),
        ({"barred_with": [BARRED]}, "Not funded together with b-drug; when switching, 14 days"),
        ({"max_supply": {"days": 31}}, "At most 31 days are supplied at a time"),
        ({"best_value": BEST}, "Use first, from 1 January 2026 until 31 December 2026: brand-one"),
        (
            {"conversion": {"judged_on": "pre_treatment_baseline", **CITED}},
            "begun outside NHS funding is judged as the patient was before it began",
        ),
    ],
)
def test_the_terms_read_as_plain_text(terms: dict, words: str) -> None:
    assert words in readable(loaded(**terms))
