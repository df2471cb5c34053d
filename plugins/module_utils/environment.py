# SPDX-License-Identifier: GPL-3.0-or-later
"""Public: what a strategy of another collection is made of, and the module around it.

A strategy of another collection is a module of that collection. Its whole code is a subclass of ``Strategy`` and

    main(strategies=[MyStrategy()])

Users name it in ``strategy`` of ``mlops.notebooks.notebook_environment``. See docs/strategies.md.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re

from ansible.module_utils.common.text.formatters import human_to_bytes

from ._ansible import PROGRESS_SPEC
from ._ansible import main as run_module
from ._engine.environment.builders import BUILDERS
from ._engine.environment.buildlog import BuildLog
from ._engine.environment.image.base import is_image
from ._engine.environment.key import content_key
from ._engine.environment.lines import parse, without_credentials
from ._engine.environment.make import REUSE, make
from ._engine.environment.pods.prebuilt import PrebuiltStrategy
from ._engine.environment.process import stream
from ._engine.environment.store import Store
from ._engine.environment.strategy import BuildOptions, Context, Detection, GitSource, ImageOptions, Plan, Strategy
from ._engine.values.environment import Build, Environment, EnvironmentResult
from ._engine.values.errors import EngineError
from ._engine.values.resolution import Resolution
from ._engine.verdict.sanitize import clean
from ._engine.verdict.taxonomy import entry
from ._kubernetes import AUTH_SPEC, auth_options, connect, secrets

__all__ = [
    "ARGUMENT_SPEC", "Build", "BuildLog", "Context", "Detection", "EngineError", "Environment", "Plan", "Resolution",
    "Store", "Strategy", "content_key", "main", "parse", "stream",
]  # fmt: skip

_OWN = (*BUILDERS, PrebuiltStrategy)
_INSTALL_FAILED = "dependency_install_failed"

ARGUMENT_SPEC = {
    **AUTH_SPEC,
    "namespace": {"type": "str"},
    "shared_namespace": {"type": "str"},
    "strategy": {"type": "str", "default": "auto"},
    "resolutions": {"type": "list", "elements": "dict", "required": True},
    "community": {"type": "str"},
    "source": {
        "type": "dict",
        "options": {
            "path": {"type": "path"},
            "url": {"type": "str"},
            "ref": {"type": "str"},
            "context_dir": {"type": "str"},
            "secret": {"type": "str", "no_log": False},
        },
        "mutually_exclusive": [("path", "url")],
        "required_one_of": [("path", "url")],
        "required_by": dict.fromkeys(("ref", "context_dir", "secret"), "url"),
    },
    "base": {"type": "str"},
    "repository": {"type": "str"},
    "push_secret": {"type": "str", "no_log": False},
    "image": {
        "type": "dict",
        "options": {
            "packages": {"type": "list", "elements": "str", "default": []},
            "labels": {"type": "dict", "default": {}},
            "tests": {"type": "list", "elements": "str", "default": []},
            "containerfile": {"type": "str"},
            "multi_stage": {"type": "bool", "default": False},
        },
    },
    "build": {
        "type": "dict",
        "options": {
            "service_account": {"type": "str"},
            "resources": {"type": "dict", "default": {}},
            "node_selector": {"type": "dict", "default": {}},
            "settings_config_map": {"type": "str"},
            "settings_secret": {"type": "str", "no_log": False},
            "builder_image": {"type": "str"},
            "keep_complete": {"type": "int", "default": 1},
            "keep_failed": {"type": "int", "default": 2},
        },
    },
    "reuse": {"type": "str", "default": "if-exists", "choices": list(REUSE)},
    "timeout": {"type": "int", "default": 1800},
    "cache_dir": {"type": "path"},
    "installer": {"type": "str", "default": "auto", "choices": ["auto", "uv", "pip"]},
    "max_size": {"type": "str", "default": "20G"},
    "max_age": {"type": "int", "default": 30},
    **PROGRESS_SPEC,
}


def main(strategies=()) -> None:
    """Run the module ``notebook_environment`` with further strategies."""
    run_module(ARGUMENT_SPEC, lambda module, progress: _make(module, progress, strategies), supports_check_mode=True)


def _make(module, progress, strategies) -> dict:
    params = module.params
    resolutions = [_resolution(number, item) for number, item in enumerate(params["resolutions"], 1)]
    # Ansible masks these wherever they turn up in what the module returns, its arguments among them.
    module.no_log_values.update(_passwords(resolutions, (params["source"] or {}).get("url")))
    with _cluster(module) as cluster:
        results = make(
            resolutions,
            strategy=params["strategy"],
            source=_directory(params["source"]),
            git=_git(params["source"]),
            base=params["base"],
            reuse=params["reuse"],
            timeout=_positive(params, "timeout"),
            cache_dir=params["cache_dir"],
            installer=params["installer"],
            max_size=_bytes(params["max_size"]),
            max_age=_positive(params, "max_age") * 86400.0,
            check=module.check_mode,
            progress=progress,
            strategies=[*(kind(lambda code: entry(code).retryable) for kind in _OWN), *strategies],
            community=params["community"],
            cluster=cluster,
            namespace=params["namespace"],
            shared_namespace=params["shared_namespace"],
            repository=params["repository"],
            push_secret=params["push_secret"],
            image=_image(params["image"]),
            build=BuildOptions(**params["build"] or {}),
            clean=functools.partial(clean, secrets=secrets(auth_options(params))) if cluster else without_credentials,
        )
    answer = _answer(results)
    failed = [result for result in results if result.build.phase == "Failed"]
    if failed:
        code = failed[0].build.reason
        raise EngineError(_told(failed, len(results)), code=code, advice=_advice(code), **answer)
    return answer


def _cluster(module):
    """Return the cluster that is named, where there is an image to build upon; else a context of nothing."""
    upon_image = is_image(module.params["base"]) or (module.params["image"] or {}).get("containerfile")
    if module.params["strategy"] == "venv" or not upon_image:
        return contextlib.nullcontext()
    return connect(module) or contextlib.nullcontext()


def _advice(code: str) -> list[str]:
    """Return what to do about a failed build: about its cause, and about installing packages where notebooks run."""
    own, general = entry(code), entry(_INSTALL_FAILED)
    return list(dict.fromkeys([*own.advice, *(general.advice if own.category == _INSTALL_FAILED else ())]))


def _answer(results: list[EnvironmentResult]) -> dict:
    shown = [_without_credentials(result.as_dict()) for result in results]
    first = shown[0] if shown else {"environment": None, "build": None}
    before = [item for item in shown if item["build"]["phase"] == "Cached"]
    return {
        "changed": any(result.build.phase in ("Complete", "Planned") for result in results),
        "environments": shown,
        "environment": first["environment"],
        "build": first["build"],
        "warnings": list(dict.fromkeys(words for result in results for words in result.warnings)),
        "diff": {
            "before": _listed(before),
            "after": _listed(item for item in shown if item["build"]["phase"] != "Failed"),
        },
    }


def _listed(items) -> str:
    """Return environments as text for diff mode, a line for each and for each of its requirements."""
    return "".join(f"{item['key']}\n" + "".join(f"  {line}\n" for line in item["requirements"]) for item in items)


def _told(failed: list[EnvironmentResult], count: int) -> str:
    first = failed[0]
    which = first.notebooks[0] + (f" and {len(first.notebooks) - 1} more" if len(first.notebooks) > 1 else "")
    others = (
        f"{len(failed)} of {count} environments could not be made. The first, for"
        if count > 1
        else "The environment for"
    )
    return f"{others} {which}: {first.build.message}"


def _resolution(number: int, item: dict) -> Resolution:
    lines = item.get("requirements") or []
    if (
        not isinstance(item.get("notebook"), str)
        or not isinstance(lines, list)
        or not all(isinstance(x, str) for x in lines)
    ):
        raise EngineError(
            f"resolutions, item {number}: a resolution is a dict with 'notebook' (text) and 'requirements' (a list of text),"
            " as notebook_requirements returns it."
        )
    return Resolution.from_dict({"tier": "declared", **item, "requirements": lines})


def _directory(source: dict | None) -> str | None:
    if source is None or source["path"] is None:
        return None
    if not os.path.isdir(source["path"]):
        raise EngineError(f"source.path names {source['path']}, which is no directory.", code="source_unavailable")
    return os.path.abspath(source["path"])


def _git(source: dict | None) -> GitSource | None:
    if source is None or source["url"] is None:
        return None
    return GitSource(source["url"], source["ref"], source["context_dir"], source["secret"])


def _image(options: dict | None) -> ImageOptions:
    if options is None:
        return ImageOptions()
    labels = {str(name): str(value) for name, value in options["labels"].items()}
    return ImageOptions(
        **{**options, "labels": labels, **{name: tuple(options[name]) for name in ("packages", "tests")}}
    )


def _positive(params: dict, name: str) -> int:
    if params[name] <= 0:
        raise EngineError(f"{name} must be more than 0, not {params[name]}.")
    return params[name]


def _bytes(text: str) -> int:
    try:
        return human_to_bytes(text)
    except ValueError:
        raise EngineError(
            f"max_size must be a number of bytes with or without a unit, such as 20G, not {text}."
        ) from None


def _without_credentials(item):
    if isinstance(item, dict):
        return {key: _without_credentials(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_without_credentials(value) for value in item]
    return without_credentials(item) if isinstance(item, str) else item


def _passwords(resolutions: list[Resolution], url: str | None) -> set[str]:
    text = "\n".join((url or "", *(line for resolution in resolutions for line in resolution.requirements)))
    # Without a password, the user of an http address is a token.
    pairs = re.findall(r"://[^/@\s:]*:([^/@\s]+)@|https?://([^/@\s:]+)@", text)
    return {found for pair in pairs for found in pair if found}
