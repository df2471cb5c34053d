# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub's configuration: all of it is in the package beside this file, and in the settings that it reads."""

from notebook_hub.configuration import configure

# traitlets gives `c` to its files.
configure(c)  # noqa: F821  # pylint: disable=undefined-variable
