# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept: in use it stays, gone it is said, and no lock outlives its holder."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.store import Store
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution

HOLD = """
import sys
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.store import Store
with Store(sys.argv[1]).using(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def made(cache_dir, lines):
    return make([Resolution("a.ipynb", "declared", lines("alpha"))], cache_dir=str(cache_dir))[0]


def age(store, key, seconds):
    stamp = time.time() - seconds
    os.utime(os.path.join(store.path(key), "environment.json"), (stamp, stamp))


def names(store):
    return sorted(os.listdir(store.root))


def test_what_another_process_uses_is_neither_removed_nor_rebuilt(cache_dir, lines, made):
    store = Store(str(cache_dir))
    user = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(cache_dir), made.key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout.readline() == "held\n"
    age(store, made.key, 5000)
    assert store.prune(0, 1.0) == [] and store.delete(made.key) is False
    asked = [Resolution("a.ipynb", "declared", lines("alpha"))]
    build = make(asked, cache_dir=str(cache_dir), reuse="never")[0].build
    assert build.reason == "environment_in_use" and made.key in build.message
    assert make(asked, cache_dir=str(cache_dir))[0].environment.cached, "others may use it too"
    user.kill()
    user.communicate()
    age(store, made.key, 5000)
    assert store.prune(0, None) == [made.key]
    assert names(store) == [], "no lock outlives its holder"


def test_use_keeps_an_environment_young_and_leaves_no_lock(cache_dir, made):
    store = Store(str(cache_dir))
    age(store, made.key, 5000)
    with store.using(made.key) as place, store.using(made.key):
        assert place == made.environment.reference
    assert store.prune(None, 1000.0) == []
    assert names(store) == [made.key]


def test_what_is_gone_is_said(cache_dir, made):
    store = Store(str(cache_dir))
    assert store.delete(made.key) is True
    with pytest.raises(EngineError, match="make it again"), store.using(made.key):
        pass
    assert names(store) == []


def test_bytecode_that_nobody_takes_is_removed(cache_dir, lines, made):
    kept = list((cache_dir / "bytecode").glob("*/*"))
    assert kept
    stamp = time.time() - 5000
    os.utime(kept[0], (stamp, stamp))
    make([Resolution("a.ipynb", "declared", lines("alpha"))], cache_dir=str(cache_dir), max_age=1000.0)
    assert list((cache_dir / "bytecode").glob("*/*")) == kept[1:]
