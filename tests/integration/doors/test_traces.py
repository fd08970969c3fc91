"""Traces: a span for each call, transaction, job and chore, which reach a collector or nobody."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.exc import OperationalError

from app.approvals.library import Library
from app.db import jobs
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.door import Door
from app.main import create_app
from app.settings import Settings
from app.telemetry import OpenTelemetry, to_collector
from app.tracing import Tracer, name_of
from app.work import Chore, Held, JobRefused, Saving, run_next

SECRET = "943 476 5919"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Tracer:
    return OpenTelemetry(SimpleSpanProcessor(spans))


@pytest.fixture
def door(
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
    tracer: Tracer,
) -> Door:
    return Door(database, lambda: moment.instant, ids, random_bytes, tracer=tracer)


def serve(door: Door, tracer: Tracer | None, settings: Settings) -> FastAPI:
    """The application, with a route that writes nothing and one that fails."""
    app = create_app(
        settings, database=door.database, library=Library(()), now=door.now, tracer=tracer
    )

    @app.get("/probe/{id}")
    def probe(id: str) -> dict[str, str]:
        def look_up(_work: Work) -> None:
            if id == "fault":
                raise RuntimeError(SECRET)

        app.state.door.transact(look_up)
        return {}

    return app


LOOK_UP = f"write {name_of(serve)}"


def only(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in spans.get_finished_spans() if span.name == name]
    return found


def test_a_call_is_told_by_its_template_and_its_transaction_is_a_part_of_it(
    door: Door, tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    app = serve(door, tracer, Settings(demonstration=True))
    with TestClient(app) as client:
        headers = {"X-Correlation-ID": "ours-1", "traceparent": PARENT, "tracestate": f"a={SECRET}"}
        client.get(f"/probe/9434765919?nhs={SECRET}", headers=headers)

    call = only(spans, "GET /probe/{id}")
    part = only(spans, LOOK_UP)
    assert dict(call.attributes or {}) == {
        "assent.correlation_id": "ours-1",
        "http.request.method": "GET",
        "http.route": "/probe/{id}",
        "http.response.status_code": 200,
    }
    assert call.kind is trace.SpanKind.SERVER
    assert call.parent is None, "no caller's trace is taken up"
    assert part.parent is not None
    assert part.parent.span_id == call.get_span_context().span_id
    assert dict(call.resource.attributes).keys() == {"service.name", "service.version"}


def test_a_fault_is_told_by_its_type_and_no_message(
    door: Door, tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    app = serve(door, tracer, Settings(demonstration=True))
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/probe/fault").status_code == 500

    for span in spans.get_finished_spans():
        assert (span.attributes or {})["error.type"] == "RuntimeError"
        assert span.events == ()
        assert span.status.description is None
    assert not only(spans, "GET /probe/{id}").status.is_ok
    assert SECRET not in "".join(span.to_json() for span in spans.get_finished_spans())


def test_a_transaction_that_ran_again_says_how_often(
    door: Door, tracer: Tracer, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.transaction.is_transient", lambda _: True)
    tries: list[int] = []

    def stubborn(_work: Work) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("", {}, Exception(SECRET))

    with tracer.span("HTTP"):
        door.transact(stubborn)

    told = only(spans, f"write {name_of(stubborn)}")
    assert (told.attributes or {})["assent.retries"] == 2


def test_jobs_and_chores_are_told_by_their_kind(door: Door, spans: InMemorySpanExporter) -> None:
    def works(held: Held) -> Saving:
        return lambda work: {}

    def refuses(held: Held) -> Saving:
        raise JobRefused(SECRET)

    def fails(held: Held) -> Saving:
        raise RuntimeError(SECRET)

    handlers = {"works": works, "refuses": refuses, "fails": fails}
    for kind in (*handlers, SECRET):
        door.transact(
            lambda work, kind=kind: jobs.enqueue(
                work, kind, organisation="DEMO1", created_by=SECRET, payload={"a": SECRET}
            )
        )
        assert run_next(door, handlers)
    Chore("sweep", dt.timedelta(1), lambda _: fails(Any)).run_if_due(door)  # type: ignore[arg-type]

    told = {
        span.name: (span.attributes or {}).get("assent.job.ended")
        for span in spans.get_finished_spans()
        if span.parent is None
    }
    assert told == {
        "job works": "done",
        "job refuses": "refused",
        "job fails": "failed",
        "job unknown": "refused",
        "chore sweep": None,
    }
    assert (only(spans, "chore sweep").attributes or {})["error.type"] == "RuntimeError"
    assert SECRET not in "".join(span.to_json() for span in spans.get_finished_spans())


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector's address, and what it is sent."""
    sent: list[ExportTraceServiceRequest] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Take)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", sent
    server.shutdown()
    server.server_close()


def test_the_setting_sends_spans_to_a_collector_before_the_service_stops(
    door: Door, collector: tuple[str, list[ExportTraceServiceRequest]]
) -> None:
    endpoint, sent = collector
    app = serve(door, None, Settings(demonstration=True, otlp_endpoint=endpoint))
    with TestClient(app) as client:
        client.get("/probe/9434765919")

    names = [
        span.name
        for batch in sent
        for resource in batch.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert sorted(names) == ["GET /probe/{id}", LOOK_UP]


def test_without_the_setting_nobody_is_told(door: Door) -> None:
    app = serve(door, None, Settings(demonstration=True))
    assert type(app.state.door.tracer) is Tracer


def test_a_collector_that_is_not_there_costs_no_call_and_holds_up_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sending: list[threading.Thread] = []
    send = OTLPSpanExporter.export

    def noted(exporter: OTLPSpanExporter, batch: Any) -> SpanExportResult:
        sending.append(threading.current_thread())
        return send(exporter, batch)

    monkeypatch.setattr(OTLPSpanExporter, "export", noted)
    lost = to_collector("http://127.0.0.1:9/v1/traces")
    for _ in range(1000):  # more than a batch
        with lost.span("HTTP"):
            pass
    assert threading.current_thread() not in sending
    lost.close()
    assert sending, "it was tried, and given up"
