# SPDX-License-Identifier: GPL-3.0-or-later
"""SecurityContextConstraints of OpenShift: which ones may be used, what they set in a pod, what they refuse."""

from __future__ import annotations

from ..auth import user_named
from ..values import clone
from .namespace import security_ranges
from .pods import containers_of, is_new_pod, security
from .scc_defaults import GROUP

REQUIRED = "openshift.io/required-scc"


def admit(context) -> None:
    if context.profile != "openshift" or not is_new_pod(context):
        return
    pod = context.object
    namespace = context.system.get("namespaces", None, context.namespace)
    constraints = sorted(context.system.list(f"securitycontextconstraints.{GROUP}"), key=_order)
    required = (pod["metadata"].get("annotations") or {}).get(REQUIRED)
    if required:
        constraints = [scc for scc in constraints if scc["metadata"]["name"] == required]
    problems = []
    for scc in constraints:
        name = scc["metadata"]["name"]
        if not _usable(context, scc):
            problems.append(f'provider "{name}": Forbidden: not usable by user or serviceaccount')
            continue
        spec = clone(pod["spec"])
        provider = Provider(scc, ranges_of(namespace))
        provider.assign(spec)
        if found := provider.problems(spec):
            problems += [f"provider {name}: {problem}" for problem in found]
            continue
        pod["spec"] = spec
        pod["metadata"].setdefault("annotations", {})["openshift.io/scc"] = name
        return
    raise context.refuse(f"unable to validate against any security context constraint: [{', '.join(problems)}]")


def ranges_of(namespace: dict) -> dict[str, str]:
    """The security annotations of a namespace."""
    metadata = namespace["metadata"]
    return {**security_ranges(metadata["name"]), **(metadata.get("annotations") or {})}


def uid_range(ranges: dict[str, str], key: str = "openshift.io/sa.scc.uid-range") -> tuple[int, int]:
    """First and last number of a range annotation: `first/size` or `first-last`."""
    text = ranges[key].split(",")[0]
    if "/" in text:
        first, size = (int(part) for part in text.split("/"))
        return first, first + size - 1
    first, last = (int(part) for part in text.split("-"))
    return first, last


def _order(scc: dict) -> tuple:
    """Higher priority first, then the more restrictive one, then by name."""
    user_ranks = {"MustRunAs": 0, "MustRunAsRange": 1, "MustRunAsNonRoot": 2, "RunAsAny": 3}
    return (
        -(scc.get("priority") or 0),
        bool(scc.get("allowPrivilegedContainer")),
        bool(scc.get("allowHostPID")),
        bool(scc.get("allowHostNetwork")),
        user_ranks[(scc.get("runAsUser") or {}).get("type", "RunAsAny")],
        bool(scc.get("allowHostDirVolumePlugin")),
        bool(scc.get("allowPrivilegeEscalation", True)),
        scc["metadata"]["name"],
    )


def _usable(context, scc: dict) -> bool:
    account = context.object["spec"].get("serviceAccountName") or "default"
    service_account = user_named(f"system:serviceaccount:{context.namespace}:{account}")
    name = scc["metadata"]["name"]
    return any(
        subject.name in (scc.get("users") or [])
        or set(subject.groups) & set(scc.get("groups") or [])
        or context.authorize(subject, "use", GROUP, "securitycontextconstraints", context.namespace, name)
        for subject in (context.user, service_account)
    )


