"""Properties: nothing crashes the room, and generated code agrees with a naive interpreter."""

import json
from datetime import date
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.policy import (
    AnswerFaults,
    Context,
    Kind,
    Outcome,
    PolicyFileFaults,
    Result,
    decide,
    from_resolved,
    load_policy,
    parse_answers,
)
from app.policy.errors import ExpressionRefused
from app.policy.evaluate import evaluate
from app.policy.language import parse
from app.policy.model import Answer
from app.policy.nodes import render
from tests.unit.policy.kleene import text_of, truth
from tests.unit.policy.makers import BASE, make_policy, policy_data

often = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
seldom = settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))

# --- nothing crashes --------------------------------------------------------------------

WORDS = [
    *"()+-*/=<>,;.'\"?:@$[]{}|&%#~!\\ \n\0٣é",
    *BASE["questions"],
    *BASE["derive"],
    *("AND", "OR", "NOT", "IN", "BETWEEN", "TRUE", "FALSE", "DATE", "NULL", "IS", "LIKE", "CASE"),
    *("WHEN", "SELECT", "FROM", "CAST", "AS", "ADD_MONTHS", "DAYS_BETWEEN", "AT_LEAST"),
    *("COALESCE", "INTERVAL", "CURRENT_DATE", "SYMMETRIC", "<=", ">=", "<>", "!=", "==", "--"),
    *("/*", "*/", "::", "'iv'", "'2024-02-29'", "0", "1", "2", "-12", "1.5", "1e9", "9" * 12),
]
expression_like = st.one_of(
    st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
)
json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.dates()
    | st.text(max_size=10)
    | st.sampled_from(["iv", "6.4", "2026-01-01", "kg", "typed", "2024-02-30"]),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(
            st.sampled_from(["value", "unit", "measured_on", "origin", "on", "disabling"])
            | st.text(max_size=5),
            below,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def check_named(faults):
    """A refusal says what is wrong and how to mend it."""
    assert faults
    assert all(fault.message and fault.mend for fault in faults)


@often
@given(expression_like)
def test_no_text_crashes_the_parser(text):
    try:
        tree = parse(text)
    except ExpressionRefused as refused:
        check_named([refused.complaint])
    else:
        assert parse(render(tree)) == tree


@seldom
@given(expression_like, expression_like)
def test_no_expression_crashes_the_type_checker_or_the_compiler(test, where):
    derive = {**BASE["derive"], "extra": {"count": "relapses", "where": where}}
    try:
        version = make_policy(start=[test or "flag", "flag"], derive=derive)
    except PolicyFileFaults as refused:
        check_named(refused.faults)
    else:
        decision = decide(version, Kind.INITIATION, {}, Context(date(2026, 1, 1)))
        assert decision.outcome is Outcome.MORE_INFORMATION_NEEDED


@seldom
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                *"{}[]:,-&*!|>'\"#?\n ",
                "policy",
                "start",
                "questions",
                "- ",
                ": ",
                "\n  ",
                "null",
                "3",
                "<<",
                "---",
            ]
        ),
        max_size=60,
    ).map("".join)
)
def test_no_text_crashes_the_loader(text):
    for load in (lambda: load_policy(text, "a.yaml"), lambda: from_resolved(text)):
        try:
            load()
        except PolicyFileFaults as refused:
            check_named(refused.faults)


@seldom
@given(st.data())
def test_no_value_anywhere_in_a_file_crashes_the_loader(data):
    tree = json.loads(json.dumps(policy_data(start=["flag AND recent >= 2"])))
    holder, key = tree, data.draw(st.sampled_from(list(tree)))
    while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        key = data.draw(st.sampled_from(list(holder) if isinstance(holder, dict) else [0]))
    holder[key] = data.draw(json_like.filter(_is_json))
    try:
        load_policy(json.dumps(tree), "a.yaml")
    except PolicyFileFaults as refused:
        check_named(refused.faults)


def _is_json(value):
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


VERSION = make_policy(start=["flag AND score > 1 AND age > 1 AND tested_on < first_dose",
                             "route = 'iv' AND recent >= 1 AND dose_per_kg > 1"])  # fmt: skip


@often
@given(
    st.dictionaries(
        st.sampled_from([*BASE["questions"], "unknown"]) | st.text(max_size=5),
        json_like,
        max_size=6,
    )
)
def test_no_answers_crash_the_answers_parser_or_the_evaluator(raw):
    day = date(2026, 5, 31)
    try:
        answers = parse_answers(VERSION, Kind.INITIATION, raw, decision_to_treat=day, today=day)
    except AnswerFaults as refused:
        check_named(refused.faults)
    else:
        decide(VERSION, Kind.INITIATION, answers, Context(day))


# --- agreement with the naive interpreter -------------------------------------------------

