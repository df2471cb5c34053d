# SPDX-License-Identifier: GPL-3.0-or-later
"""The server put together: its parts, its start and its end."""

from __future__ import annotations

import json
import shutil
import ssl
import tempfile
from pathlib import Path

from . import boot
from .actors.rules import PodRules
from .api import Api
from .auth import Tokens, User, Users
from .clock import Clock, RealClock
from .cluster_life import actors_of, admission_chain, further_actors
from .crds import Crds
from .discovery import Discovery
from .faults import Faults
from .gc import GarbageCollector
from .http import Listener
from .journal import Journal
from .logs import LogStore
from .pki import Authority
from .rbac import Rbac
from .resources import Registry
from .routes import Router
from .schema import Schemas
from .store import Store
from .system import SystemClient
from .views import Views

PROFILES = ("kubernetes", "openshift")
PODS = ("simulated", "process", "none")


class ApiServer:
    """A cluster of one process. `with ApiServer("openshift") as server:` serves until the block ends.

    server.url, .token (cluster-admin), .ca_file and .kubeconfig are how to reach it; .store and .system how to look
    inside; .journal, .faults, .clock, .tokens, .users, .pod_rules and .discovery how to steer it.
    """

    def __init__(
        self,
        profile: str = "kubernetes",
        version: str = "1.36",
        clock: Clock | None = None,
        pods: str = "simulated",
        aggregated_discovery: bool = True,
        directory: str | Path | None = None,
        images: dict | None = None,
    ):
        if profile not in PROFILES or pods not in PODS:
            raise ValueError(f"The profile is one of {', '.join(PROFILES)} and pods one of {', '.join(PODS)}.")
        self.profile, self.version, self.pods, self.images = profile, version, pods, images or {}
        self.clock = clock or RealClock()
        self.rules_incomplete = False  # what SelfSubjectRulesReview says of itself
        self.bookmark_seconds = 60.0
        self.external_images: dict[str, dict] = {}
        self.build_log_seconds = 10
        self._temporary = directory is None
        self.directory = Path(directory or tempfile.mkdtemp(prefix="apiserver-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.registry, self.schemas = Registry(profile), Schemas()
        self.store, self.logs = Store(self.clock, self.registry), LogStore(self.clock)
        self.journal, self.faults = Journal(), Faults()
        self.codes: dict[str, User] = {}  # OAuth's
        self.tokens = Tokens(self.clock)
        self.users = Users(self.tokens)
        self.rbac, self.crds, self.views = Rbac(self), Crds(self), Views(self)
        self.discovery = Discovery(self, aggregated_discovery)
        self.api, self.router = Api(self), Router(self)
        self.system = SystemClient(self, self.api)
        self.admission = admission_chain(profile)
        self.token = self.tokens.issue(User("system:admin", ("system:masters", "system:authenticated")))
        self.pod_rules, self.builds = PodRules(), None
        self._actors: list = []
        self._listener: Listener | None = None

    def start(self) -> ApiServer:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        self.authority = Authority(self.directory)
        certificate, key = self.authority.server()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(self.authority.file)
        context.verify_mode = ssl.CERT_OPTIONAL
        self._listener = Listener(self, context)
        self.address = f"127.0.0.1:{self._listener.server_address[1]}"
        self.url = f"https://{self.address}"
        self.ca_file = str(self.authority.file)
        self.kubeconfig = self.write_kubeconfig("admin", self.token)
        self.store.hooks[("apiextensions.k8s.io", "customresourcedefinitions")] = self.crds.committed
        self.store.subscribe(GarbageCollector(self))
        self.store.subscribe(self._forget_logs)
        self._actors = actors_of(self)
        for actor in self._actors:
            actor.start()
        for plural, obj in boot.objects(self):
            if not self.system.find(plural, None, obj["metadata"]["name"]):
                self._create(plural, obj)
        self.store.flush()
        self.store.compact()
        self._listener.start()

    def add_actors(self, *kinds) -> None:
        """Let further controllers live in the cluster, as an operator brings them; their resources have to be there."""
        for actor in further_actors(self, kinds):
            self._actors.append(actor.start())

    def _create(self, plural: str, obj: dict) -> None:
        self.system.create(plural, obj)
        if obj.get("status"):
            self.system.update_status(plural, obj)

    def stop(self) -> None:
        if self._listener is not None:
            self._listener.stop()
        for actor in reversed(self._actors):
            actor.stop()
        self.logs.stop()
        self.store.stop()
        self.clock.stop()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    __enter__ = start

    def __exit__(self, *_error) -> None:
        self.stop()

    def namespace_exists(self, name: str | None) -> bool:
        return self.store.find(self.registry.lookup("", "v1", "namespaces"), None, name or "") is not None

    def write_kubeconfig(self, user: str, token: str, namespace: str = "default") -> str:
        """The path of a kubeconfig (JSON is YAML) whose current context is named after the user."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": user,
            "clusters": [{"name": "stand-in", "cluster": {"server": self.url, "certificate-authority": self.ca_file}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": user, "context": {"cluster": "stand-in", "user": user, "namespace": namespace}}],
        }
        path = self.directory / f"{user.replace(':', '-').replace('/', '-')}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")
        return str(path)

    def _forget_logs(self, event: str, resource, obj: dict) -> None:
        if event == "DELETED" and resource.key == ("", "pods"):
            self.logs.remove(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
