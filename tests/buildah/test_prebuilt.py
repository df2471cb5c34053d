# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the strategy `prebuilt` as processes: a user whom nobody knows, a root file system that nobody writes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.prebuilt import PrebuiltStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.unprivileged import PLACES
from buildah_support import ApiServer, auth, filled, namespace

IMAGE = "registry.example.com/team/notebook@sha256:" + "a" * 64
HOLDS = ("ipykernel", "papermill", "alpha")


def check(place, wheels, *names, spoil=lambda image: None):
    """Check an image that holds these packages, as the module does; return the result and what its check said."""
    directory, shown = Path(tempfile.mkdtemp(dir=place)), []
    directory.chmod(0o755)
    image = filled(directory / "image", wheels, *names)
    spoil(image)
    needed = Resolution("a.ipynb", "declared", (), imports={"alpha": "alpha"})
    with (
        ApiServer(pods="process", directory=directory / "server", images={"*": image}) as server,
        Cluster(auth(server)) as cluster,
    ):
        namespace(server)
        (made,) = make(
            (needed,), strategy="prebuilt", strategies=[PrebuiltStrategy()], base=IMAGE, cluster=cluster, namespace="team",
            cache_dir=str(directory / "cache"), timeout=60, progress=lambda event: shown.append(event["text"]),
        )  # fmt: skip
    return made, "\n".join(shown)


def test_an_image_passes(place, wheelhouse):
    made, said = check(place, wheelhouse, *HOLDS)
    assert made.build.phase == "Complete", said
    assert made.environment.reference == IMAGE


def test_an_image_without_a_module_does_not(place, wheelhouse):
    made, _said = check(place, wheelhouse, "ipykernel", "papermill")
    assert made.build.reason == "image_unfit" and "alpha" in made.build.message


def test_an_image_for_its_own_user_only_does_not(place, wheelhouse):
    made, _said = check(place, wheelhouse, *HOLDS, spoil=lambda image: image["packages"].chmod(0o700))
    assert made.build.reason == "permission_denied", made.build.message
    assert "site-packages: Permission denied for UID 1000990000" in made.build.message


def test_an_image_that_writes_beside_its_packages_does_not(place, wheelhouse):

    def spoil(image):
        source = image["packages"] / "papermill" / "__init__.py"
        source.write_text("open(__file__ + '.cache', 'w')\n")

    made, _said = check(place, wheelhouse, *HOLDS, spoil=spoil)
    assert made.build.reason == "permission_denied", made.build.message


def test_its_variables_name_places_that_can_be_written(place, wheelhouse):
    def spoil(image):
        source = image["packages"] / "papermill" / "__init__.py"
        source.write_text(f"import os\nfor name in {('HOME', *PLACES)}:\n    open(os.environ[name] + '/x', 'w')\n")

    made, said = check(place, wheelhouse, *HOLDS, spoil=spoil)
    assert made.build.phase == "Complete", said


def test_an_image_without_python_does_not(place, wheelhouse):
    made, _said = check(place, wheelhouse, *HOLDS, spoil=lambda image: image["env"].update(PATH="/nowhere"))
    assert made.build.reason == "image_unfit" and "no python3 on its PATH" in made.build.message
