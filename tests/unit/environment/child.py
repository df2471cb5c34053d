# SPDX-License-Identifier: GPL-3.0-or-later
"""A second run beside the test: makes one environment, prints the text of each event and then the results as JSON."""

from __future__ import annotations

import json
import sys

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution

cache_dir, *lines = sys.argv[1:]
found = make(
    [Resolution("a.ipynb", "declared", tuple(lines))],
    cache_dir=cache_dir,
    progress=lambda event: print(event["text"], flush=True),
)
print(json.dumps([result.as_dict() for result in found]))
