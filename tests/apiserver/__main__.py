# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.apiserver`: serve until SIGTERM or SIGINT; one JSON line says how to reach it."""

from __future__ import annotations

import argparse
import json
import signal
import threading

from .clock import ManualClock, RealClock
from .server import PODS, PROFILES, ApiServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.apiserver", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="kubernetes")
    parser.add_argument("--version", default="1.36", help="of Kubernetes")
    parser.add_argument("--clock", choices=("real", "manual"), default="real")
    parser.add_argument("--pods", choices=PODS, default="simulated")
    parser.add_argument("--aggregated-discovery", choices=("on", "off"), default="on")
    parser.add_argument("--directory", help="for the certificates, the kubeconfig and the volumes; kept at the end")
    parser.add_argument(
        "--images", type=json.loads, default={}, help="JSON; what images are to a pod that is a process"
    )
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_arguments: ended.set())
    clock = ManualClock() if options.clock == "manual" else RealClock()
    with ApiServer(
        options.profile,
        options.version,
        clock,
        options.pods,
        options.aggregated_discovery == "on",
        options.directory,
        options.images,
    ) as server:
        ready = {"url": server.url, "token": server.token, "ca_file": server.ca_file, "kubeconfig": server.kubeconfig}
        print(json.dumps(ready), flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
