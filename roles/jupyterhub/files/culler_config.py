# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the idle culler: which server is stopped when is said by the package beside this file."""

from notebook_hub.culling import configure

# traitlets gives `c` to its files.
configure(c)  # noqa: F821  # pylint: disable=undefined-variable
