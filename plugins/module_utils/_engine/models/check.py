# SPDX-License-Identifier: GPL-3.0-or-later
"""Check models, several at once. The one entry point of the room."""

from __future__ import annotations

import functools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import quote

from ..cluster.client import Cluster
from ..cluster.deadline import Deadline
from ..cluster.errors import ClusterError
from ..values.model import CHECKS, Check, Checks, ModelVerdict
from . import resource
from .compare import difference
from .protocols import Unreadable, version
from .resource import Failed, Known, Way
from .spec import NOTHING, Model, Request
from .transport import Answer, NoAnswer, Server

AT_ONCE = 8
_SHOWN = 200  # characters of an answer
_PREDICTED = 2000  # characters of a prediction
_HTTP_CODES = {401: "model_forbidden", 403: "model_forbidden"}


def check(
    request: Request,
    cluster: Cluster | None,
    known: Known,
    *,
    way: Way | None = None,
    stop: threading.Event | None = None,
    outage: bool = False,
) -> tuple[ModelVerdict, ...]:
    """Return one verdict a model, in their order; what befalls a model is a verdict, never an exception.

    cluster: None where none is named; then only what has a URL is asked. way: which servers may be asked, None for any.
    stop: set by who is not interested any more. outage: an API server that does not answer is raised as ClusterError.
    """
    if not request.models:
        return ()
    stop = stop or threading.Event()
    with ThreadPoolExecutor(min(AT_ONCE, len(request.models))) as threads:
        try:
            return tuple(
                threads.map(
                    lambda model: _Checking(model, request.checks, cluster, known, stop, way, outage).run(),
                    request.models,
                )
            )
        except BaseException:
            stop.set()
            raise


@dataclass(frozen=True)
class _Until(Deadline):
    """A deadline that is over at once where nobody is interested any more."""

    stop: threading.Event

    def left(self) -> float:
        return 0.0 if self.stop.is_set() else super().left()


