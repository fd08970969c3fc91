"""The health checks tell the truth, and the metrics tell nothing of any patient."""

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.approvals.library import Library
from app.db.transaction import Database
from app.db.upgrade import head
from app.main import create_app
from app.settings import Settings


def test_a_migrated_database_is_ready(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready", "schema_revision": head()}


def test_a_database_without_tables_is_not_ready_and_says_what_to_run(
    empty_engine: sa.Engine,
) -> None:
    app = create_app(
        Settings(demonstration=True), database=Database(empty_engine, b"k"), library=Library(())
    )

    with TestClient(app) as client:
        reply = client.get("/readyz")

    assert reply.status_code == 503
    assert "assent db upgrade" in reply.json()["detail"]


def test_metrics_count_by_route_template_and_never_by_value(client: TestClient) -> None:
    client.get("/v1/policies/zephaniah-policy")
    client.get("/v1/zephaniah")
    client.request("ZEPHANIAH", "/v1/policies")

    reply = client.get("/metrics")

    assert reply.headers["Content-Type"].startswith("text/plain")
    assert "zephaniah" not in reply.text.lower()
    line = 'assent_http_requests_total{method="GET",route="/v1/policies/{policy}",status="404"} 1.0'
    assert line in reply.text
    assert 'method="GET",route="(no route)",status="404"' in reply.text
    assert 'method="other"' in reply.text


def test_logs_name_the_template_and_the_correlation_id(
    client: TestClient, capfd: pytest.CaptureFixture[str]
) -> None:
    client.get("/v1/policies/zephaniah-policy", headers={"X-Correlation-ID": "conversation-7"})

    written = "".join(capfd.readouterr())
    assert "/v1/policies/{policy}" in written
    assert "conversation-7" in written
    assert "zephaniah" not in written


def test_every_route_is_named_by_its_whole_template(application: FastAPI) -> None:
    described = set(application.openapi()["paths"])

    found = {
        route.path
        for included in application.routes
        for route in getattr(getattr(included, "original_router", None), "routes", [])
        if route.include_in_schema  # the pages for people are not part of the API's description
    }

    assert found
    assert found == described


def test_no_database_is_touched_before_the_first_call() -> None:
    settings = Settings(demonstration=True, database_url="postgresql://nobody@127.0.0.1:1/nothing")

    create_app(settings, library=Library(()))