class Provider:
    """One constraint applied to a pod spec of a namespace."""

    def __init__(self, scc: dict, ranges: dict[str, str]):
        self.scc = scc
        self.ranges = ranges

    def _type(self, field: str) -> str:
        return (self.scc.get(field) or {}).get("type", "RunAsAny")

    def assign(self, spec: dict) -> None:
        """Set what the constraint sets where the pod is silent."""
        pod = spec.get("securityContext") or {}
        spec["securityContext"] = pod
        first_group = uid_range(self.ranges, "openshift.io/sa.scc.supplemental-groups")[0]
        if self._type("fsGroup") == "MustRunAs":
            pod.setdefault("fsGroup", first_group)
        if self._type("seLinuxContext") == "MustRunAs":
            pod.setdefault("seLinuxOptions", {"level": self.ranges["openshift.io/sa.scc.mcs"]})
        if "runtime/default" in (self.scc.get("seccompProfiles") or []):
            pod.setdefault("seccompProfile", {"type": "RuntimeDefault"})
        for _path, container in containers_of(spec):
            self._assign_container(pod, container)

    def _assign_container(self, pod: dict, container: dict) -> None:
        context = container.get("securityContext") or {}
        user = context.get("runAsUser", pod.get("runAsUser"))
        if user is None and self._type("runAsUser") == "MustRunAsRange":
            user = context["runAsUser"] = uid_range(self.ranges)[0]
        if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is None and (
            user or (user is None and self._type("runAsUser") == "MustRunAsNonRoot")
        ):
            context["runAsNonRoot"] = True
        if self.scc.get("allowPrivilegeEscalation") is False:
            context.setdefault("allowPrivilegeEscalation", False)
        drop = self.scc.get("requiredDropCapabilities") or []
        if drop:
            capabilities = context.get("capabilities") or {}
            dropped = capabilities.get("drop") or []
            capabilities["drop"] = dropped + [name for name in drop if name not in dropped and "ALL" not in dropped]
            context["capabilities"] = capabilities
        if context:
            container["securityContext"] = context

    def problems(self, spec: dict) -> list[str]:
        """Every rule that the pod breaks, in the words of the real server."""
        found = self._pod_problems(spec)
        for path, container in containers_of(spec):
            found += self._container_problems(path, spec, container)
        return found

    def _pod_problems(self, spec: dict) -> list[str]:
        pod, found = security(spec), []
        first, last = uid_range(self.ranges, "openshift.io/sa.scc.supplemental-groups")
        group = pod.get("fsGroup")
        if group is not None and self._type("fsGroup") == "MustRunAs" and not first <= group <= last:
            found.append(
                f".spec.securityContext.fsGroup: Invalid value: []int64{{{group}}}: {group} is not an allowed group"
            )
        if self._type("supplementalGroups") == "MustRunAs":
            for index, group in enumerate(pod.get("supplementalGroups") or []):
                if not first <= group <= last:
                    found.append(
                        f".spec.securityContext.supplementalGroups[{index}]: Invalid value: {group}: "
                        f"group must be in the ranges: [{{{first} {last}}}]"
                    )
        for field, allowed, word in (
            ("hostNetwork", "allowHostNetwork", "Host network"),
            ("hostPID", "allowHostPID", "Host PID"),
            ("hostIPC", "allowHostIPC", "Host IPC"),
        ):
            if spec.get(field) and not self.scc.get(allowed):
                found.append(f".spec.securityContext.{field}: Invalid value: true: {word} is not allowed to be used")
        return found + self._seccomp(".spec.securityContext", pod) + self._volumes(spec)

    def _volumes(self, spec: dict) -> list[str]:
        allowed, found = self.scc.get("volumes") or [], []
        for index, volume in enumerate(spec.get("volumes") or []):
            kind = next((key for key in volume if key != "name"), "emptyDir")
            if "*" not in allowed and kind not in allowed:
                found.append(
                    f'spec.volumes[{index}]: Invalid value: "{kind}": {kind} volumes are not allowed to be used'
                )
        return found

    def _seccomp(self, path: str, context: dict) -> list[str]:
        profile, allowed = (context.get("seccompProfile") or {}).get("type"), self.scc.get("seccompProfiles") or []
        names = {"RuntimeDefault": "runtime/default", "Unconfined": "unconfined"}
        if profile is None or "*" in allowed or names.get(profile, "localhost/*") in allowed:
            return []
        return [f"{path}.seccompProfile: Forbidden: seccomp may not be set"]

    def _container_problems(self, path: str, spec: dict, container: dict) -> list[str]:
        context, found = security(container), []
        found += self._user_problems(path, context.get("runAsUser", security(spec).get("runAsUser")))
        found += self._seccomp(path, context)
        if context.get("privileged") and not self.scc.get("allowPrivilegedContainer"):
            found.append(f"{path}.privileged: Invalid value: true: Privileged containers are not allowed")
        allowed = self.scc.get("allowedCapabilities") or []
        for name in (context.get("capabilities") or {}).get("add") or []:
            if name not in allowed and "*" not in allowed:
                found.append(f'{path}.capabilities.add: Invalid value: "{name}": capability may not be added')
        for port in container.get("ports") or []:
            if port.get("hostPort") and not (self.scc.get("allowHostPorts") or self.scc.get("allowHostNetwork")):
                found.append(
                    f"{path}.hostPort: Invalid value: {port['hostPort']}: Host ports are not allowed to be used"
                )
        if self.scc.get("allowPrivilegeEscalation") is False and context.get("allowPrivilegeEscalation"):
            found.append(
                f"{path}.allowPrivilegeEscalation: Invalid value: true: "
                "Allowing privilege escalation for containers is not allowed"
            )
        if self.scc.get("readOnlyRootFilesystem") and not context.get("readOnlyRootFilesystem"):
            found.append(
                f"{path}.readOnlyRootFilesystem: Invalid value: false: ReadOnlyRootFilesystem must be set to true"
            )
        return found

    def _user_problems(self, path: str, user: int | None) -> list[str]:
        if user is None:
            return []
        if self._type("runAsUser") == "MustRunAsRange":
            first, last = uid_range(self.ranges)
            if not first <= user <= last:
                return [f"{path}.runAsUser: Invalid value: {user}: must be in the ranges: [{first}, {last}]"]
        if self._type("runAsUser") == "MustRunAsNonRoot" and user == 0:
            return [f"{path}.runAsUser: Invalid value: 0: running with the root UID is forbidden"]
        return []
