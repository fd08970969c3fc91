"""The worker's metrics for Prometheus: jobs and how they ended, what waits, and for how long.

No label holds a value of a row: kinds of jobs, names of chores, types of exceptions.
"""

import datetime as dt

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from app.audit.sealing import oldest_waiting
from app.db import jobs
from app.db.work import Work
from app.door import Door
from app.reconciliation import stale_store
from app.reminders import outbox
from app.work import Chore, Watcher

_Waiting = tuple[int, dt.datetime | None]
_Marked = tuple[int, int, dt.datetime | None]

SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)


class Gauges(Watcher):
    """One worker's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._jobs = Histogram(
            "assent_job_seconds",
            "Seconds that a job took, by kind and by how it ended",
            ("kind", "how"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._chores = Counter(
            "assent_chore_failures", "Chores failed", ("chore", "error"), registry=self.registry
        )
        self._mails = Counter(
            "assent_reminders",
            "Reminders handed to the mail server, by how it went",
            ("how",),
            registry=self.registry,
        )
        self._mails_waiting = Gauge(
            "assent_reminders_waiting", "Reminders not sent yet", registry=self.registry
        )
        self._mail_age = Gauge(
            "assent_oldest_reminder_seconds",
            "How long the oldest reminder has waited to be sent",
            registry=self.registry,
        )
        self._waiting = Gauge("assent_jobs_waiting", "Jobs queued", registry=self.registry)
        self._job_age = Gauge(
            "assent_oldest_job_seconds",
            "How long the oldest queued job has waited",
            registry=self.registry,
        )
        self._stale = Gauge(
            "assent_submissions_out_of_date",
            "Submissions whose approvals changed and that no run has matched again",
            registry=self.registry,
        )
        self._given_up = Gauge(
            "assent_rematches_given_up",
            "Submissions out of date whose matching failed too often to be tried again",
            registry=self.registry,
        )
        self._stale_age = Gauge(
            "assent_oldest_change_seconds",
            "How long the oldest change of an approval has waited to be matched",
            registry=self.registry,
        )
        self._row_age = Gauge(
            "assent_oldest_unsealed_row_seconds",
            "How long the oldest row of the audit log has waited for a seal",
            registry=self.registry,
        )

    def job_ended(self, kind: str, how: str, seconds: float) -> None:
        self._jobs.labels(kind, how).observe(seconds)

    def chore_failed(self, name: str, error: str) -> None:
        self._chores.labels(name, error).inc()

    def reminded(self, how: str) -> None:
        """A reminder was sent, refused, given up, or is tried again."""
        self._mails.labels(how).inc()

    def queues(self, every_seconds: int) -> Chore:
        """The chore that looks at what waits."""

        def look(door: Door) -> None:
            def ages(work: Work) -> tuple[_Waiting, dt.datetime | None, _Waiting, _Marked]:
                marked = stale_store.waiting(work)
                return jobs.waiting(work), oldest_waiting(work), outbox.waiting(work), marked

            (count, job), row, (mails, mail), (stale, given_up, changed) = door.read(ages)
            now = door.now()
            self._mails_waiting.set(mails)
            self._mail_age.set(0 if mail is None else (now - mail).total_seconds())
            self._waiting.set(count)
            self._job_age.set(0 if job is None else (now - job).total_seconds())
            self._stale.set(stale)
            self._given_up.set(given_up)
            self._stale_age.set(0 if changed is None else (now - changed).total_seconds())
            self._row_age.set(0 if row is None else (now - row).total_seconds())

        return Chore("look at the queues", dt.timedelta(seconds=every_seconds), look)

    def text(self) -> bytes:
        """The metrics in Prometheus's text format."""
        return generate_latest(self.registry)
