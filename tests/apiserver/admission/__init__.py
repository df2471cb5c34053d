# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server changes and refuses after authorisation: each module has `admit(context)`, which raises ApiError."""
