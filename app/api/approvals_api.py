"""The routers of everything about approvals, one for each resource."""

from app.api import (
    administration,
    approvals,
    break_glass,
    changes,
    checks,
    claims,
    drafts,
    imports,
    known_answers,
    patients,
    reports,
    requests,
    reviews,
    searches,
    treatments,
)

ROUTERS = (
    checks.router,
    claims.router,
    break_glass.router,
    known_answers.router,
    drafts.router,
    requests.router,
    reviews.router,
    treatments.router,
    approvals.router,
    searches.router,
    changes.router,
    patients.router,
    imports.router,
    reports.router,
    administration.router,
)
