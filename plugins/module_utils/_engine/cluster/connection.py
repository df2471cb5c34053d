# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cluster is and who we are there: the options of kubernetes.core, a kubeconfig, or the account of the pod."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from .errors import ClusterError

_CONNECTIONS = 100  # that threads keep between their requests; what is beyond makes a new one each time
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# Options that the Configuration of the kubernetes package takes under a name of its own.
_SETTINGS = {
    "host": "host",
    "validate_certs": "verify_ssl",
    "ca_cert": "ssl_ca_cert",
    "client_cert": "cert_file",
    "client_key": "key_file",
    "proxy": "proxy",
    "no_proxy": "no_proxy",
}


@dataclass(frozen=True)
class Connection:
    """A way to one API server.

    configuration: a ``kubernetes.client.Configuration``. namespace: the one to work in where none is named.
    headers: sent with each request, as pairs, since impersonation repeats one.
    """

    configuration: object = field(repr=False)
    namespace: str
    headers: tuple[tuple[str, str], ...] = ()


def is_configured(auth: dict) -> bool:
    """Return whether anything names a cluster: an option, a pod's service account, or a kubeconfig file."""
    if any(auth.get(name) for name in ("host", "kubeconfig", "context")):
        return True
    return _in_cluster() or any(os.path.exists(path) for path in _kubeconfig_files())


def connect(auth: dict) -> Connection:
    """Return the connection that the options describe, read anew from wherever they point to.

    auth: the options of ``kubernetes.core.k8s_auth_options`` by name; None and "" count as not given. The order is that
    of kubernetes.core: options that suffice by themselves, the kubeconfig named, the pod's account, the user's
    kubeconfig; then every option given overrides what was found.
    Raises ClusterError (``cluster_config``) where they cannot be used.
    """
    from kubernetes.client import Configuration

    auth = {name: value for name, value in auth.items() if value not in (None, "", {}, [])}
    configuration = Configuration()
    namespace = None
    if not _suffices(auth):
        namespace = _load(auth, configuration)
    for name, attribute in _SETTINGS.items():
        if name in auth:
            value = auth[name].rstrip("/") if name == "host" else auth[name]
            setattr(configuration, attribute, value)
    _check_files(configuration)
    if "proxy_headers" in auth:
        configuration.proxy_headers = _proxy_headers(auth["proxy_headers"])
    if "api_key" in auth:
        configuration.api_key = {"authorization": f"Bearer {auth['api_key']}"}
        configuration.refresh_api_key_hook = None
    configuration.retries = False  # the room's own rules say what may be repeated
    configuration.connection_pool_maxsize = _CONNECTIONS
    return Connection(configuration, namespace or "default", _impersonation(auth))


def _suffices(auth: dict) -> bool:
    pairs = (("username", "password"), ("api_key",), ("client_cert", "client_key"))
    return "host" in auth and any(all(name in auth for name in names) for names in pairs)


def _load(auth: dict, configuration) -> str | None:
    """Fill the configuration from a kubeconfig or the pod's account; returns the namespace that goes with it."""
    from kubernetes.config import load_incluster_config

    if not ("kubeconfig" in auth or "context" in auth) and _in_cluster():
        load_incluster_config(client_configuration=configuration)
        return _text(os.path.join(_ACCOUNT, "namespace"))
    return _load_kubeconfig(auth, configuration)


