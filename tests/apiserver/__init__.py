# SPDX-License-Identifier: GPL-3.0-or-later
"""An in-memory Kubernetes and OpenShift API server, a stand-in for tests; see README.md."""
