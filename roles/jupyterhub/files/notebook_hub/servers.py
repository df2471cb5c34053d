# SPDX-License-Identifier: GPL-3.0-or-later
"""What KubeSpawner makes of users' servers: pods that pass `restricted`, a volume for each user, where they run and what they get."""

from __future__ import annotations

MOUNT = "/home/jovyan"
MODULES = "site-packages"  # below the volume: modules that users install there are found
LIMITS = ("cpu_guarantee", "cpu_limit", "mem_guarantee", "mem_limit")
# What a profile can say of a server; a start begins with none of it.
OVERRIDDEN = (
    *LIMITS, "image", "environment", "args", "node_selector", "tolerations", "extra_resource_limits", "extra_resource_guarantees",
    "volumes", "volume_mounts",
)  # fmt: skip


def configure(c, settings: dict) -> None:
    """Set what all servers have in common."""
    pods, name, spawn = c.KubeSpawner, settings["name"], settings["spawn"]
    pods.namespace = settings["namespace"]
    pods.pod_name_template = f"{name}-nb-{{user_server}}"
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
    pods.automount_service_account_token = False
    for option, trait in {"service_account": "service_account", "pull_secrets": "image_pull_secrets",
                          "pull_policy": "image_pull_policy", "image": "image",
                          "uid": "uid", "gid": "gid", "fs_gid": "fs_gid"}.items():  # fmt: skip
        if spawn.get(option) not in (None, "", []):
            setattr(pods, trait, spawn[option])
    pods.allow_privilege_escalation = False
    pods.container_security_context = {"capabilities": {"drop": ["ALL"]}}
    pods.pod_security_context = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for limit in LIMITS:
        if settings["resources"].get(limit):
            setattr(pods, limit, settings["resources"][limit])
    pods.node_selector = settings["placement"].get("node_selector") or {}
    pods.tolerations = settings["placement"].get("tolerations") or []
    _storage(pods, name, settings["storage"])


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


def environment(settings: dict) -> dict:
    """The variables of all servers."""
    found = {}
    if settings["storage"].get("user_modules"):
        found["PYTHONPATH"] = f"{mount(settings['storage'])}/{MODULES}"
    return found | (settings["spawn"].get("environment") or {})


def arguments(culling: dict, kernel_timeout: int | None = None) -> list[str]:
    """What a server is told of ending kernels, terminals and itself; 0 is never, None what holds for all."""
    after = culling.get("kernel_after") or 0 if kernel_timeout is None else kernel_timeout
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
    if culling.get("server_shutdown_after"):
        found.append(f"--ServerApp.shutdown_no_activity_timeout={culling['server_shutdown_after']}")
    return found


def override(profile: dict, settings: dict) -> dict:
    """What a profile says of a server, in KubeSpawner's words."""
    found = {name: profile[name] for name in ("image", *LIMITS) if profile.get(name)}
    timeout = profile.get("kernel_timeout")
    variables = {name: str(value) for name, value in (profile.get("environment") or {}).items()}
    if timeout is not None:
        found["args"] = arguments(settings["culling"], timeout)
        variables["JUPYTERNB_KERNEL_TIMEOUT"] = str(timeout)
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
