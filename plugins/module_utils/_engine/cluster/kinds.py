# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of Kubernetes itself that several rooms ask for by their paths."""

from __future__ import annotations

from .discovery import Resource

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", True)
EVENTS = Resource("", "v1", "events", "Event", True)
JOBS = Resource("batch", "v1", "jobs", "Job", True)
PODS = Resource("", "v1", "pods", "Pod", True)
SECRETS = Resource("", "v1", "secrets", "Secret", True)
