# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts by the operator: a resource for each notebook, one watch for all of them."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..cluster.apply import put
from ..cluster.client import MANAGER
from ..cluster.deadline import Deadline
from ..cluster.errors import ClusterError
from ..cluster.events import is_over_quota
from ..cluster.goals import absent
from ..cluster.kinds import CONFIG_MAPS
from ..cluster.objects import MANAGED_BY
from ..cluster.observe import observe
from ..cluster.removal import remove_this
from ..cluster.wait import wait
from ..values.errors import EngineError
from ..values.verdict import Verdict
from ..verdict.judge import refuse
from . import kept, resource
from .resource import JOBS
from .spec import Spec
from .work import Work

_LONGEST = 7 * 86400.0  # seconds
_GRACE = 300.0  # seconds beyond its timeout after which a notebook is not waited for any more
_GONE = 30.0  # seconds for what an earlier call left
# The authoriser names the user; what admission refuses has other words.
_NOT_ALLOWED = re.compile(r'User "[^"]*" cannot ')
_SELECTOR = f"app.kubernetes.io/component={resource.COMPONENT},{MANAGED_BY}={MANAGER}"


@dataclass(frozen=True)
class Answer:
    """What became of a work. executed: the executed notebook, where the operator keeps it.

    judged: the verdict is the operator's own; without it there was none, and the next call is to ask again.
    """

    verdict: Verdict
    executed: bytes | None = None
    judged: bool = False


def run_delegated(works: Sequence[Work], spec: Spec, on_verdict: Callable[[Work, Answer], None]) -> None:
    """Ask the operator for verdicts on works, ``workers`` at a time.

    What an earlier call asked for is taken up. KeyboardInterrupt withdraws what is open, unless it is to be left.
    Raises EngineError where nothing can begin; what happens to a notebook is a verdict, never an exception.
    """
    if works:
        _Delegation(works, spec, on_verdict).run()


