# SPDX-License-Identifier: GPL-3.0-or-later
"""What KubeSpawner makes of users' servers: pods that pass `restricted`, a volume for each user, where they run and what they get."""

from __future__ import annotations

import re

from . import buckets
from .settings import MOUNT, SettingsError, placeholders
from .told import refusal

MODULES = "site-packages"  # below the volume: modules that users install there are found
LIMITS = ("cpu_guarantee", "cpu_limit", "mem_guarantee", "mem_limit")
# What a profile can say of a server; a start begins with none of it.
OVERRIDDEN = (
    *LIMITS, "image", "environment", "args", "node_selector", "tolerations", "extra_resource_limits", "extra_resource_guarantees",
    "volumes", "volume_mounts",
)  # fmt: skip
# What the hub tells servers; of JUPYTERHUB_ it leaves JUPYTERHUB_SINGLEUSER_ to whoever chooses the application.
_OURS = re.compile(
    r"JUPYTERHUB_(?!SINGLEUSER_).*|JUPYTERNB_KERNEL_TIMEOUT|JUPYTER_IMAGE(_SPEC)?|(MEM|CPU)_(LIMIT|GUARANTEE)"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OBJECT = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def configure(c, settings: dict) -> None:
    """Set what all servers have in common. Raises SettingsError."""
    pods, name, spawn = c.KubeSpawner, settings["name"], settings["spawn"]
    pods.namespace = settings["namespace"]
    pods.pod_name_template = f"{name}-nb-{{safe_user_server}}"
    pods.common_labels = {
        "app.kubernetes.io/name": "jupyterhub",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "kubespawner",
    }
    pods.port = spawn.get("port") or 8888
    pods.cmd = spawn.get("command") or ["jupyterhub-singleuser"]
    pods.args = arguments(settings["culling"])
    pods.environment = environment(settings)
    pods.start_timeout, pods.http_timeout = spawn.get("start_timeout") or 600, spawn.get("http_timeout") or 120
    # After 3 s, its default, KubeSpawner would ask again for a pod, find the one that it was given, and kill it.
    pods.k8s_api_request_timeout, pods.k8s_api_request_retry_timeout = 30, 90
    pods.automount_service_account_token = False
    for option, trait in {"service_account": "service_account", "pull_secrets": "image_pull_secrets",
                          "pull_policy": "image_pull_policy", "image": "image", "priority_class": "priority_class_name",
                          "uid": "uid", "gid": "gid", "fs_gid": "fs_gid"}.items():  # fmt: skip
        if spawn.get(option) not in (None, "", []):
            setattr(pods, trait, spawn[option])
    for option, trait in {
        "active_servers": "active_server_limit",
        "concurrent_starts": "concurrent_spawn_limit",
    }.items():
        if spawn.get(option) is not None:
            setattr(c.JupyterHub, trait, spawn[option])
    pods.allow_privilege_escalation = False
    pods.container_security_context = {"capabilities": {"drop": ["ALL"]}}
    pods.pod_security_context = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for limit in LIMITS:
        if settings["resources"].get(limit):
            setattr(pods, limit, settings["resources"][limit])
    pods.node_selector = settings["placement"].get("node_selector") or {}
    pods.tolerations = settings["placement"].get("tolerations") or []
    _storage(pods, name, settings["storage"])
    for profile in settings["profiles"]:
        override(profile, settings)  # what is wrong in one is said now, not when somebody starts it


def _storage(pods, hub: str, storage: dict) -> None:
    pods.storage_pvc_ensure = True
    pods.delete_pvc = not storage.get("retain", True)
    pods.slug_scheme = storage.get("name_scheme") or "safe"
    pods.pvc_name_template = storage.get("name_template") or f"{hub}-pvc-{{username}}"
    pods.storage_capacity = storage.get("size") or "10Gi"
    pods.storage_access_modes = storage.get("access_modes") or ["ReadWriteOnce"]
    if storage.get("class"):
        pods.storage_class = storage["class"]
    pods.notebook_dir = mount(storage)
    volume = {"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}
    pods.volumes = [volume, *(storage.get("extra_volumes") or [])]
    pods.volume_mounts = [{"name": "home", "mountPath": mount(storage)}, *(storage.get("extra_mounts") or [])]


def mount(storage: dict) -> str:
    return storage.get("mount_path") or MOUNT


def claimed(spawner) -> None:
    """HTTPError where the volume of the spawner's user would have a name that no object can have."""
    if not _OBJECT.fullmatch(spawner.pvc_name):
        raise refusal(
            500,
            f"Your volume would be named {spawner.pvc_name}, which the cluster does not take: "
            "an administrator gives hub_storage another name_template, or the name_scheme safe.",
        )


def environment(settings: dict) -> dict:
    """The variables of all servers. Raises SettingsError."""
    found = {}
    if settings["storage"].get("user_modules"):
        found["PYTHONPATH"] = f"{mount(settings['storage'])}/{MODULES}"
    return found | _variables("hub.json: spawn.environment", settings["spawn"].get("environment"), settings)


def _variables(where: str, given: dict | None, settings: dict) -> dict:
    """Variables as KubeSpawner takes them: texts, or where their values are. Raises SettingsError."""
    taken = {"PYTHONPATH"} if settings["storage"].get("user_modules") else set()
    if settings["buckets"].get("enabled"):
        taken |= set(buckets.environment("", settings["buckets"]))
    found = {}
    for name, value in (given or {}).items():
        if not _VARIABLE.fullmatch(name):
            raise SettingsError(f"{where}: {name!r} is no name of a variable: correct it.")
        if name in taken or _OURS.fullmatch(name):
            raise SettingsError(f"{where}: {name} is set by the hub: leave it out.")
        if isinstance(value, dict) and set(value) == {"valueFrom"}:
            found[name] = value
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
            found[name] = str(value)
            if placeholders(found[name]) is None:
                raise SettingsError(f"{where}: {name} has braces that name nothing: write {{{{ and }}}} for braces.")
        else:
            raise SettingsError(f"{where}: {name} is {value!r}: give a text, or a mapping with valueFrom.")
    return found


def arguments(culling: dict, profile: dict | None = None) -> list[str]:
    """What a server is told of ending kernels, terminals and itself: what the profile says, else what holds for all; 0 is never."""
    after, ends = (
        next((limit for limit in ((profile or {}).get(own), culling.get(common)) if limit is not None), 0)
        for own, common in (("kernel_timeout", "kernel_after"), ("shutdown_timeout", "server_shutdown_after"))
    )
    found = []
    if after:
        every = culling.get("kernel_interval") or max(1, min(300, after // 2))
        found += [
            f"--MappingKernelManager.cull_idle_timeout={after}",
            f"--MappingKernelManager.cull_interval={every}",
            "--MappingKernelManager.cull_connected=True",
            f"--TerminalManager.cull_inactive_timeout={after}",
            f"--TerminalManager.cull_interval={every}",
        ]
    if ends:
        found.append(f"--ServerApp.shutdown_no_activity_timeout={ends}")
    return found


def override(profile: dict, settings: dict) -> dict:
    """What a profile says of a server, in KubeSpawner's words. Raises SettingsError."""
    found = {name: profile[name] for name in ("image", *LIMITS) if profile.get(name)}
    if any(profile.get(name) is not None for name in ("kernel_timeout", "shutdown_timeout")):
        found["args"] = arguments(settings["culling"], profile)
    variables = _variables(
        f"profiles.json: profile {profile['name']}: environment", profile.get("environment"), settings
    )
    if profile.get("kernel_timeout") is not None:
        variables["JUPYTERNB_KERNEL_TIMEOUT"] = str(profile["kernel_timeout"])
    if variables:
        found["environment"] = variables
    if profile.get("node_selector"):
        found["node_selector"] = dict(profile["node_selector"])
    if profile.get("tolerations"):
        found["tolerations"] = [*(settings["placement"].get("tolerations") or []), *profile["tolerations"]]
    gpu = profile.get("gpu") or {}
    if gpu.get("count"):
        amount = {gpu.get("resource") or "nvidia.com/gpu": str(gpu["count"])}
        found |= {"extra_resource_limits": amount, "extra_resource_guarantees": dict(amount)}
    return found
