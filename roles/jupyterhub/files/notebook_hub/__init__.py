# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside the hub: its configuration by the settings that the role writes."""