class _Checking:
    """The checks of one model, in their order: the first that fails decides, and those after it are skipped."""

    def __init__(
        self, model: Model, wanted: tuple[str, ...], cluster: Cluster | None, known: Known, stop: threading.Event,
        way: Way | None, outage: bool,
    ):  # fmt: skip
        self._model = model
        self._wanted = wanted
        self._cluster = cluster if model.kind else None
        self._known = known
        self._stop = stop
        self._way = way
        self._outage = outage
        self._found: dict | None = None
        self._url = model.url
        self._version: str | None = None
        self._predicted: str | None = None
        self._deadline = _Until(time.monotonic() + model.timeout, stop)

    def run(self) -> ModelVerdict:
        began = time.monotonic()
        checks, failure = {}, None
        steps = {
            "platform": self._platform,
            "resource": self._resource,
            "health": self._health,
            "prediction": self._prediction,
        }
        for name in CHECKS:
            if failure:
                checks[name] = Check("skipped", "An earlier check failed.")
            elif name not in self._wanted:
                checks[name] = Check("skipped", "It was not asked for.")
            else:
                try:
                    checks[name] = steps[name]()
                except Failed as error:
                    failure = (error.code, self._clean(error.message))
                except ClusterError as error:
                    if self._outage and error.transient:
                        raise
                    refused = resource.refused(error)
                    failure = (refused.code, refused.message)
                if failure:
                    checks[name] = Check("failed", failure[1])
        passed = any(one.status == "passed" for one in checks.values())
        checks = {name: replace(one, message=self._clean(one.message)) for name, one in checks.items()}
        return ModelVerdict(
            name=self._model.name,
            namespace=self._model.namespace,
            platform=self._model.platform,
            status="failed" if failure else "succeeded" if passed else "skipped",
            checks=Checks(**checks),
            code=failure[0] if failure else None,
            cause=failure[1] if failure else None,
            url=self._url,
            duration=round(time.monotonic() - began, 3),
            version=self._version or (resource.version_of(self._found) if self._found else None),
            resources=resource.resources_of(self._found) if self._found else {},
            predicted=self._predicted,
        )

    def _platform(self) -> Check:
        if not self._cluster:
            return self._without()
        told = resource.platform(self._cluster, self._model, self._known)
        if told:
            return Check("passed", told)
        if self._model.kind != "Deployment":
            return Check("skipped", "It has no API by which it could be told.")
        passed, words = resource.image_of(self._object(), self._model, self._known)
        return Check("passed" if passed else "skipped", words)

    def _resource(self) -> Check:
        if not self._cluster:
            return self._without()
        self._object()
        return Check("passed", f"The {self._model.kind} is ready.")

    def _without(self) -> Check:
        return Check(
            "skipped", "No object of a cluster is named." if self._model.kind is None else "No cluster is named."
        )

    def _object(self) -> dict:
        if self._found is None:
            self._found = resource.ready(self._cluster, self._model, self._deadline)
        return self._found

    def _place(self) -> str:
        """Return the URL of the server."""
        if not self._url:
            if not self._cluster:
                raise Failed("model_unreachable", f"Nothing tells where {self._model.title} answers: give url.")
            self._url = resource.url_of(
                self._cluster, self._model, self._object(), self._known, self._deadline, self._way
            )
        refusal = self._way.refusal(self._url, self._model.namespace) if self._way else None
        if refusal:
            raise Failed("model_forbidden", f"{self._url} {refusal}.")
        return self._url

    def _health(self) -> Check:
        path = self._model.health_path
        if path is None:
            return Check("skipped", "No path for its health is known: give health_path.")
        url = self._at(path)
        answer = self._ask(url)
        if not 200 <= answer.status < 300:
            raise Failed(self._code(answer, "model_unhealthy"), f"{url} answers {answer.status}{self._quote(answer)}.")
        told = _json_or_none(answer)
        self._version = version(told)
        if not self._model.own_health:
            fault = self._model.api.unwell(told, self._model.served)
            if fault:
                raise Failed("model_unhealthy", f"{url} {fault}.")
        return Check("passed", f"{url} answers {answer.status}.")

    def _prediction(self) -> Check:
        model = self._model
        if model.test_data is None:
            return Check("skipped", "No test_data is given.")
        url = self._at(model.predict_path)
        answer = self._ask(url, model.api.request(model.test_data, model.served))
        if not 200 <= answer.status < 300:
            raise Failed(
                self._code(answer, "model_prediction_failed"),
                f"{url} answers {answer.status} to the test data{self._quote(answer)}.",
            )
        try:
            body = answer.json()
        except (ValueError, RecursionError):
            raise Failed("model_prediction_failed", f"{url} answers no JSON{self._quote(answer)}.") from None
        try:
            found = self._selected(body) if model.select else model.api.prediction(body)
        except Unreadable as error:
            raise Failed("model_prediction_failed", f"{url} {error}{self._quote(answer)}.") from None
        self._predicted = self._clean(json.dumps(found, ensure_ascii=False)[: 4 * _PREDICTED])[:_PREDICTED]
        if model.expected is NOTHING:
            return Check("passed", "It predicts from the test data; no expected output is given.")
        fault = difference(model.expected, found, model.tolerance)
        if fault:
            raise Failed("model_prediction_mismatch", f"The prediction of {model.title} {fault}.")
        return Check("passed", "The prediction is the expected one.")

    def _selected(self, body: object) -> object:
        from jmespath.exceptions import JMESPathError

        try:
            return self._model.select.search(body)
        except JMESPathError:
            raise Unreadable("has an answer to which select cannot be applied") from None

    def _at(self, path: str) -> str:
        return self._place() + path.replace("{model}", quote(self._model.served, safe=""))

    def _ask(self, url: str, body: object = None) -> Answer:
        try:
            way = functools.partial(self._way.address, namespace=self._model.namespace) if self._way else None
            with Server(
                self._model.token, self._model.ca_file, self._model.verify, self._deadline, self._stop, way
            ) as server:
                return server.ask(url, body)
        except NoAnswer as error:
            raise Failed("model_unreachable", f"{url} {error}.") from None

    def _code(self, answer: Answer, otherwise: str) -> str:
        return _HTTP_CODES.get(answer.status, otherwise)

    def _quote(self, answer: Answer) -> str:
        # Masked before it is cut, so that no beginning of a secret is left.
        text = self._clean(" ".join(answer.body[:4096].decode("utf-8", "replace").split()))
        text = "".join(letter for letter in text if letter.isprintable()).rstrip(".")
        return f": {text[:_SHOWN]}" if text else ""

    def _clean(self, text: str) -> str:
        return text.replace(self._model.token, "********") if self._model.token else text


def _json_or_none(answer: Answer) -> object:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None
