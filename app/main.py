"""Wiring: the only file that knows every room."""

import datetime as dt
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from app import clock
from app.api import (
    agreed_prices,
    approvals_api,
    challenges,
    checks,
    contract_months,
    deltas,
    exports,
    hand_overs,
    health,
    line_decisions,
    linkage,
    oauth,
    policies,
    replies,
    searches,
    slices,
    submissions,
    supply_checks,
    supply_terms,
    terms,
    worklists,
)
from app.api import requests as requests_api
from app.api.jwks import KeySets
from app.api.limits import Limits
from app.api.metrics import Metrics
from app.api.middleware import BodyLimit, Outermost
from app.api.openapi import describe, description_of
from app.api.scanning import Scanner
from app.approvals.library import Library
from app.approvals.library_files import load_library
from app.approvals.office import Office
from app.auth.guesses import GuessLimits
from app.auth.national import meanings
from app.auth.sessions import Limits as SessionLimits
from app.db.engine import make_engine
from app.db.transaction import Database
from app.desk import make_desk
from app.door import Door, make_tracer
from app.logs import configure_logs
from app.reference_data.drugs import load_drugs
from app.reference_data.pseudonyms import Pseudonyms
from app.settings import Settings
from app.tracing import Tracer
from app.web import (
    about_pages,
    answering,
    assets,
    attachments,
    changing,
    claims,
    correcting,
    drafts,
    home,
    individual_funding,
    minutes,
    nowhere,
    patient_record,
    reminders,
    requests,
    sessions,
    sign_in,
    starting,
    steps,
    treatments,
    working_out,
    worklist_pages,
)
from app.web import break_glass as break_glass_pages
from app.web import overturning as overturning_pages
from app.web.administration import pages as administration_pages
from app.web.auditing import pages as auditing_pages
from app.web.desk import pages as desk_pages
from app.web.library import pages as library_pages
from app.web.library.room import make_room
from app.web.overview import pages as overview_pages
from app.web.provider import Provider
from app.web.reporting import pages as reporting_pages
from app.web.reporting import request_pages
from app.web.timeline import pages as timeline_pages

log = structlog.stdlib.get_logger("assent")

PAGES = (
    assets.router,
    about_pages.router,
    home.router,
    worklist_pages.router,
    sign_in.router,
    sessions.router,
    starting.router,
    drafts.router,
    working_out.router,
    overturning_pages.router,
    requests.router,
    answering.router,
    correcting.router,
    attachments.router,
    individual_funding.router,
    break_glass_pages.router,
    steps.router,
    treatments.router,
    patient_record.router,
    claims.router,
    timeline_pages.router,
    changing.router,
    reminders.router,
    minutes.router,
    *desk_pages.ROUTERS,
    *library_pages.ROUTERS,
    overview_pages.router,
    *administration_pages.ROUTERS,
    auditing_pages.router,
    reporting_pages.router,
    request_pages.router,
)
ROUTERS = (
    health.router,
    oauth.router,
    policies.router,
    *approvals_api.ROUTERS,
    submissions.router,
    challenges.router,
    line_decisions.router,
    linkage.router,
    exports.router,
    supply_checks.router,
    worklists.router,
    slices.router,
    deltas.router,
    contract_months.router,
    terms.router,
    hand_overs.router,
    agreed_prices.router,
    supply_terms.router,
)


#: Held against a call before the others: each router before costs every one of their calls.
MOST_CALLED = (requests_api.router, checks.router, searches.router)


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    library: Library | None = None,
    now: Callable[[], dt.datetime] = clock.now,
    new_id: Callable[[], str] = clock.new_id,
    random_bytes: Callable[[int], bytes] = clock.random_bytes,
    tracer: Tracer | None = None,
) -> FastAPI:
    """The whole service as one ASGI application. Touches no database until the first call.

    Raises PolicyFileFaults, with every fault, when the policy library cannot be used.
    """
    if database is None:
        database = Database(
            make_engine(settings.database_url, restricted=not settings.demonstration),
            settings.audit_key_bytes(),
        )
    tracer = tracer or make_tracer(settings)
    app = FastAPI(
        lifespan=_closing(tracer),
        docs_url=None,  # FastAPI's page loads its scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's spans would hold called addresses; ours are in app/telemetry.py
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.metrics = Metrics()
    app.state.door = Door(
        database,
        now,
        new_id,
        random_bytes,
        committed=app.state.metrics.happened,
        tracer=tracer,
    )
    if library is None:
        library = load_library(settings.policies_dir, load_drugs().keys(), trusting_lock=True)
    pseudonyms = Pseudonyms(settings.pseudonym_key_bytes())
    guesses = GuessLimits(settings.guesses_per_hour, settings.guesses_per_hour_of_systems)
    office = Office(library, settings.demonstration, pseudonyms, settings.back_entry_days, guesses)
    app.state.office = office
    app.state.desk = make_desk(settings, office)
    app.state.reading_room = make_room(settings.policies_dir, load_drugs())
    app.state.settings = settings
    app.state.limits = Limits(settings.requests_per_minute, app.state.door)
    app.state.key_sets = KeySets()
    app.state.scanner = Scanner(settings.scanner) if settings.scanner else None
    app.state.provider = Provider(settings, now) if settings.oidc_issuer else None
    app.state.national_roles = meanings(settings.national_roles)
    app.state.session_limits = SessionLimits(
        idle=dt.timedelta(minutes=settings.session_idle_minutes),
        absolute=dt.timedelta(hours=settings.session_hours),
    )
    replies.install(app)
    nowhere.install(app)
    app.router.routes.extend(_most_called_first())
    describe(app, _described)
    app.add_middleware(
        BodyLimit, limit=settings.max_body_bytes, upload_limit=settings.max_upload_bytes
    )
    app.add_middleware(Outermost, new_id=new_id, metrics=app.state.metrics, tracer=tracer)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Every route, worked out once in a process: they are the same in every application.

    FastAPI works out a route at the first call that is held against it, and keeps it in the router
    that it was included in. That takes half a second for all of them, which a process that makes
    many applications (the tests) would spend again for each.
    """
    every = APIRouter()
    for router in (*ROUTERS, *PAGES):
        every.include_router(router)
    return tuple(every.routes)


def _most_called_first() -> list[BaseRoute]:
    """The routes in the order in which a call is held against them, which is a router at a time.

    No two routers have a route in common, so the order changes nothing but the time.
    """
    found = zip((*ROUTERS, *PAGES), _routes(), strict=True)
    return [route for _, route in sorted(found, key=lambda each: each[0] not in MOST_CALLED)]


@cache
def _described() -> dict[str, Any]:
    """What is published of the routes: as long a work, and as much the same."""
    return description_of(_routes())


def _closing(tracer: Tracer) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Send the traces that wait when the service stops."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        tracer.close()

    return lifespan


def serving() -> FastAPI:
    """The application as `assent serve` runs it: settings from the environment, logs to stderr."""
    settings = Settings()
    configure_logs(settings.log_level)
    if settings.demonstration:
        log.warning("demonstration mode: no real patient's data, no real decision")
    app = create_app(settings)
    # What is loaded by now stays, so the collector of cycles need not walk it again and again.
    gc.collect()
    gc.freeze()
    return app
