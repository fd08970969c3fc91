"""The reports of requests on pages: overrides, products, and answers changed after a refusal."""

import datetime as dt
import html
import re
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from app.approvals.best_value import ProductChoice
from app.approvals.reporting import OverrideRate
from app.clock import now
from app.db.tables import audit_event, audit_payload
from app.db.transaction import Database
from app.db.work import Moment
from app.policy import Criterion, Section
from app.reference_data.drugs import load_drugs
from app.web.reporting.requests_view import (
    choices_in_order,
    override_row,
    overrides_in_order,
    product_row,
)
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import sent
from tests.functional.web.test_correcting import HIDDEN, LOW, SCORE, WHY
from tests.functional.web.test_report_pages import days
from tests.policies.library import packaged_library

AT = "/reports"
OVERRIDES, BEST, CHANGED = f"{AT}/overrides", f"{AT}/best-value", f"{AT}/changed-answers"
READERS = ("demo1-clinician", "demo1-pharmacist", "demo1-auditor", "demq1-commissioner")


def text_of(person: Person, path: str) -> str:
    """What a page's main part says, without its marks."""
    reply = person.get(path)
    assert reply.status_code == 200, reply.text
    main = reply.text.partition('id="maincontent"')[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", main)).split())


def corrected(enter: Enter) -> tuple[str, str]:
    """A refused request whose failed answer was corrected until it passed, and its treatment."""
    doctor = enter("demo1-clinician")
    request, treatment = sent(doctor, LOW)
    at = f"/requests/{request}"
    page = doctor.send(
        f"{at}/correct?question=das28_at_start", f"{at}/correct", **SCORE, reason=WHY
    )
    fields = {k: html.unescape(v) for k, v in HIDDEN.findall(page.text.split("data-once")[1])}
    assert doctor.http.post(f"{at}/correct/confirm", data=fields).status_code == 303
    return request, treatment


@pytest.mark.parametrize("who", READERS)
def test_each_reader_finds_the_reports_of_their_role(enter: Enter, who: str) -> None:
    reader = enter(who)
    assert f'href="{AT}"' in reader.get("/").text
    shown = reader.get(AT).text
    for path in (OVERRIDES, BEST, CHANGED):
        assert f'href="{path}"' in shown
        assert reader.get(path).status_code == 200
    glass = "auditor" in who
    assert (f'href="{AT}/break-glass">Records' in shown) is glass
    payers = who == "demq1-commissioner"
    assert (f'href="{AT}/identifier-access">Identities' in shown) is (payers or glass)


@pytest.mark.parametrize("who", ["demo1-delegate", "demp1-panel-member", "demo1-administrator"])
def test_others_read_none_of_them(enter: Enter, who: str) -> None:
    for path in (AT, OVERRIDES, BEST, CHANGED):
        assert enter(who).get(path).status_code == 403


def test_changed_answers_name_the_request_and_what_changed_and_no_answer(
    enter: Enter, database: Database, moment: Moment
) -> None:
    request, treatment = corrected(enter)
    for who in READERS:
        reader = enter(who)
        shown = text_of(reader, CHANGED)
        assert "DAS28" in shown, who
        assert "Approved" in shown, who
        for answer in ("4.0", "6.2", "H0", "999 "):
            assert answer not in shown, (who, answer)
        assert f'href="/requests/{request}"' in reader.get(CHANGED).text
    for who in ("demo2-clinician", "demo2-auditor", "demq2-commissioner"):
        assert "No answer changed after a refusal" in text_of(enter(who), CHANGED), who
    query = (
        sa.select(audit_payload.c.body)
        .join(audit_event, audit_event.c.payload_id == audit_payload.c.id)
        .where(audit_event.c.action == "changed answers reported")
    )
    told = database.read(lambda work: list(work.connection.scalars(query)), moment=moment)
    assert len(told) == 2 * len(READERS), "each reading is on record, and none that named nobody"
    assert all(treatment in str(body) for body in told)
    trail = enter("demo1-auditor").get(f"/audit/treatments/{treatment}").text
    assert "hanged answers reported" in trail, "and stands on the treatment's trail"


def test_overrides_read_as_criteria_and_reasons_those_most_relied_on_first() -> None:
    policy, criterion = "adalimumab-crohns-severe", overridable("adalimumab-crohns-severe")
    rate = OverrideRate(policy, criterion.id, "DEMO1", None, 20, 3, 2, Decimal("10.0"))
    ordered = overrides_in_order(
        [
            replace(rate, requests=9, overridden=0, relied_on=0, rate=None),
            replace(rate, reason="stoma", overridden=1, relied_on=1),
            rate,
        ]
    )
    first, second, third = (override_row(each, packaged_library()) for each in ordered)
    assert (first.reason, first.relied_on, first.rate) == ("All reasons", 2, "10.0%")
    assert (first.criterion, first.text) == (criterion.id, criterion.text)
    assert first.provider.endswith("(DEMO1)")
    assert second.reason == "Stoma"
    assert third.rate == "Too few", "no rate over few requests"


def test_products_that_were_not_asked_for_first_come_first_with_the_policys_words() -> None:
    drug = load_drugs().drugs["etanercept"]
    named = {each.key: each.name for each in drug.products}
    first, other = sorted(named)[:2]
    asked = ProductChoice("etanercept-ra-severe", "DEMO1", first, True, (first,), None, None, 7, 6)
    found = [
        asked,
        replace(asked, product=other, best_value=False, reason="r", said="Said so.", requests=2),
        replace(asked, product=None, best_value=False, requests=1),
    ]
    rows = [product_row(each, packaged_library()) for each in choices_in_order(found)]
    not_first, none, best = rows
    assert (not_first.product, not_first.first) == (named[other], named[first])
    assert (not_first.reason, not_first.requests) == ("Said so.", 2)
    assert (none.product, none.reason) == ("None named", "None given")
    assert (best.first, best.reason) == ("This one", "")


def overridable(policy: str) -> Criterion:
    version = packaged_library().versions(policy)[-1]
    return next(each for each in version.criteria(Section.START) if each.override is not None)


@pytest.mark.parametrize("path", [OVERRIDES, BEST, CHANGED])
def test_each_is_of_the_days_that_are_chosen(enter: Enter, path: str) -> None:
    reader, today, week = enter("demo1-auditor"), now().date(), dt.timedelta(7)
    corrected(enter)
    before = text_of(reader, path + days(today - 2 * week, today - week))
    assert "No " in before
    assert "(DEMO1)" not in before
    for wrong in (days(today, today - week), "?from-day=31&from-month=2&from-year=2026"):
        reply = reader.get(path + wrong)
        assert reply.status_code == 422
        assert "There is a problem" in reply.text
