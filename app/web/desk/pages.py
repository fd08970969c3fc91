"""The routers of the desk, in the order in which their addresses are tried."""

from app.web.desk import (
    challenges,
    checks,
    deltas,
    hand_overs,
    lines,
    links,
    months,
    names,
    runs,
    submissions,
)

ROUTERS = (
    runs.router,
    lines.router,
    links.router,
    submissions.router,
    challenges.router,
    names.router,
    deltas.router,
    months.router,
    checks.router,
    hand_overs.router,
)
