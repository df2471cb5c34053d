# SPDX-License-Identifier: GPL-3.0-or-later
"""From import names to distributions."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements import names, names_data


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("sklearn", "scikit-learn"),
        ("sklearn.linear_model", "scikit-learn"),
        ("cv2", "opencv-python"),
        ("PIL.Image", "pillow"),
        ("yaml", "pyyaml"),
        ("bs4", "beautifulsoup4"),
        ("attr", "attrs"),
        ("skimage.io", "scikit-image"),
        ("imblearn", "imbalanced-learn"),
        ("fitz", "pymupdf"),
        ("ee", "earthengine-api"),
        ("docx", "python-docx"),
        ("Crypto.Cipher", "pycryptodome"),
        ("OpenSSL", "pyopenssl"),
        ("dateutil.parser", "python-dateutil"),
        ("ruamel.yaml", "ruamel-yaml"),
        ("mpl_toolkits.mplot3d", "matplotlib"),
        ("mpl_toolkits.basemap", "basemap"),
        ("google.protobuf.json_format", "protobuf"),
        ("google.cloud.storage", "google-cloud-storage"),
        ("google.cloud.talent_v4beta1", "google-cloud-talent"),
        ("google.generativeai", "google-generativeai"),
        ("azure.storage.blob", "azure-storage-blob"),
        ("azure.ai.ml.entities", "azure-ai-ml"),
        ("tensorflow.keras.layers", "tensorflow"),
        ("win32com.client", "pywin32"),
        ("docker", "docker"),
        ("igraph", "igraph"),
        ("path", "path"),
        # no table: the distribution has the name of the module
        ("requests", "requests"),
        ("some_new_thing.part", "some-new-thing"),
        # not to be installed, or unknowable
        ("os.path", None),
        ("distutils", None),
        ("urllib2", None),
        ("google.colab.files", None),
        ("kaggle_secrets", None),
        ("google", None),
        ("google.nothing_known", None),
        ("_private", None),
        ("größe", None),
    ],
)
def test_distribution(module, distribution):
    assert names.distribution_of(module) == distribution


def test_what_pipreqs_only_heard_of_is_not_believed():
    assert names.distribution_of("demo") == "demo"
    assert names.distribution_of("atomic") == "atomic"
    assert names.distribution_of("models") == "models"


def test_it_works_without_pipreqs(monkeypatch):
    monkeypatch.setattr(names.importlib.util, "find_spec", lambda name: None)
    names._pipreqs_mapping.cache_clear()
    names.distribution_of.cache_clear()
    try:
        assert names._pipreqs_mapping() == {}
        assert names.distribution_of("sklearn") == "scikit-learn"
        assert names.distribution_of("unheard_of") == "unheard-of"
    finally:
        names._pipreqs_mapping.cache_clear()
        names.distribution_of.cache_clear()


def test_pipreqs_adds_names_that_our_table_lacks():
    pytest.importorskip("pipreqs")
    assert "stdnum" in names._pipreqs_mapping()
    assert names.distribution_of("pymavlink") == "pymavlink"
    assert names.distribution_of("swiftclient") == "python-swiftclient"


@pytest.mark.parametrize(
    ("package", "distribution"),
    [("pytorch", "torch"), ("opencv", "opencv-python"), ("numpy", "numpy"), ("r-base", None), ("ffmpeg", None)],
)
def test_conda_names(package, distribution):
    assert names.conda_distribution(package) == distribution


def test_every_entry_of_the_table_is_canonical():
    assert [name for name in names_data.MODULES.values() if names.canonical(name) != name] == []