FIELDS = {
    **{name: {"type": "boolean", "label": name} for name in "abc"},
    **{name: {"type": "number", "label": name} for name in "npq"},
    **{name: {"type": "date", "label": name} for name in "de"},
    "k": {"type": "choice", "label": "k", "options": {"x": "X", "y": "Y", "z": "Z"}},
    "rows": {
        "type": "list",
        "label": "rows",
        "of": {"on": {"type": "date", "label": "on"}, "hot": {"type": "boolean", "label": "hot"}},
    },
}
DERIVE = {
    "hots": {"count": "rows", "where": "hot AND on >= ADD_MONTHS(decision_to_treat, -12)"},
    "late": {"count": "rows", "where": "on > d OR hot"},
}
signs = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
literals = st.sampled_from(["0", "1", "2.5", "-3", "0.1"]).map(lambda text: ("literal", text))
numbers = st.sampled_from("npq").map(lambda name: ("number", name))
sums = st.recursive(
    numbers,
    lambda below: st.tuples(st.just("arithmetic"), st.sampled_from("+-*/"), numbers, below),
    max_leaves=3,
)
leaves = st.one_of(
    st.sampled_from("abc").map(lambda name: ("flag", name)),
    st.tuples(st.just("compare"), signs, sums, literals),
    st.tuples(st.just("compare"), signs, sums, sums).filter(lambda e: e[2] != e[3]),
    st.tuples(st.just("between"), numbers, numbers, numbers),
    st.tuples(st.just("choice"), st.just("k"), st.sampled_from([("x",), ("x", "z")])),
    st.tuples(st.just("window"), st.sampled_from("de"), signs, st.integers(-13, 3)),
    st.tuples(st.just("days"), st.just("d"), st.just("e"), signs, st.integers(-40, 40)),
    st.tuples(st.just("count"), st.sampled_from(["hots", "late"]), signs, st.integers(0, 3)),
)


def joined(below):
    parts = st.lists(below, min_size=2, max_size=4, unique_by=text_of).map(tuple)
    return st.one_of(
        below.map(lambda part: ("not", part)),
        st.tuples(st.sampled_from(["and", "or"]), parts),
        parts.flatmap(
            lambda found: st.tuples(st.just("at least"), st.integers(1, len(found)), st.just(found))
        ),
    )


expressions = st.recursive(leaves, joined, max_leaves=8)
days = st.sampled_from(
    [date(2024, 2, 29), date(2025, 5, 30), date(2025, 5, 31), date(2026, 2, 28), date(2026, 5, 31)]
)
decimals = st.sampled_from([Decimal(text) for text in ("0", "1", "2.5", "-3", "0.1", "7")])
maybe = st.none() | st.booleans()
rows = st.lists(
    st.fixed_dictionaries({"hot": maybe}, optional={"on": st.none() | days}), max_size=4
)
forms = st.fixed_dictionaries(
    {
        **{name: maybe for name in "abc"},
        **{name: st.none() | decimals for name in "npq"},
        **{name: st.none() | days for name in "de"},
        "k": st.none() | st.sampled_from("xyz"),
        "rows": st.none() | rows.map(tuple),
        "decision_to_treat": st.sampled_from([date(2026, 5, 31), date(2024, 2, 29)]),
    }
)


@settings(parent=often, max_examples=250)
@given(expressions, st.lists(forms, min_size=8, max_size=8))
def test_generated_code_agrees_with_a_naive_kleene_interpreter(expression, some_forms):
    version = make_policy(questions=FIELDS, derive=DERIVE, start=[text_of(expression)])
    for form in some_forms:
        raw = evaluate(version.compiled.sections["start"], form)
        assert raw[0] is truth(expression, form), text_of(expression)


@settings(parent=seldom)
@given(expressions, forms)
def test_answering_the_questions_that_are_named_decides_the_criterion(expression, form):
    version = make_policy(questions=FIELDS, derive=DERIVE, start=[text_of(expression)])
    context = Context(form["decision_to_treat"])
    answers = {name: Answer(form[name]) for name in FIELDS if form[name] is not None}
    decision = decide(version, Kind.INITIATION, answers, context)
    finding = decision.findings[0]
    assert (finding.result is Result.NOT_ANSWERED) == bool(decision.missing)
    for _ in range(3):  # an answer may turn out to be a divisor's zero, which is then asked again
        for name in decision.missing:
            answers[name] = Answer(_any_answer(name, form))
        decision = decide(version, Kind.INITIATION, answers, context)
    # A divisor that is zero whatever is answered, like n - n, is said to be so for ever.
    if not any("is zero" in reason for reason in decision.reasons):
        assert decision.findings[0].result is not Result.NOT_ANSWERED


def _any_answer(name, form):
    if name in "abc":
        return True
    if name in "npq":
        return Decimal({"n": "3.7", "p": "5.3", "q": "11.9"}[name])
    if name in "de":
        return date(2025, 6, 1)
    if name == "k":
        return "x"
    filler = {"hot": True, "on": date(2026, 1, 1)}
    return tuple(
        {**filler, **{key: value for key, value in row.items() if value is not None}}
        for row in form["rows"] or ()
    )
