# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator measures of itself, as Prometheus reads it. docs/operator-monitoring.md has the same table."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.builders import BUILDERS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.environment import Build
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stopped
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.taxonomy import CATEGORIES, TABLE
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

PREFIX = "notebook_operator_"
_SHORT = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)  # seconds
_LONG = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
_STRATEGIES = tuple(kind.name for kind in BUILDERS)
_CODES = tuple(entry.code for entry in TABLE)
_OTHER = "other"  # in the place of a value that is in none of these, so that no label grows without end


@dataclass(frozen=True)
class Metric:
    """One metric. name: without the prefix, and as it is exported. buckets: of a histogram, in seconds."""

    kind: type
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


METRICS = tuple(Metric(*row) for row in (
    (Histogram, "queue_duration_seconds", "From the moment that a job is seen until somebody works on it.", (), _SHORT),
    (Histogram, "reconcile_duration_seconds", "Work on one generation of a job, with builds and runs in it.", ("result",), _LONG),
    (Histogram, "build_duration_seconds", "Builds of images that were not there yet, once for each job that waits.", ("strategy", "result"), _LONG),
    (Histogram, "run_duration_seconds", "Runs of one notebook each, without the wait for a node.", ("result",), _LONG),
    (Counter, "verdicts_total", "Verdicts on jobs.", ("job_namespace", "result", "category", "code")),
    (Counter, "cache_lookups_total", "Images and verdicts that were looked for before anything was done.", ("cache", "result")),
    (Counter, "retries_total", "New tries: of runs, and of jobs after failures of the cluster.", ("of",)),
    (Counter, "reconcile_errors_total", "Work on jobs that a failure of the cluster or of the operator ended.", ("kind",)),
    (Counter, "api_requests_total", "Requests to the API server, by what answered them; without those of kopf.", ("method", "code")),
    (Gauge, "jobs_active", "Jobs that are worked on."),
    (Gauge, "jobs_waiting", "Jobs that were seen and are not worked on yet."),
    (Gauge, "jobs_suspended", "Jobs that are held by their `suspend`."),
    (Gauge, "jobs_scheduled", "Jobs that have a `schedule`, and are worked on again and again."),
    (Gauge, "builds_active", "Builds that are waited for."),
    (Gauge, "runs_active", "Jobs whose notebooks are run or waited for."),
    (Gauge, "leader", "Whether this process works on jobs (1), or stands by (0)."),
    (Gauge, "build_info", "Always 1; the labels say what runs.", ("python", "kopf")),
))  # fmt: skip


