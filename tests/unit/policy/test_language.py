"""What the criteria language refuses, and what it reads."""

import pytest

from app.policy import PolicyFileFaults
from app.policy.errors import ExpressionRefused
from app.policy.language import parse
from app.policy.nodes import render
from tests.unit.policy.makers import make_policy

REFUSED = [
    ("flag IN (SELECT flag FROM x)", "subquery"),
    ("EXISTS (SELECT 1)", "subquery"),
    ("score > ANY (1)", "subquery"),
    ("score > ALL (1)", "subquery"),
    ("route IN UNNEST(route)", "subquery"),
    ("COALESCE(flag, other)", "function"),
    ("ABS(score) > 1", "function"),
    ("__import__('os')", "function"),
    ("DATE('2024-01-01') < tested_on", "function"),
    ("TRUE(flag)", "function"),
    ("DAYS_BETWEEN > 3", "function"),
    ("CAST(score AS INT) = 1", "cast"),
    ("TRY_CAST(score AS INT) = 1", "cast"),
    ("score::int = 1", "cast"),
    ("score = 1 COLLATE x", "cast"),
    ("CASE WHEN flag THEN other END", "case"),
    ("route LIKE 'i%'", "pattern"),
    ("route ILIKE 'iv'", "pattern"),
    ("route SIMILAR TO 'iv'", "pattern"),
    ("score IS NULL", "null-test"),
    ("score IS NOT NULL", "null-test"),
    ("score NOTNULL", "null-test"),
    ("flag = NULL", "null-test"),
    ("score = ?", "placeholder"),
    ("score = $1", "placeholder"),
    ("score = @x", "placeholder"),
    ("score = :x", "cast"),
    ("flag -- always", "comment"),
    ("flag /* always */", "comment"),
    ("flag # always", "comment"),
    ("flag; other", "semicolon"),
    ('"flag"', "quoted-name"),
    ("`flag`", "quoted-name"),
    ("[flag]", "quoted-name"),
    ("x.flag", "dotted-name"),
    ("score BETWEEN SYMMETRIC 1 AND 2", "between-symmetric"),
    ("score < 1e999", "number"),
    ("score < 1_000", "number"),
    ("score < 0x10", "number"),
    ("score < 9999999999999999999", "number"),
    ("score < Infinity", "infinity"),
    ("score < nan", "infinity"),
    ("tested_on < CURRENT_DATE", "clock"),
    ("tested_on < CURRENT_TIMESTAMP", "clock"),
    ("tested_on < NOW()", "function"),
    ("YEAR(tested_on) = 2024", "date-parts"),
    ("MONTHS_BETWEEN(tested_on, first_dose) > 1", "date-parts"),
    ("DATEDIFF(tested_on, first_dose) > 1", "date-parts"),
    ("tested_on > decision_to_treat - INTERVAL '1' month", "interval"),
    ("score % 2 = 1", "character"),
    ("score || 'x'", "operator"),
    ("score & 1 = 1", "operator"),
    ("flag XOR other", "operator"),
    ("score DIV 2 = 1", "operator"),
    ("score == 1", "operator"),
    ("score != 1", "operator"),
    ("score <=> 1", "operator"),
    ("flag AS x", "operator"),
    ("score ~ 'x'", "character"),
    ("score > ٣", "character"),
    ("flág", "character"),
    ("flag\u00a0AND other", "character"),
    ("flag\\", "character"),
    ("route = 'it''s'", "unreadable"),
    ("route = 'iv", "text"),
    ("route = ''", "text"),
    ("route = 'a\nb'", "text"),
    ("route = 'iv' 'sc'", "unreadable"),
    ("route IN ()", "in"),
    ("score IN (age, 1)", "in"),
    ("score IN (1, 1)", "in"),
    ("score IN score", "construct"),
    ("tested_on > DATE '2023-02-29'", "date"),
    ("tested_on > DATE '2023-2-1'", "date"),
    ("tested_on > DATE '0001-01-01'", "date"),
    ("ADD_MONTHS(tested_on, age) > first_dose", "add-months"),
    ("ADD_MONTHS(tested_on, 1.5) > first_dose", "add-months"),
    ("ADD_MONTHS(tested_on, 99999) > first_dose", "add-months"),
    ("ADD_MONTHS(tested_on, 1, 2) > first_dose", "construct"),
    ("DAYS_BETWEEN(tested_on) > 1", "days-between"),
    ("DAYS_BETWEEN(tested_on, first_dose, first_dose) > 1", "days-between"),
    ("AT_LEAST(score, flag, other)", "at-least"),
    ("AT_LEAST(0, flag, other)", "at-least"),
    ("AT_LEAST(3, flag, other)", "at-least"),
    ("AT_LEAST(1, flag)", "at-least"),
    ("AT_LEAST()", "at-least"),
    ("AT_LEAST(1.5, flag, other)", "at-least"),
    ("AT_LEAST(2, DISTINCT flag, other)", "operator"),
    ("flag AND", "unreadable"),
    ("flag other", "unreadable"),
    ("AND", "unreadable"),
    ("flag, other", "unreadable"),
    ("(flag", "brackets"),
    ("flag)", "brackets"),
    (")(", "brackets"),
    ("   ", "empty"),
    ("(" * 2000 + "flag" + ")" * 2000, "too-long"),
    ("(" * 200 + "flag" + ")" * 200, "too-deep"),
    ("NOT " * 100 + "flag", "too-deep"),
    ("score = " + "- " * 100 + "1", "too-deep"),
    ("score " + "+ 1 " * 100 + "> 1", "too-deep"),
    ("flag OR " * 300 + "flag", "too-long"),
    ("f OR " * 260 + "f", "too-long"),
    ("score " + "= NOT score " * 30, "too-deep"),
]


