# SPDX-License-Identifier: GPL-3.0-or-later
"""Pod Security Admission: the checks of the levels baseline and restricted.

The rules and the words are those of the Pod Security Standards (kubernetes.io/docs/concepts/security/pod-security-standards)
for Linux pods; checks are named in the order of their upstream identifiers.
"""

from __future__ import annotations

from collections.abc import Callable

from .pods import containers_of, is_pod, security, template_of

# PodSecurity configuration of OpenShift's API server (cluster-kube-apiserver-operator, defaultconfig.yaml).
EXEMPT = ("system:serviceaccount:openshift-infra:build-controller",)
PREFIX = "pod-security.kubernetes.io/"
CAPABILITIES = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
)
SYSCTLS = frozenset(
    "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports net.ipv4.ip_unprivileged_port_start "
    "net.ipv4.ping_group_range net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes "
    "net.ipv4.tcp_keepalive_time net.ipv4.tcp_rmem net.ipv4.tcp_syncookies net.ipv4.tcp_wmem".split()
)
SELINUX_TYPES = frozenset(["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"])
VOLUMES = frozenset("configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret".split())
SECCOMP = frozenset(["RuntimeDefault", "Localhost"])
Check = Callable[[dict], "tuple[str, str] | None"]  # reason and detail


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _containers(names: list[str]) -> str:
    return f"container{'s' if len(names) > 1 else ''} {_quoted(names)}"


def _failing(spec: dict, bad: Callable[[dict], bool]) -> list[str]:
    return [container["name"] for _path, container in containers_of(spec) if bad(container)]


def _container_check(reason: str, rule: str, bad: Callable[[dict], bool]) -> Check:
    def check(spec: dict):
        names = _failing(spec, lambda container: bad(security(container)))
        return (reason, f"{_containers(names)} {rule}") if names else None

    return check


def _added(spec: dict, allowed: frozenset[str]) -> str:
    names, added = [], set()
    for _path, container in containers_of(spec):
        extra = set((security(container).get("capabilities") or {}).get("add") or []) - allowed
        if extra:
            names.append(container["name"])
            added |= extra
    rule = f"must not include {_quoted(sorted(added))} in securityContext.capabilities.add"
    return f"{_containers(names)} {rule}" if names else ""


def _capabilities_baseline(spec: dict):
    detail = _added(spec, CAPABILITIES)
    return ("non-default capabilities", detail) if detail else None


def _capabilities_restricted(spec: dict):
    undropped = _failing(spec, lambda one: "ALL" not in ((security(one).get("capabilities") or {}).get("drop") or []))
    rule = 'must set securityContext.capabilities.drop=["ALL"]'
    details = [f"{_containers(undropped)} {rule}"] if undropped else []
    details += [detail] if (detail := _added(spec, frozenset(["NET_BIND_SERVICE"]))) else []
    return ("unrestricted capabilities", "; ".join(details)) if details else None


def _host_namespaces(spec: dict):
    used = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return ("host namespaces", ", ".join(used)) if used else None


def _host_path_volumes(spec: dict):
    names = [volume["name"] for volume in spec.get("volumes") or [] if "hostPath" in volume]
    return ("hostPath volumes", f"volume{'s' if len(names) > 1 else ''} {_quoted(names)}") if names else None


def _host_ports(spec: dict):
    names, ports = [], set()
    for _path, container in containers_of(spec):
        used = {port["hostPort"] for port in container.get("ports") or [] if port.get("hostPort")}
        if used:
            names.append(container["name"])
            ports |= used
    if not names:
        return None
    verb = "uses" if len(names) == 1 else "use"
    plural = "s" if len(ports) > 1 else ""
    return "hostPort", f"{_containers(names)} {verb} hostPort{plural} {', '.join(map(str, sorted(ports)))}"


def _setters(spec: dict, bad: Callable[[dict], bool]) -> str:
    """Who has a security context that is bad, the pod or some of its containers."""
    names = _failing(spec, lambda container: bad(security(container)))
    return " and ".join((["pod"] if bad(security(spec)) else []) + ([_containers(names)] if names else []))


def _selinux(spec: dict):
    def bad(context: dict) -> bool:
        options = context.get("seLinuxOptions") or {}
        return options.get("type", "") not in SELINUX_TYPES or bool(options.get("user") or options.get("role"))

    setters = _setters(spec, bad)
    return ("seLinuxOptions", f"{setters} set forbidden securityContext.seLinuxOptions") if setters else None


def _seccomp_baseline(spec: dict):
    setters = _setters(spec, lambda context: (context.get("seccompProfile") or {}).get("type") == "Unconfined")
    rule = 'must not set securityContext.seccompProfile.type to "Unconfined"'
    return ("seccompProfile", f"{setters} {rule}") if setters else None