class _Delegation:
    def __init__(self, works: Sequence[Work], spec: Spec, on_verdict):
        self.spec, self.target, self.on_verdict = spec, spec.target, on_verdict
        self.cluster, self.namespace = self.target.cluster, self.target.namespace
        self.left = list(works)
        self.open: dict[str, Work] = {}
        self.found: dict[str, dict] = {}
        self.due: dict[str, float] = {}  # by the monotonic clock: when the operator counts as silent
        self.heard = False
        self.over = False
        self.told: queue.Queue = queue.Queue()

    def run(self) -> None:
        if self.cluster.discovery.serves(JOBS.group, JOBS.plural) is False:
            raise EngineError(
                "The cluster knows no NotebookValidationJob: deploy the operator with the playbook mlops.notebooks.operator, or"
                " choose the executor job.",
                "operator_missing",
            )
        try:
            self._fill()
            threading.Thread(target=self._observe, daemon=True).start()
            while self.open:
                self._hear()
                self._give_up()
                self._fill()
        except BaseException:
            if self.target.options.on_cancel == "delete":
                self._withdraw(list(self.open))
            raise
        finally:
            self.over = True

    # --- the beginning of a notebook

    def _fill(self) -> None:
        while self.left and len(self.open) < self.spec.workers:
            self._start(self.left.pop(0))

    def _start(self, work: Work) -> None:
        name = resource.name_of(work)
        self.open[name] = work
        try:
            found = self._fresh(work)
        except ClusterError as error:
            forbidden = error.code == "cluster_forbidden" and not _NOT_ALLOWED.search(error.message)
            if not forbidden and error.code != "cluster_refused":
                raise
            code = "quota_exceeded" if is_over_quota(error.message) else "validation_refused"
            self._end(name, Answer(refuse(work.notebook, code, error.message)))
            return
        self.due[name] = time.monotonic() + self.target.options.patience
        self._change(found)

    def _fresh(self, work: Work) -> dict:
        """Make the resource, or take up that of an earlier call whose verdict still counts."""
        wanted = resource.manifest(work, self.spec)
        found = put(self.cluster, wanted, JOBS)
        old = {"always": (True, False), "failed": (False,), "never": ()}[self.spec.rerun]
        if found["metadata"].get("deletionTimestamp") or resource.passed(found) in old:
            remove_this(self.cluster, JOBS, found, Deadline.after(_GONE))
            wait(
                self.cluster, JOBS, [found["metadata"]["name"]], absent(), Deadline.after(_GONE), namespace=self.namespace
            )  # fmt: skip
            found = put(self.cluster, wanted, JOBS)
        return found

    # --- what the watch tells

    def _observe(self) -> None:
        try:
            observe(
                self.cluster, JOBS, _SELECTOR, Deadline.after(_LONGEST), namespace=self.namespace,
                on_change=lambda found: self.told.put((self._change, found)),
                on_gone=lambda name: self.told.put((self._gone, name)),
                going=lambda: not self.over,
            )  # fmt: skip
        except Exception as error:
            self.told.put((self._broken, error))  # for the thread that waits

    def _hear(self) -> None:
        seconds = max(0.0, min(self.due.values()) - time.monotonic()) if self.due else None
        with contextlib.suppress(queue.Empty):
            what, about = self.told.get(timeout=seconds)
            what(about)

    def _change(self, found: dict) -> None:
        name = found["metadata"]["name"]
        work = self.open.get(name)
        if work is None:
            return
        self.found[name] = found
        if resource.passed(found) is not None:
            self._end(name, self._read(work, found))
        elif resource.has_begun(found):
            self.heard = True
            self._allow(name, work, found)

    def _allow(self, name: str, work: Work, found: dict) -> None:
        """Give a notebook that waits in the operator all the time there is, and one that runs its own from now on."""
        self.due.pop(name, None)
        if resource.runs(found) and work.settings.timeout:
            self.due[name] = time.monotonic() + work.settings.timeout + self.target.options.patience + _GRACE

    def _gone(self, name: str) -> None:
        work = self.open.get(name)
        if work:
            said = f"The NotebookValidationJob {name} was deleted before there was a verdict."
            self.found.pop(name, None)
            self._end(name, Answer(refuse(work.notebook, "validation_lost", said)))

    @staticmethod
    def _broken(error: Exception) -> None:
        raise error

    # --- what takes too long

    def _give_up(self) -> None:
        now = time.monotonic()
        for name in [name for name, moment in self.due.items() if moment <= now]:
            self._end(name, self._silence(self.open[name], name))
            if not self.heard:  # the others would wait in vain as well
                for other in [*self.open.values(), *self.left]:
                    self.open[resource.name_of(other)] = other
                    self._end(resource.name_of(other), self._silence(other, name))
                self.left.clear()
                return

    def _silence(self, work: Work, name: str) -> Answer:
        seconds = f"{self.target.options.patience:g} s"
        said = (
            f"The operator has not ended the NotebookValidationJob {name} long after its timeout"
            if self.heard
            else f"The operator said nothing of the NotebookValidationJob {name} within {seconds}"
        )
        advice = f"see that it runs and watches the namespace {self.namespace}, or choose the executor job."
        return Answer(refuse(work.notebook, "operator_silent", f"{said}: {advice}"))

    # --- the end of a notebook

    def _read(self, work: Work, found: dict) -> Answer:
        """Return the verdict in full where the operator keeps it, else what the status tells of it."""
        name = (found["status"].get("verdict") or {}).get("configMap")
        try:
            held = self.cluster.find(CONFIG_MAPS.path(self.namespace, name)) if name else None
            if held:
                verdict, executed = kept.unpack(held)
                return Answer(replace(verdict, notebook=work.notebook, executed=None), executed, True)
        except ClusterError as error:
            if not error.transient:
                raise
            return Answer(refuse(work.notebook, "results_missing", error.message))
        except (ValueError, OSError, TypeError, KeyError):
            said = f"The ConfigMap {name} holds no verdict that can be read."
            return Answer(refuse(work.notebook, "results_corrupt", said))
        return Answer(resource.verdict_of(work, found), judged=True)

    def _end(self, name: str, answer: Answer) -> None:
        self._withdraw([name])
        self.due.pop(name, None)
        self.on_verdict(self.open.pop(name), answer)

    def _withdraw(self, names: list[str]) -> None:
        for name in names:
            found = self.found.pop(name, None)
            if found:
                with contextlib.suppress(ClusterError):
                    remove_this(self.cluster, JOBS, found, Deadline.after(10))
