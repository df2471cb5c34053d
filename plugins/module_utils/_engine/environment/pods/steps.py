# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of a build with buildah, as containers: build, check, push; the same in a Job, a TaskRun and a BuildStrategy."""

from __future__ import annotations

from ..image.recipes import PRELUDE, SETTINGS, check
from ..strategy import Context, Plan
from .record import items, record_name

BUILDER_IMAGE = "quay.io/buildah/stable:v1.43.2"
# The user `build` of buildah's own image, whose subordinate IDs newuidmap maps (buildah, "Rootless in OpenShift").
USER = 1000
# Without what container runtimes grant (containerd/pkg/oci, defaultUnixCaps) but for SETUID and SETGID, which newuidmap takes.
# None is added: security context constraints such as anyuid and pipelines-scc allow no addition, not even of these two.
SECURITY = {
    "runAsUser": USER,
    "runAsGroup": USER,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": True,
    "capabilities": {
        "drop": [
            "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",
            "SETPCAP", "SYS_CHROOT",
        ]
    },
}  # fmt: skip
_CONTEXT, _WORK, _LOGIN = "/context", "/work", "/login"
# A UID that no image knows, within what a user namespace maps.
_ANY_USER = "54321:0"
_BUILDAH = 'buildah --root "$HOME/storage" --runroot "$HOME/run" --storage-driver'
_BEGIN = f"""set -eu
export HOME={_WORK}
mkdir -p "$HOME/storage" "$HOME/run" "$HOME/tmp" "$HOME/context"
export TMPDIR="$HOME/tmp" XDG_RUNTIME_DIR="$HOME/run" BUILDAH_ISOLATION=chroot
{PRELUDE}
"""
_BUILD = f"""{_BEGIN}
# A volume of a ConfigMap has names with two dots that are no files of it.
for one in {_CONTEXT}/* {_CONTEXT}/.[!.]*; do
  if [ -e "$one" ]; then cp -rL "$one" "$HOME/context/"; fi
done
# Where a user namespace may mount it, overlay; vfs copies the whole base once for each of its layers.
if {_BUILDAH} overlay info >"$HOME/tmp/info" 2>&1; then driver=overlay; else driver=vfs; rm -rf "$HOME/storage"; fi
echo "$driver" >"$HOME/driver"
set --
for place in {" ".join(SETTINGS.values())}; do
  if [ -d "$place" ]; then set -- "$@" --volume "$place:$place:ro"; fi
done
exec {_BUILDAH} "$driver" build --layers=false "$@" --file "$HOME/context/Containerfile" --tag localhost/environment "$HOME/context"
"""
_CHECK = f"""{_BEGIN}
driver=$(cat "$HOME/driver")
made=$({_BUILDAH} "$driver" from --pull=never localhost/environment)
exec {_BUILDAH} "$driver" run --user {_ANY_USER} --env HOME=/tmp "$made" -- "$@"
"""
_PUSH = f"""{_BEGIN}
exec {_BUILDAH} "$(cat "$HOME/driver")" push --digestfile "$DIGEST_FILE" localhost/environment "docker://$TARGET"
"""


def containers(context: Context, plan: Plan, target: str, digest_file: str) -> list[dict]:
    """Return the containers of a build, in the order in which they work.

    target: what is pushed to. digest_file: path that gets the digest.
    """
    env = [{"name": "TARGET", "value": target}, {"name": "DIGEST_FILE", "value": digest_file}]
    if context.push_secret:
        env.append({"name": "REGISTRY_AUTH_FILE", "value": f"{_LOGIN}/config.json"})
    common = {
        "image": context.build.builder_image or BUILDER_IMAGE,
        "env": env,
        "workingDir": _WORK,
        "securityContext": SECURITY,
        "volumeMounts": _mounts(context),
        **({"resources": context.build.resources} if context.build.resources else {}),
    }
    verify = check(plan.imports, context.image.tests)
    return [
        {"name": "build", "command": ["/bin/sh", "-c", _BUILD], **common},
        {"name": "check", "command": ["/bin/sh", "-c", _CHECK, "check", *verify], **common},
        {"name": "push", "command": ["/bin/sh", "-c", _PUSH], **common},
    ]


def volumes(context: Context, plan: Plan, files: dict[str, bytes]) -> list[dict]:
    """Return the volumes that the containers mount."""
    return [
        {"name": "context", "configMap": {"name": record_name(plan.key), "items": items(files)}},
        {"name": "work", "emptyDir": {}},
        *({"name": name, **source} for name, _path, source in _given(context)),
    ]


def _mounts(context: Context) -> list[dict]:
    return [
        {"name": "context", "mountPath": _CONTEXT, "readOnly": True},
        {"name": "work", "mountPath": _WORK},
        *({"name": name, "mountPath": path, "readOnly": True} for name, path, _source in _given(context)),
    ]


def _given(context: Context) -> list[tuple[str, str, dict]]:
    """Return name, place and source of each volume of an object that the user names."""
    build, login = context.build, [{"key": ".dockerconfigjson", "path": "config.json"}]
    found = [
        ("settings-config", SETTINGS["config_map"], "configMap", "name", build.settings_config_map, {}),
        ("settings-secret", SETTINGS["secret"], "secret", "secretName", build.settings_secret, {}),
        ("login", _LOGIN, "secret", "secretName", context.push_secret, {"items": login}),
    ]
    return [(name, path, {kind: {key: named, **more}}) for name, path, kind, key, named, more in found if named]