def _load_kubeconfig(auth: dict, configuration) -> str | None:
    from kubernetes.config import ConfigException, load_kube_config, load_kube_config_from_dict

    kubeconfig = auth.get("kubeconfig")
    options = {
        "client_configuration": configuration,
        "persist_config": bool(auth.get("persist_config")),
    }
    if isinstance(kubeconfig, dict):
        contents, where = [kubeconfig], "The kubeconfig given"
    else:
        files = [kubeconfig] if kubeconfig else _kubeconfig_files()
        contents, where = _read(files), f"The kubeconfig {os.pathsep.join(files)}"
    options["context"], chosen = _context(contents, auth.get("context"), where)
    try:
        if isinstance(kubeconfig, dict):
            load_kube_config_from_dict(kubeconfig, **options)
        else:
            load_kube_config(config_file=os.pathsep.join(files), **options)
    except (ConfigException, KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        # The library quotes the whole document where an entry is missing in it.
        words = str(error).partition(" in {")[0].partition("\n")[0][:200]
        raise _unusable(f"{where} cannot be used: {words.rstrip('.')}.") from None
    return chosen.get("namespace")


def _read(paths: list[str]) -> list[dict]:
    import yaml

    # As kubectl: of several files (KUBECONFIG=a:b) those that are missing are passed over.
    single = [part for path in paths for part in os.path.expanduser(path).split(os.pathsep) if part]
    found = []
    for path in single:
        try:
            with open(path, encoding="utf-8") as stream:
                content = yaml.safe_load(stream) or {}
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise _unusable(
                f"The kubeconfig {path} cannot be read: {getattr(error, 'strerror', 'it is no text')}."
            ) from None
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
            raise _unusable(f"The kubeconfig {path} is not YAML: see its line {line}.") from None
        if not isinstance(content, dict):
            raise _unusable(
                f"The kubeconfig {path} is not a kubeconfig: it must be a mapping with clusters, users and contexts."
            )
        found.append(content)
    if not found:
        raise _unusable(
            f"There is no kubeconfig at {os.pathsep.join(single)}: give kubeconfig, or host and api_key, "
            "or log in so that one is written."
        )
    return found


def _context(contents: list[dict], name: str | None, where: str) -> tuple[str, dict]:
    """Return the name and content of the context that is used; the first file that says a thing wins, as with kubectl."""
    wanted = name or next((one["current-context"] for one in contents if one.get("current-context")), None)
    known = {}
    for one in contents:
        for entry in one.get("contexts") or []:
            if isinstance(entry, dict):
                known.setdefault(entry.get("name"), entry.get("context") or {})
    choices = ", ".join(sorted(map(str, known))) or "none"
    if not wanted:
        raise _unusable(f"{where} has no current context: name one with context (it has: {choices}).")
    if wanted not in known:
        raise _unusable(f"{where} has no context {wanted!r}: name another one with context (it has: {choices}).")
    return wanted, known[wanted]


def _kubeconfig_files() -> list[str]:
    named = os.environ.get("KUBECONFIG") or "~/.kube/config"
    return [os.path.expanduser(part) for part in named.split(os.pathsep) if part]


def _in_cluster() -> bool:
    names = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
    return all(os.environ.get(name) for name in names) and os.path.isfile(os.path.join(_ACCOUNT, "token"))


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read().strip() or None
    except OSError:
        return None


def _check_files(configuration) -> None:
    names = {"ssl_ca_cert": "ca_cert", "cert_file": "client_cert", "key_file": "client_key"}
    for attribute, option in names.items():
        path = getattr(configuration, attribute)
        if path and not os.access(path, os.R_OK):
            raise _unusable(f"The file {path} that {option} names cannot be read: give one that can.")


def _proxy_headers(given: dict):
    from urllib3.util import make_headers

    names = ("proxy_basic_auth", "basic_auth", "user_agent")
    return make_headers(**{name: given[name] for name in names if given.get(name)})


def _impersonation(auth: dict) -> tuple[tuple[str, str], ...]:
    """User impersonation (Kubernetes, "Authenticating": Impersonate-User, one Impersonate-Group for each group)."""
    headers = [("Impersonate-User", auth["impersonate_user"])] if "impersonate_user" in auth else []
    return tuple(headers + [("Impersonate-Group", group) for group in auth.get("impersonate_groups", ())])


def _unusable(message: str) -> ClusterError:
    return ClusterError(message, "cluster_config", sent=False)
