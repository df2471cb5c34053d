# SPDX-License-Identifier: GPL-3.0-or-later
"""What builds for real need: registries, a base image, wheels and a cluster."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.base import BaseImage

sys.path.insert(0, str(Path(__file__).resolve().parent))
from buildah_support import ApiServer, Site, builder, lacking, namespace  # noqa: E402
from rootfs import layer, push  # noqa: E402
from wheels import RUNNER, make_wheel  # noqa: E402

from tests.registry import registry as start_registry  # noqa: E402


@pytest.fixture(scope="session")
def place():
    """A directory that the user of a pod can reach, as pytest's own directories cannot be."""
    if reason := lacking():
        pytest.skip(reason)
    found = Path(tempfile.mkdtemp(prefix="mlops-notebooks-buildah-"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


@pytest.fixture(scope="session")
def registry():
    """A registry that everybody may read and write."""
    with start_registry() as running:
        yield running


@pytest.fixture(scope="session")
def closed():
    """A registry that wants a login."""
    with start_registry(auth="basic") as running:
        yield running


@pytest.fixture(scope="session")
def base(registry):
    """An image with Python and pip, by digest."""
    return f"{registry.host}/python@{push(registry.host, 'python', [layer()])}"


@pytest.fixture(scope="session")
def wheelhouse(place):
    """What stands for a package index: it goes along with the build."""
    found = place / "wheelhouse"
    found.mkdir()
    for name, version in RUNNER.items():
        if name != "pip":  # the base has a true one
            make_wheel(found, name, version)
    make_wheel(found, "alpha", "1.0")
    make_wheel(found, "hollow", "1.0", module=None)
    return found


@pytest.fixture
def site(place, registry, closed, base, wheelhouse, tmp_path, monkeypatch):
    """A cluster without an image in it."""
    # The login files of whoever runs the tests are no part of them.
    for name in ("HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    directory = Path(tempfile.mkdtemp(dir=place))
    directory.chmod(0o755)
    image = builder(directory / "etc", [registry.host, closed.host])
    with ApiServer(profile="kubernetes", pods="process", directory=directory / "server", images={"*": image}) as server:
        namespace(server)
        yield Site(server, str(tmp_path), base, f"{registry.host}/made", wheelhouse, [])


@pytest.fixture
def out_of_sight(monkeypatch):
    """What a node pulls is not what this machine sees: nothing is asked before."""
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods import strategy

    monkeypatch.setattr(strategy, "inspect", lambda name: BaseImage(name, name.partition("@")[2]))
