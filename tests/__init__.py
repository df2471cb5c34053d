# SPDX-License-Identifier: GPL-3.0-or-later
"""A package, so that `python -m tests.apiserver` finds it before a distribution that installs its own `tests`."""