@pytest.mark.parametrize(("expression", "code"), REFUSED)
def test_what_is_outside_the_language_is_refused_with_a_mend(expression, code):
    with pytest.raises(ExpressionRefused) as refused:
        parse(expression)
    complaint = refused.value.complaint
    assert complaint.code == code, complaint
    assert complaint.message
    assert complaint.mend


@pytest.mark.parametrize(("expression", "code"), [row for row in REFUSED if row[0].strip()])
def test_a_policy_with_a_refused_expression_names_the_criterion_and_the_line(expression, code):
    with pytest.raises(PolicyFileFaults) as refused:
        make_policy(start=["flag", {"id": "BAD-1", "met_when": expression}])
    fault = refused.value.faults[0]
    assert fault.criterion == "BAD-1"
    assert fault.line is not None
    assert fault.code in (code, "value")


READ = [
    ("flag", "flag"),
    ("  flag and\n not other ", "flag AND NOT other"),
    ("flag AND (other OR third)", "flag AND (other OR third)"),
    ("flag AND (other AND third)", "flag AND (other AND third)"),
    ("NOT (flag OR other)", "NOT (flag OR other)"),
    ("NOT NOT flag", "NOT (NOT flag)"),
    ("((score)) >= ((1.50))", "score >= 1.50"),
    ("score >= -1", "score >= -1"),
    ("-score >= - -1", "-score >= 1"),
    ("score - (dose - weight) > 1", "score - (dose - weight) > 1"),
    ("score * (1 + 2) / 3 > 1", "score * (1 + 2) / 3 > 1"),
    ("score - -1 > 1", "score - -1 > 1"),
    ("score NOT BETWEEN 1 AND 2 OR flag", "NOT score BETWEEN 1 AND 2 OR flag"),
    ("route not in ('iv','sc')", "route NOT IN ('iv', 'sc')"),
    ("on >= end AND date_ <= group", "on >= end AND date_ <= group"),
    ("tested_on = date '2024-02-29'", "tested_on = DATE '2024-02-29'"),
    ("add_months(tested_on, -12) < first_dose", "ADD_MONTHS(tested_on, -12) < first_dose"),
    ("at_least(2, a, NOT b, c > 1)", "AT_LEAST(2, a, NOT b, c > 1)"),
    ("days_between(a, b) >= 3", "DAYS_BETWEEN(a, b) >= 3"),
]


@pytest.mark.parametrize(("expression", "spelling"), READ)
def test_what_is_in_the_language_is_read_and_spelt_one_way(expression, spelling):
    tree = parse(expression)
    assert render(tree) == spelling
    assert parse(spelling) == tree
