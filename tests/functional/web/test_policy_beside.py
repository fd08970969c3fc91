"""The request beside the policy: the version that decided, its overlay, and each source."""

import datetime as dt
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.api.requests_model import RequestDocument
from app.web.decision import policy_link
from tests.functional.web.conftest import Enter
from tests.functional.web.forms import ANSWERS, sent
from tests.policies.library import packaged_library


def test_a_request_leads_to_the_version_that_decided_it_and_to_its_sources(enter: Enter) -> None:
    clinician = enter("demo1-clinician")
    request, _ = sent(clinician, ANSWERS)
    version = packaged_library().versions("adalimumab-ra-severe")[-1]
    (linked,) = [each for each in version.sources.values() if each.url]
    for who in ("demo1-clinician", "demq1-commissioner", "demo1-auditor"):
        person = enter(who)
        shown = person.get(f"/requests/{request}").text
        way = re.search(r'<a href="(/library/[^"]+)">Read the policy, version ([^<]+)<', shown)
        assert way is not None, who
        assert way.group(1) == f"/library/{version.policy}/{version.version}"
        assert person.get(way.group(1)).status_code == 200
        assert f'<a href="{linked.url}">NICE TA375' in shown
        # A source without an address is told of all the same.
        assert "screening before a biologic (Royal Surrey)" in shown
        assert shown.count(linked.url or "") >= 2, "at each criterion that comes from it"


@pytest.mark.parametrize("overlaid", [True, False])
def test_the_overlay_that_lay_on_the_version_is_named_and_shown(
    enter: Enter, overlaid: bool
) -> None:
    overlay = SimpleNamespace(commissioner="DEMQ1", from_=dt.date(2024, 1, 1), hash="h")
    version = packaged_library().versions("ixekizumab-psoriasis")[-1]
    policy: Any = SimpleNamespace(
        policy=version.policy, version=version.version, overlay=overlay if overlaid else None
    )
    link = policy_link(cast(RequestDocument, SimpleNamespace(policy=policy)))
    shown = enter("demo1-clinician").get(link.href)
    assert shown.status_code == 200
    assert ("overlay of DEMQ1 from 1 January 2024" in link.text) == overlaid
    assert link.href.endswith("?commissioner=DEMQ1") == overlaid
