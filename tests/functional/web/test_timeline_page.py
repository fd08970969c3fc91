"""The timeline's page: reached from the treatment and a search, and no identity for a payer."""

from tests.functional.web.conftest import Enter
from tests.functional.web.forms import ANSWERS, sent


def test_the_page_is_reached_and_tells_scores_and_steps(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, treatment = sent(person, ANSWERS)
    at = f"/treatments/{treatment}/timeline"
    assert f'href="{at}"' in person.get(f"/treatments/{treatment}").text

    shown = person.get(at)

    assert shown.status_code == 200
    assert "DAS28 before adalimumab" in shown.text
    assert f'href="/requests/{request}"' in shown.text
    assert "approved by the policy" in shown.text
    payer = enter("demq1-commissioner").get(at)
    assert payer.status_code == 200
    assert "Pseudonym" in payer.text
    assert "1970" not in payer.text
    assert "999 060 " not in payer.text
    assert enter("demo2-clinician").get(at).status_code == 404
