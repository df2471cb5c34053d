# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of a job in a ConfigMap: what is in it, what is left out, and that it goes with the job."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from base64 import b64decode
from xml.etree import ElementTree

import pytest
from test_many import job
from test_steps import bench

pytest.importorskip("nbconvert")
from notebook_operator.work import artifacts  # noqa: E402

__all__ = ["bench"]
ALL = {"formats": ["junit", "json", "html", "executed"]}


def report(bench, name: str = "job") -> dict:
    return bench.server.system.get("configmaps", "team", f"{name}-report")


def unpacked(found: dict, name: str) -> dict[str, bytes]:
    data = b64decode(found["binaryData"][name])
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive.getmembers()}


def test_the_reports_of_a_job_are_files_of_a_config_map_that_goes_with_it(bench):
    bench.site.notebook("bad.ipynb", "1", "2")
    status = bench.status("job", "bad.ipynb", artifacts=ALL)
    assert status["artifacts"] == {
        "configMap": "job-report", "files": ["executed.ipynb", "html.tar.gz", "junit.xml", "report.json"]
    }  # fmt: skip
    found = report(bench)
    (case,) = ElementTree.fromstring(found["data"]["junit.xml"]).iter("testcase")
    assert case.find("failure") is not None
    (verdict,) = json.loads(found["data"]["report.json"])["verdicts"]
    assert verdict["code"] == status["code"] and verdict["executed"] is None
    assert json.loads(found["data"]["executed.ipynb"])["cells"]
    pages = unpacked(found, "html.tar.gz")
    (page,) = [name for name in pages if name.startswith("notebooks/")]
    assert page in pages["index.html"].decode() and '.ipynb"' not in pages[page].decode()
    bench.team.delete("job")
    bench.team.until("configmaps", lambda found: found["metadata"]["name"].startswith("notebook-verdict"))
    bench.team._without("configmaps", lambda: not bench.server.system.find("configmaps", "team", "job-report"))


def test_the_executed_notebooks_of_many_have_their_own_paths(bench):
    for name in ("a/1.ipynb", "b/1.ipynb"):
        bench.site.notebook(name, "1")
    job(bench, "**/*.ipynb", artifacts={"formats": ["executed", "junit"]})
    status = bench.team.ended("job")
    assert status["artifacts"]["files"] == ["executed.tar.gz", "junit.xml"]
    assert sorted(unpacked(report(bench), "executed.tar.gz")) == ["a/1.ipynb", "b/1.ipynb"]


def test_what_does_not_fit_is_left_out_and_named(bench, monkeypatch):
    monkeypatch.setattr(artifacts, "_MOST", 12_000)
    for number in range(12):
        bench.site.notebook(f"{number:02}.ipynb", "1")
    job(bench, "*.ipynb", artifacts={"formats": ["junit", "executed"]})
    told = bench.team.ended("job")["artifacts"]
    kept = unpacked(report(bench), "executed.tar.gz")
    assert 0 < len(kept) < 12 and told["omittedCount"] == 12 - len(kept)
    assert set(told["omitted"]) == {f"{number:02}.ipynb" for number in range(12)} - set(kept)
    event = bench.team.event("job", "ArtifactsLeftOut")
    assert event["type"] == "Warning" and told["omitted"][0] in event["message"]
    assert len(json.dumps([report(bench)["data"], report(bench)["binaryData"]])) < 13_000


def test_a_config_map_of_somebody_else_is_left_alone(bench):
    mine = {"metadata": {"name": "job-report", "namespace": "team"}, "data": {"mine": "x"}}
    bench.server.system.create("configmaps", mine)
    bench.site.notebook("a.ipynb", "1")
    status = bench.status("job", "a.ipynb", artifacts=ALL)
    assert status["phase"] == "Succeeded" and "configMap" not in status["artifacts"]
    assert report(bench)["data"] == {"mine": "x"}
    assert "not of this job" in bench.team.event("job", "ArtifactsLeftOut")["message"]


def test_a_spec_without_artifacts_removes_those_of_the_one_before(bench):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb", artifacts={"formats": ["junit"]})
    assert report(bench)
    changed = bench.team.job("job", "a.ipynb", bench.commit)
    changed["spec"]["artifacts"] = None
    bench.team.apply(changed)
    assert "artifacts" not in bench.team.ended("job", generation=2)
    assert bench.server.system.find("configmaps", "team", "job-report") is None
    assert len(bench.team.made()) == 1, "the verdict is known"


def test_pods_leave_their_results_on_a_claim_and_another_claim_is_another_run(bench):
    bench.site.notebook("a.ipynb", "1")
    seen = []
    bench.server.store.subscribe(
        lambda event, resource, found: event == "ADDED" and resource.plural == "jobs" and seen.append(found)
    )
    for claim in ("results", "more"):
        metadata, wanted = (
            {"name": claim, "namespace": "team"},
            {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        )
        bench.server.system.create("persistentvolumeclaims", {"metadata": metadata, "spec": wanted})
    for name, claim in (("first", "results"), ("same", "results"), ("other", "more")):
        status = bench.status(name, "a.ipynb", artifacts={"claim": {"name": claim, "path": "runs"}})
        assert status["phase"] == "Succeeded", status["message"]
    bench.server.store.flush()
    volumes = [{one["name"]: one for one in made["spec"]["template"]["spec"]["volumes"]} for made in seen]
    assert [one["kept"]["persistentVolumeClaim"]["claimName"] for one in volumes] == ["results", "more"]


def test_names_of_config_maps_are_no_longer_than_a_name_may_be():
    assert artifacts.name_of("job") == "job-report"
    long = {artifacts.name_of("x" * 252 + end) for end in "ab"}
    assert len(long) == 2 and max(map(len, long)) <= 253
