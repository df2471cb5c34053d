# SPDX-License-Identifier: GPL-3.0-or-later
"""Results that are left on a claim, or in a bucket of S3, beside what the caller has."""

from __future__ import annotations

import json
import sys

import pytest
import urllib3
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

BUCKET = "verdicts"


@pytest.fixture
def s3(monkeypatch):
    """A service that speaks S3 on an ephemeral port, with a bucket; its credentials are in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-of-s3")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield client
    urllib3.request("POST", f"http://{host}:{port}/moto-api/reset")  # what it holds is that of the process
    server.stop()


@pytest.fixture
def site(simulated):
    simulated.server.pod_rules.add({"name": "*", "results": {"bad*": "cell_error", "*": "completed"}})
    return simulated


def bucket(s3, **more) -> dict:
    return {
        "bucket": {"name": BUCKET, "prefix": "team/", "endpoint": s3.meta.endpoint_url, "region": "us-east-1", **more}
    }


def objects(s3) -> dict[str, str]:
    """Return the names of what is in the bucket, and when each was written."""
    listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents") or []
    return {one["Key"]: f"{one['LastModified']} {one['ETag']}" for one in listed}


def content(s3, name: str):
    return json.loads(s3.get_object(Bucket=BUCKET, Key=name)["Body"].read())


def test_verdicts_and_notebooks_are_in_the_bucket_and_written_once(site, s3, monkeypatch):
    good, bad = site.notebook("good.ipynb", "1"), site.notebook("bad.ipynb", "1/0")
    first = site.validate(good, bad, results=bucket(s3))
    before = objects(s3)
    found = {content(s3, name)["notebook"]: name for name in before if name.endswith("verdict.json")}
    assert found.keys() == {good, bad} and all(name.startswith("team/") for name in before) and len(before) == 4
    verdict = content(s3, found[bad])
    assert (verdict["status"], verdict["code"]) == ("failed", first["by_name"][bad]["code"])
    assert content(s3, found[good].replace("verdict.json", "executed.ipynb"))["nbformat"] == 4

    from moto.s3.models import S3Backend

    written = []
    put = S3Backend.put_object
    monkeypatch.setattr(S3Backend, "put_object", lambda *given, **more: written.append(given) or put(*given, **more))
    again = site.validate(good, bad, results=bucket(s3))
    assert not again["changed"] and not written and objects(s3) == before, "the second call writes nothing"
    other = site.validate(good, bad, results=bucket(s3, prefix=""))
    assert not other["changed"] and len(written) == 4 and len(objects(s3)) == 8, "what is known goes to a new place too"


def test_check_mode_writes_nothing(site, s3):
    site.validate(site.notebook("good.ipynb", "1"), results=bucket(s3), check=True)
    assert objects(s3) == {}


def test_secrets_are_hidden_in_the_bucket_as_they_are_everywhere(real, s3, monkeypatch):
    monkeypatch.setenv("TOKEN", "t0ken-of-somebody")
    name = real.notebook("a.ipynb", "import os\nprint(os.environ['TOKEN'])")
    real.validate(name, pass_variables=["TOKEN"], results=bucket(s3))
    texts = [json.dumps(content(s3, one)) for one in objects(s3)]
    assert len(texts) == 2 and not any("t0ken-of-somebody" in text for text in texts)


@pytest.mark.parametrize(
    ("name", "endpoint", "sentence"),
    [("no-such-bucket", None, "NoSuchBucket"), (BUCKET, "http://127.0.0.1:1", "Could not connect")],
)
def test_a_bucket_that_takes_nothing_fails_the_call_and_loses_no_verdict(
    site, s3, monkeypatch, name, endpoint, sentence
):
    given = site.notebook("good.ipynb", "1")
    told = bucket(s3, name=name, **({"endpoint": endpoint} if endpoint else {}))
    with pytest.raises(EngineError, match=sentence) as caught:
        site.validate(given, results=told)
    assert caught.value.code == "results_unkept" and "s3cr3t-of-s3" not in caught.value.message
    assert caught.value.details["verdicts"][0]["status"] == "succeeded"
    assert site.validate(given)["by_name"][given]["cached"], "nothing has to run again"


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        ({"bucket": {"name": BUCKET, "endpoint": "ftp://x"}}, "endpoint"),
        ({"bucket": {"name": BUCKET, "prefix": "../x"}}, "prefix"),
        ({"bucket": {"name": ""}}, "no name"),
        ({"claim": "Kept!"}, "results.claim names"),
        ({"claim": "kept", "path": "/abs"}, "results.path"),
    ],
)
def test_results_that_cannot_be_meant_are_refused_before_anything_is_written(site, results, sentence):
    with pytest.raises(EngineError, match=sentence):
        site.validate(site.notebook("a.ipynb", "1"), results=results)
    assert not site.server.journal.writes()


def test_without_boto3_a_bucket_is_refused_by_its_name(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(EngineError, match="needs the Python package boto3") as caught:
        site.validate(site.notebook("a.ipynb", "1"), results={"bucket": {"name": BUCKET}})
    assert caught.value.code == "missing_library" and not site.server.journal.writes()


def claim(site, name: str = "kept"):
    """Make a claim; return the directory that stands for it."""
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": name, "namespace": "team"}
    site.server.system.create(
        "persistentvolumeclaims",
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec},
    )
    return site.server.directory / "claims" / "team" / name


def test_results_are_left_on_a_claim_that_no_notebook_can_write(real):
    place = claim(real)
    name = real.notebook("a.ipynb", "import os\nprint(os.path.exists('/kept'))")
    found = real.validate(name, results={"claim": "kept", "path": "runs"})["by_name"][name]
    (kept,) = (place / "runs").iterdir()
    assert sorted(one.name for one in kept.iterdir()) == ["executed.ipynb", "results.json"]
    told = json.loads((kept / "results.json").read_text())
    assert told["notebook"] == name and told["reason"] == "completed" and not found["warnings"]
    assert json.loads((kept / "executed.ipynb").read_text())["cells"][0]["outputs"][0]["text"] == ["False\n"]
    before = {one: one.stat().st_mtime_ns for one in place.rglob("*")}
    assert real.validate(name, results={"claim": "kept", "path": "runs"})["by_name"][name]["cached"]
    assert {one: one.stat().st_mtime_ns for one in place.rglob("*")} == before


def test_a_claim_that_takes_nothing_is_a_warning_and_the_verdict_stands(real):
    place = claim(real)
    place.mkdir(parents=True)
    (place / "runs").write_text("in the way")
    name = real.notebook("a.ipynb", "1")
    found = real.validate(name, results={"claim": "kept", "path": "runs"})["by_name"][name]
    assert found["status"] == "succeeded"
    assert found["warnings"] == ["The results could not be left on the claim (Not a directory)."]


def test_a_claim_and_secrets_that_are_to_be_hidden_exclude_each_other(site, monkeypatch):
    monkeypatch.setenv("TOKEN", "x")
    with pytest.raises(EngineError, match="use results.bucket"):
        site.validate(site.notebook("a.ipynb", "1"), results={"claim": "kept"}, pass_variables=["TOKEN"])
    assert not site.server.journal.writes()