class Observer:
    """Is told what happens. Safe to use from several threads."""

    def __init__(self):
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._metrics = {one.name: _made(one, self._registry) for one in METRICS}
        self._seen: dict[str, float] = {}
        self._suspended: set[str] = set()
        self._scheduled: set[str] = set()
        self._lock = threading.Lock()
        self._of("jobs_waiting").set_function(lambda: len(self._seen))
        self._of("jobs_suspended").set_function(lambda: len(self._suspended))
        self._of("jobs_scheduled").set_function(lambda: len(self._scheduled))
        self._of("build_info").labels(platform.python_version(), version("kopf")).set(1)
        # What did not happen yet is a zero: a rate over what is not there is no rate.
        for cache in ("image", "verdict"):
            for result in ("hit", "miss"):
                self._of("cache_lookups_total").labels(cache, result)
        for name, values in (
            ("retries_total", ("run", "cluster")),
            ("reconcile_errors_total", ("cluster", "operator")),
        ):
            for value in values:
                self._of(name).labels(value)

    def _of(self, name: str):
        return self._metrics[name]

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    # --- jobs

    def saw(self, found: dict) -> None:
        """A job is there, or has changed."""
        uid, spec = found["metadata"]["uid"], found["spec"]
        with self._lock:
            for known, does in ((self._suspended, spec.get("suspend")), (self._scheduled, spec.get("schedule"))):
                (known.add if does else known.discard)(uid)

    def seen(self, uid: str) -> None:
        """A job is to be worked on, as soon as somebody can."""
        with self._lock:
            self._seen.setdefault(uid, time.monotonic())

    def forgotten(self, uid: str) -> None:
        """A job waits no more."""
        with self._lock:
            self._seen.pop(uid, None)

    def gone(self, uid: str) -> None:
        """A job is not there any more."""
        self.forgotten(uid)
        with self._lock:
            self._suspended.discard(uid)
            self._scheduled.discard(uid)

    @contextmanager
    def job(self, uid: str) -> Iterator[None]:
        """Work on a job, which ends by an exception where it does not come to its end."""
        with self._lock:
            since = self._seen.pop(uid, None)
        if since is not None:
            self._of("queue_duration_seconds").observe(time.monotonic() - since)
        result = "done"
        began = time.monotonic()
        with self._of("jobs_active").track_inprogress():
            try:
                yield
            except Stopped:
                result = "stopped"
                raise
            except Exception as error:
                kind, result = ("cluster", "retried") if isinstance(error, ClusterError) else ("operator", "failed")
                self._of("reconcile_errors_total").labels(kind).inc()
                if kind == "cluster":
                    self._of("retries_total").labels("cluster").inc()
                raise
            finally:
                self._of("reconcile_duration_seconds").labels(result).observe(time.monotonic() - began)

    def image_reused(self) -> None:
        """An image was there."""
        self._of("cache_lookups_total").labels("image", "hit").inc()

    @contextmanager
    def build(self, strategy: str) -> Iterator[Callable[[Build], None]]:
        """Make or find an image; what is yielded is told what came of it."""
        known, began = strategy if strategy in _STRATEGIES else _OTHER, time.monotonic()

        def observe(result: str, seconds: float) -> None:
            self._of("cache_lookups_total").labels("image", "miss").inc()
            self._of("build_duration_seconds").labels(known, result).observe(seconds)

        def ended(build: Build) -> None:
            if build.phase == "Cached":
                self.image_reused()
            else:
                observe(
                    "succeeded" if build.phase == "Complete" else "failed", build.duration or time.monotonic() - began
                )

        with self._of("builds_active").track_inprogress():
            try:
                yield ended
            except Stopped:
                raise
            except Exception:
                observe("failed", time.monotonic() - began)
                raise

    @contextmanager
    def run(self) -> Iterator[Callable[[Iterable[Verdict]], None]]:
        """Run notebooks or find their verdicts; what is yielded is told these."""

        def ended(verdicts: Iterable[Verdict]) -> None:
            for one in verdicts:
                self._of("cache_lookups_total").labels("verdict", "hit" if one.cached else "miss").inc()
                if one.cached or not one.attempts:
                    continue
                self._of("retries_total").labels("run").inc(one.attempts - 1)
                self._of("run_duration_seconds").labels(one.status).observe(one.duration)

        with self._of("runs_active").track_inprogress():
            yield ended

    def verdict(self, namespace: str, verdict: Verdict) -> None:
        """A job has its verdict."""
        category = verdict.category if verdict.category in CATEGORIES else _OTHER
        code = verdict.code if verdict.code in _CODES else _OTHER
        passed = verdict.status == "succeeded"
        labels = (namespace, verdict.status, *(("", "") if passed else (category, code)))
        self._of("verdicts_total").labels(*labels).inc()

    # --- the process

    def leads(self, does: bool) -> None:
        """Whether this process works on jobs."""
        self._of("leader").set(does)

    def answered(self, method: str, code: str) -> None:
        """A request to the API server has its answer; code: the HTTP status, or ``none`` where none came."""
        self._of("api_requests_total").labels(method, code).inc()


def _made(metric: Metric, registry: CollectorRegistry):
    more = {"buckets": metric.buckets} if metric.buckets else {}
    return metric.kind(PREFIX + metric.name, metric.help, metric.labels, registry=registry, **more)


disable_created_metrics()  # a series for each series, which no query here asks for
observe = Observer()


class ObservedCluster(Cluster):
    """A cluster of which each request is counted."""

    def send(self, method, *arguments, **options):
        """As that of Cluster."""
        try:
            response = super().send(method, *arguments, **options)
        except ClusterError as error:
            observe.answered(method, str(error.status or "none"))
            raise
        observe.answered(method, str(response.status))
        return response
