"""Traces by OpenTelemetry: spans of calls, transactions, jobs and chores, sent to a collector.

The provider is ours alone and never made the global one, and FastAPI's own telemetry stays off:
it would send called addresses, which hold ids. For the same reason no caller's `traceparent` is
taken up: the correlation id joins our spans to theirs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from app.tracing import UNTOLD, Fact, Span, Tracer

#: How long a batch may take to be sent, its repeats included. At the end the service waits for it.
SEND_SECONDS: Final = 5.0
KINDS: Final = {"HTTP": trace.SpanKind.SERVER}


def to_collector(endpoint: str) -> Tracer:
    """A tracer that sends to this address of a collector, in batches, from a thread of its own.

    A collector that cannot be reached costs no call anything: its spans are dropped.
    """
    return OpenTelemetry(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=SEND_SECONDS)))


class OpenTelemetry(Tracer):
    """Tells spans to a processor."""

    def __init__(self, processor: SpanProcessor) -> None:
        # Given outright: the default would add what the environment and the command line hold.
        about = Resource({"service.name": "assent", "service.version": version("assent")})
        self._provider = TracerProvider(resource=about, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("assent")

    @contextmanager
    def span(self, _name: str) -> Iterator[Span]:
        kind = KINDS.get(_name, trace.SpanKind.INTERNAL)
        with self._opened(_name, context.Context(), kind) as span:
            yield span

    @contextmanager
    def part(self, _name: str) -> Iterator[Span]:
        if not trace.get_current_span().is_recording():
            yield UNTOLD
            return
        with self._opened(_name, None, trace.SpanKind.INTERNAL) as span:
            yield span

    @contextmanager
    def _opened(
        self, name: str, parent: context.Context | None, kind: trace.SpanKind
    ) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name,
            parent,
            kind,
            record_exception=False,  # its message may hold patient data
            set_status_on_exception=False,
        ) as opened:
            span = _Told(opened)
            try:
                yield span
            except BaseException as error:
                span.tell(Fact.ERROR, type(error).__qualname__)
                raise

    def close(self) -> None:
        self._provider.shutdown()


class _Told(Span):
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def tell(self, fact: Fact, value: str | int) -> None:
        self._span.set_attribute(fact.value, value)

    def fail(self) -> None:
        self._span.set_status(trace.StatusCode.ERROR)
