# SPDX-License-Identifier: GPL-3.0-or-later
"""One generation of a job, from its spec to the verdict in its status.

Each step is found again by the content of its work: an image by its key, a run by its Job, a verdict in the memory of the
namespace. So a process that takes over begins at the first step, and comes to where the last one was without doing anything twice.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.judge import refuse

from ..asked import shape
from ..asked.question import Question, label
from ..serving import models
from ..settings import Settings
from ..told.case import Case
from ..told.record import Record
from . import assertions, building, ending, fetching, legacy, triggers
from .clock import Clock
from .running import Ran, Running


def reconcile(cluster: Cluster, settings: Settings, found: dict, stop: Stop) -> None:
    """Bring a job to its verdict, and say so in its status.

    found: the job. stop: asked for where the job changes or goes; what runs for it is removed then.
    Raises ClusterError where the cluster may answer another time (``transient``), or does not let the status be written.
    """
    record = Record(cluster, found, stop)
    try:
        question = Question.of(found["spec"])
        with Clock(stop, question.total and question.total - record.age()) as clock:
            _Job(Case(cluster, settings, found, clock.stop, record, question), clock).run()
    except Stopped:
        return
    except ClusterError as error:
        if error.transient or error.status == 409:
            raise
        _refuse(cluster, record, found, error)
    except EngineError as error:
        _refuse(cluster, record, found, error)


def give_up(cluster: Cluster, found: dict, stop: Stop, error: Exception) -> None:
    """End a job by an error of the operator's own, of which its log has the traceback. Raises ClusterError."""
    said = f"The operator failed by an error of its own ({type(error).__name__}): see its log, and report it."
    _refuse(cluster, Record(cluster, found, stop), found, EngineError(said, "operator_silent"))


def wait_for_cluster(cluster: Cluster, found: dict, stop: Stop, error: ClusterError) -> None:
    """Say that the job waits for the cluster. Raises ClusterError where that cannot be said either."""
    told = {"Degraded": ("True", "ClusterUnavailable", error.message)}
    Record(cluster, found, stop).write(told, phase="Pending", message=error.message)


def _refuse(cluster: Cluster, record: Record, found: dict, error: EngineError) -> None:
    try:
        record.check()
        triggers.tell_wave(cluster, found, record, False)
        ending.end(record, refuse(label(found["spec"]), error.code, error.message))
    except Stopped:
        return


class _Job:
    """The steps of one generation. clock: ends them before their time."""

    def __init__(self, case: Case, clock: Clock):
        self._case, self._clock = case, clock
        self._running: Running | None = None
        self._triggers: tuple[triggers.Trigger, ...] = ()

    def run(self) -> None:
        with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as directory:
            place = Path(directory)
            try:
                ran = self._ran(place)
            except Stopped:
                if not self._clock.over:
                    raise
                ran = self._late()
            # Before the last word, after which no process would come back to it.
            passed = all(one.status == "succeeded" for one in ran.verdicts)
            if passed:
                triggers.pull(self._case, self._triggers)
            triggers.tell_wave(self._case.cluster, self._case.found, self._case.record, passed)
            ending.finish(self._case, ran)

    def _ran(self, place: Path) -> Ran:
        case = self._case
        legacy.tidy(case)
        for words in shape.notes(case.metadata) if case.record.phase in (None, "Pending") else ():
            case.record.say("AnnotationIgnored", words, warning=True)
        asked, self._triggers = models.wanted(case), triggers.of(case)
        case.say_working("Initializing", "Fetching", f"The source {case.question.repository.url} is fetched.")
        source = fetching.fetch(case, place)
        case = models.look(case, asked)
        notebooks, refused = source.notebooks, ()
        if case.question.asserting:
            notebooks, refused = assertions.divide(source.root, source.notebooks)
        made = building.Environments(())
        if notebooks:
            made = building.environments(case, source.root, notebooks, str(place / "cache"))
        self._running = Running(case, source.root, source.golden, made, refused, str(place / "cache"))
        return self._running.run()

    def _late(self) -> Ran:
        """Return the verdicts of a job whose time is over: what has ended counts."""
        spec, phase = self._case.spec, self._case.record.phase
        message = f"The job took longer than its totalTimeout of {spec['totalTimeout']}; its phase was {phase}."

        def late(notebook: str):
            return refuse(notebook, "total_timeout", message)

        if self._running:
            return self._running.so_far(late)
        return Ran((late(label(spec)),), {}, {})
