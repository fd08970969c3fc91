"""Counters for Prometheus, labelled by route template: no value of any request is ever a label."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Methods that a client can invent would make a label each.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One application's counters; each application has its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "assent_http_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "assent_http_request_seconds",
            "Seconds from request to reply",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._faults = Counter(
            "assent_faults", "Calls that failed through a fault", ("error",), registry=self.registry
        )
        self._security = Counter(
            "assent_security_events",
            "Sign-ins, and refusals of security, by what they were about",
            ("what", "outcome"),
            registry=self.registry,
        )
        self._decisions = Counter(
            "assent_decisions",
            "Decisions made and committed",
            ("kind", "outcome", "made_by"),
            registry=self.registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        method = method if method in METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def failed(self, error: str) -> None:
        """Count a fault of the service by its exception's type."""
        self._faults.labels(error).inc()

    def security(self, what: str, outcome: str) -> None:
        """Count a security event; both words come from the code."""
        self._security.labels(what, outcome).inc()

    def happened(self, facts: Sequence[tuple[str, ...]]) -> None:
        """Count what committed transactions noted: decisions by kind, outcome and who decided."""
        for name, *labels in facts:
            if name == "decision":
                self._decisions.labels(*labels).inc()

    def text(self) -> bytes:
        """The metrics in Prometheus's text format."""
        return generate_latest(self.registry)
