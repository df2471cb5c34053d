# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of Prometheus Operator's ServiceMonitor and PrometheusRule in v1, from the types of github.com/prometheus-operator
(pkg/apis/monitoring/v1). Relabelling, OAuth and what lists of labels are taken over is not looked into."""

from __future__ import annotations

from .core import TEXTS

_KEY = {"name": str, "key!": str, "optional": bool}
_SOURCE = {"secret": _KEY, "configMap": _KEY}
_TLS = {
    "ca": _SOURCE, "cert": _SOURCE, "keySecret": _KEY, "serverName": str, "insecureSkipVerify": bool, "minVersion": str,
    "maxVersion": str, "caFile": str, "certFile": str, "keyFile": str,
}  # fmt: skip
_EXPRESSION = {"key!": str, "operator!": str, "values": [str]}
_ENDPOINT = {
    "port": str, "targetPort": object, "path": str, "scheme": str, "params": object, "interval": str, "scrapeTimeout": str,
    "tlsConfig": _TLS, "bearerTokenFile": str, "bearerTokenSecret": _KEY, "basicAuth": object, "oauth2": object,
    "authorization": {"type": str, "credentials": _KEY}, "honorLabels": bool, "honorTimestamps": bool,
    "relabelings": [object], "metricRelabelings": [object], "followRedirects": bool, "enableHttp2": bool,
    "filterRunning": bool, "proxyUrl": str, "trackTimestampsStaleness": bool,
}  # fmt: skip
_RULE = {
    "record": str, "alert": str, "expr!": object, "for": str, "keep_firing_for": str, "labels": TEXTS,
    "annotations": TEXTS,
}  # fmt: skip
_GROUP = {
    "name!": str, "labels": TEXTS, "interval": str, "query_offset": str, "rules": [_RULE], "limit": int,
    "partial_response_strategy": str,
}  # fmt: skip

TABLES = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {
        "spec!": {
            "selector!": {"matchLabels": TEXTS, "matchExpressions": [_EXPRESSION]},
            "endpoints!": [_ENDPOINT],
            "namespaceSelector": {"any": bool, "matchNames": [str]},
            "jobLabel": str, "targetLabels": [str], "podTargetLabels": [str], "sampleLimit": int, "targetLimit": int,
            "labelLimit": int, "attachMetadata": {"node": bool}, "scrapeProtocols": [str], "keepDroppedTargets": int,
        }
    },
    ("monitoring.coreos.com/v1", "PrometheusRule"): {"spec!": {"groups": [_GROUP]}},
}  # fmt: skip
