# SPDX-License-Identifier: GPL-3.0-or-later
"""How notebooks run where they may do least: as whom, and which variables keep their files below one directory."""

from __future__ import annotations

import os

# Stands for the random UID of a run: high, in no user database; its group is 0, as OpenShift's pods have it.
UNPRIVILEGED = 1000990000

# What a variable names below the home directory. run/program.py, which stands alone, has the same list.
PLACES = {
    "TMPDIR": "tmp",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_RUNTIME_DIR": ".run",
    "IPYTHONDIR": ".ipython",
    "JUPYTER_CONFIG_DIR": ".jupyter",
    "JUPYTER_DATA_DIR": ".local/share/jupyter",
    "JUPYTER_RUNTIME_DIR": ".run/jupyter",
    "MPLCONFIGDIR": ".config/matplotlib",
    "NUMBA_CACHE_DIR": ".cache/numba",
}

# Of a container: what Pod Security `restricted` asks for, and a root file system that nobody writes.
SEALED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def variables(home: str) -> dict[str, str]:
    """Return the environment variables of a run whose home directory is this one; their directories have to be made."""
    places = {name: os.path.join(home, place) for name, place in PLACES.items()}
    return {"HOME": home, "USER": "notebook", "LOGNAME": "notebook", **places}


def pod_security(gives_uid: bool) -> dict:
    """Return the securityContext of a pod (Kubernetes, "Pod Security Standards", restricted).

    gives_uid: the cluster chooses a UID itself, as OpenShift's security context constraints do.
    """
    user = {} if gives_uid else {"runAsUser": UNPRIVILEGED, "runAsGroup": 0}
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **user}
