# SPDX-License-Identifier: GPL-3.0-or-later
"""Models beside the notebooks that call them: checked before, after, and told of by variables."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .conftest import write_notebook

CALL = """
import json, os, urllib.request
url = json.loads(os.environ["MODEL_VALIDATION_URLS"])["doubler"]
data = os.environ["MODEL_VALIDATION_PREDICTION_TEST_DATA"]
request = urllib.request.Request(url + "/v1/models/doubler:predict", json.dumps({"instances": json.loads(data)}).encode())
assert json.load(urllib.request.urlopen(request))["predictions"] == [2.0, 4.0]
assert os.environ["MODEL_VALIDATION_TARGET_MODELS"] == "doubler"
"""


@pytest.fixture
def model():
    """A server of the protocol v1 whose model doubles numbers; `requests` tells what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.reply({"name": "doubler", "ready": True})

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.reply({"predictions": [2 * number for number in asked["instances"]]})

        def reply(self, body):
            server.requests.append(f"{self.command} {self.path}")
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def asked(model, expected: list) -> list[dict]:
    return [{"name": "doubler", "url": model.url, "test_data": [1.0, 2.0], "expected_output": expected}]


def report(played) -> dict:
    return json.loads((played.work / "validation-report" / "report.json").read_text())


def test_notebooks_are_not_run_where_a_model_fails_before_them(play, tmp_path, model):
    source = tmp_path / "source"
    write_notebook(source / "a.ipynb", "open('/no/such/file')")
    write_notebook(source / "b.ipynb", "print('fine')")
    played = play(source=str(source), models=asked(model, [2.0, 5.0]), fail_on="never")
    assert played.status == 0, played.text
    assert played.codes == dict.fromkeys(["a.ipynb", "b.ipynb"], "model_prediction_mismatch")
    found = report(played)
    assert found["summary"]["environments"] == 0
    assert found["verdicts"][0]["cause"] == "The prediction of doubler is 4.0 at $[1], expected 5.0."
    assert [one["code"] for one in found["models"]] == ["model_prediction_mismatch"]


def test_notebooks_find_the_models_by_variables_and_a_second_run_changes_nothing(play, tmp_path, model):
    source = tmp_path / "source"
    write_notebook(source / "calls.ipynb", CALL)
    played = play(source=str(source), models=asked(model, [2.0, 4.0]), models_when="both")
    assert played.status == 0, played.text
    assert report(played)["models"][0]["checks"]["prediction"]["status"] == "passed"
    # Before, by the notebook, and after.
    assert [request.split()[0] for request in model.requests] == ["GET", "POST", "POST", "GET", "POST"]
    again = play(source=str(source), models=asked(model, [2.0, 4.0]), models_when="both")
    assert (again.status, again.changed) == (0, 0), again.text


def test_a_model_that_fails_after_the_notebooks_fails_the_play(play, tmp_path, model):
    source = tmp_path / "source"
    write_notebook(source / "calls.ipynb", CALL)
    played = play(source=str(source), models=asked(model, [9.0, 9.0]), models_when="after")
    assert played.status == 2 and "Models failed: doubler." in played.text, played.text
    assert played.codes == {"calls.ipynb": None}
    assert report(played)["models"][0]["code"] == "model_prediction_mismatch"
    assert [request.split()[0] for request in model.requests] == ["POST", "GET", "POST"]