def _sysctls(spec: dict):
    names = [entry["name"] for entry in security(spec).get("sysctls") or [] if entry["name"] not in SYSCTLS]
    return ("forbidden sysctls", ", ".join(names)) if names else None


def _restricted_volumes(spec: dict):
    details = []
    for volume in spec.get("volumes") or []:
        kind = next((key for key in volume if key != "name"), "emptyDir")
        if kind not in VOLUMES:
            details.append(f'volume "{volume["name"]}" uses restricted volume type "{kind}"')
    return ("restricted volume types", ", ".join(details)) if details else None


def _inherited(
    spec: dict, good: Callable[[dict], bool], explicit_bad: Callable[[dict], bool], pod_rule: str, rule: str
):
    """A setting that a container takes from the pod unless it has its own."""
    if setters := _setters(spec, explicit_bad):
        return f"{setters} {pod_rule}"
    implicit = _failing(spec, lambda container: not good(security(container))) if not good(security(spec)) else []
    return f"pod or {_containers(implicit)} {rule}" if implicit else ""


def _run_as_non_root(spec: dict):
    detail = _inherited(
        spec,
        lambda context: context.get("runAsNonRoot") is True,
        lambda context: context.get("runAsNonRoot") is False,
        "must not set securityContext.runAsNonRoot=false",
        "must set securityContext.runAsNonRoot=true",
    )
    return ("runAsNonRoot != true", detail) if detail else None


def _run_as_user(spec: dict):
    setters = _setters(spec, lambda context: context.get("runAsUser") == 0)
    return ("runAsUser=0", f"{setters} must not set runAsUser=0") if setters else None


def _seccomp_restricted(spec: dict):
    detail = _inherited(
        spec,
        lambda context: (context.get("seccompProfile") or {}).get("type") in SECCOMP,
        lambda context: (context.get("seccompProfile") or {}).get("type") not in SECCOMP | {None},
        'must not set securityContext.seccompProfile.type to "Unconfined"',
        'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
    )
    return ("seccompProfile", detail) if detail else None


_PRIVILEGED = _container_check(
    "privileged", "must not set securityContext.privileged=true", lambda context: bool(context.get("privileged"))
)
_PROC_MOUNT = _container_check(
    "procMount",
    "must not set securityContext.procMount",
    lambda context: context.get("procMount", "Default") != "Default",
)
_ESCALATION = _container_check(
    "allowPrivilegeEscalation != false",
    "must set securityContext.allowPrivilegeEscalation=false",
    lambda context: context.get("allowPrivilegeEscalation") is not False,
)
LEVELS: dict[str, tuple[Check, ...]] = {
    "privileged": (),
    "baseline": (
        *(_capabilities_baseline, _host_namespaces, _host_path_volumes, _host_ports, _PRIVILEGED),
        *(_PROC_MOUNT, _selinux, _seccomp_baseline, _sysctls),
    ),
    "restricted": (
        *(_ESCALATION, _capabilities_restricted, _host_namespaces, _host_ports, _PRIVILEGED, _PROC_MOUNT),
        *(_restricted_volumes, _run_as_non_root, _run_as_user, _selinux, _seccomp_restricted, _sysctls),
    ),
}


def violations(level: str, spec: dict) -> str:
    """What a pod spec does against a level, as the real server lists it; empty when nothing."""
    found = [result for check in LEVELS[level] if (result := check(spec))]
    return ", ".join(f"{reason} ({detail})" for reason, detail in found)


def level_of(namespace: dict, mode: str, profile: str) -> tuple[str, str]:
    """Level and version that a namespace sets for `mode` (enforce, warn, audit)."""
    labels = namespace["metadata"].get("labels") or {}
    default = "restricted" if profile == "openshift" and mode != "enforce" else "privileged"
    level = labels.get(PREFIX + mode, default)
    # An unknown level is treated as the strictest one, as the documentation of the labels says.
    return (level if level in LEVELS else "restricted"), labels.get(f"{PREFIX}{mode}-version", "latest")


def admit(context) -> None:
    """Refuse pods that violate the enforced level; warn about pods and workloads that violate the warned one."""
    template = template_of(context.resource, context.object)
    if context.subresource or context.operation == "DELETE" or not (is_pod(context) or template):
        return
    if context.operation == "UPDATE" and context.old and context.old.get("spec") == context.object.get("spec"):
        return
    if context.profile == "openshift" and context.user.name in EXEMPT:
        return
    namespace = context.system.get("namespaces", None, context.namespace)
    spec = (context.object if is_pod(context) else template).get("spec") or {}
    if is_pod(context):
        level, version = level_of(namespace, "enforce", context.profile)
        if found := violations(level, spec):
            raise context.refuse(f'violates PodSecurity "{level}:{version}": {found}')
    level, version = level_of(namespace, "warn", context.profile)
    if found := violations(level, spec):
        context.warnings.append(f'would violate PodSecurity "{level}:{version}": {found}')
