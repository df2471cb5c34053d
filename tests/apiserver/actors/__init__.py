# SPDX-License-Identifier: GPL-3.0-or-later
"""What lives in the cluster: controllers and kubelets, each on its own thread, woken by the store's events."""
