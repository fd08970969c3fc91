"""The reports of requests, found from the menu by who may read them."""

from tests.browser.journeys.model import Ground, Journey

CLINICIAN, PAYER = "demo1-clinician", "demq1-commissioner"
_REPORTS = (
    ("Overrides", "/reports/overrides"),
    ("Products not chosen for best value", "/reports/best-value"),
    ("Answers changed after a refusal", "/reports/changed-answers"),
)


def _reports(ground: Ground) -> None:
    for who in (CLINICIAN, PAYER):
        reader = ground.enter(who)
        for title, at in _REPORTS:
            reader.click("Reports", role="link")
            assert reader.heading == "Reports"
            reader.click(title, role="link")
            assert reader.at.startswith(at)
            assert reader.heading.endswith(title)


JOURNEYS = (
    Journey((CLINICIAN, PAYER), "reads the reports of requests", "/reports/overrides", _reports),
)
