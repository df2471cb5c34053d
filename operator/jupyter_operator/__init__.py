# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator of JupyterNotebooks. See docs/jupyter-operator.md."""
