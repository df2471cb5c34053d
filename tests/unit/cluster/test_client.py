# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests: what is repeated, what is read back, what is said when nothing helps."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading

import pytest
import yaml
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import MANAGER, Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline, pause
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from cluster_support import auth, grant

from tests.apiserver.pki import Authority

MAPS = "/api/v1/namespaces/team/configmaps"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def config_map(name: str = "a") -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}


def posts(server) -> list[int]:
    return [entry.status for entry in server.journal.entries("^POST")]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("drop", {}),
        ("truncate", {}),
        ("status", {"status": 500}),
        ("status", {"status": 503}),
        ("status", {"status": 504}),
    ],
)
def test_a_read_is_repeated(kind, options, server, cluster):
    cluster.create(MAPS, config_map())
    server.faults.add(kind, MAPS, count=2, **options)
    assert cluster.get(f"{MAPS}/a")["data"] == {"a": "1"}


def test_what_the_server_did_not_take_up_is_repeated_even_if_it_writes(server, cluster):
    server.faults.add("status", MAPS, status=429, seconds=0)
    cluster.create(MAPS, config_map())
    assert posts(server) == [429, 201]


def test_an_answer_that_was_lost_is_read_back_and_not_created_again(server, cluster):
    server.faults.add("drop-after-write", MAPS, method="POST")
    assert cluster.create(MAPS, config_map())["data"] == {"a": "1"}
    assert len(posts(server)) == 1


@pytest.mark.parametrize("kind", ["drop", "status"])
def test_a_create_that_did_not_arrive_is_sent_again(kind, server, cluster):
    server.faults.add(kind, MAPS, method="POST")
    assert cluster.create(MAPS, config_map())["metadata"]["uid"]
    assert len(posts(server)) == 2


def test_a_name_that_somebody_else_has_is_not_taken_for_ours(server, cluster):
    server.system.create("configmaps", {**config_map(), "metadata": {"name": "a", "namespace": "team"}})
    server.faults.add("drop", MAPS, method="POST")
    with pytest.raises(ClusterError) as caught:
        cluster.create(MAPS, config_map())
    assert caught.value.status in (None, 409)
    assert len(posts(server)) == 1


def test_a_create_without_a_name_is_never_repeated_in_doubt(server, cluster):
    server.faults.add("drop", MAPS, method="POST")
    with pytest.raises(ClusterError) as caught:
        cluster.create(MAPS, {**config_map(), "metadata": {"generateName": "a-"}})
    assert caught.value.code == "cluster_unreachable"
    assert len(posts(server)) == 1


def test_a_review_is_repeated_since_it_writes_nothing(server, cluster):
    server.faults.add("drop", "selfsubjectreviews", method="POST")
    review = cluster.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", REVIEW)
    assert review["status"]["userInfo"]["username"]


def test_a_delete_that_was_done_but_not_answered_is_done(server, cluster):
    cluster.create(MAPS, config_map())
    server.faults.add("drop-after-write", MAPS, method="DELETE")
    cluster.delete(f"{MAPS}/a")
    assert cluster.find(f"{MAPS}/a") is None


def test_what_cannot_pass_is_not_repeated(server, cluster):
    with pytest.raises(ClusterError) as caught:
        cluster.get(f"{MAPS}/none")
    assert (caught.value.code, caught.value.status, caught.value.reason) == ("cluster_not_found", 404, "NotFound")
    assert server.journal.count(MAPS) == 1


def test_a_slow_answer_is_given_up_at_the_deadline(server, cluster):
    server.faults.add("slow", MAPS, seconds=60, count=0)
    with pytest.raises(ClusterError) as caught:
        cluster.get(MAPS, deadline=Deadline.after(0.3))
    assert "did not answer" in caught.value.message


def test_a_pause_grows_to_a_limit_and_is_as_long_as_the_server_asks():
    for failures, longest in ((1, 0.1), (3, 0.4), (50, 10.0)):
        assert longest / 2 <= pause(failures) <= longest
    assert pause(1, retry_after=7) == 7


def kubeconfig(server, tmp_path, token: str, **more: str) -> str:
    entry = {
        "clusters": [{"name": "c", "cluster": {"server": server.url, "certificate-authority": server.ca_file, **more}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(entry))
    return str(path)


def test_a_token_that_expires_is_read_anew_from_where_it_came(server, tmp_path):
    path = kubeconfig(server, tmp_path, "an-old-token-that-has-expired")
    with Cluster({"kubeconfig": path}) as cluster:
        kubeconfig(server, tmp_path, server.token)
        assert cluster.namespace == "team"
        cluster.create(MAPS, config_map())
    assert posts(server) == [401, 201]


def test_a_token_that_stays_refused_is_told_without_a_second_try(server):
    with Cluster(auth(server, "a-token-that-nobody-knows")) as cluster, pytest.raises(ClusterError) as caught:
        cluster.get(MAPS)
    assert caught.value.code == "cluster_unauthorized"
    assert "log in again" in caught.value.message
    assert "a-token-that-nobody-knows" not in caught.value.message
    assert server.journal.count() == 1


def test_what_is_forbidden_is_told_in_the_servers_words(server):
    token = server.users.add("eve")
    with Cluster(auth(server, token)) as cluster, pytest.raises(ClusterError) as caught:
        cluster.get(MAPS)
    assert caught.value.code == "cluster_forbidden"
    assert 'User "eve" cannot list resource "configmaps"' in caught.value.message


def test_another_user_can_be_impersonated_with_all_groups(server):
    options = auth(server, impersonate_user="eve", impersonate_groups=["a-team", "b-team"])
    with Cluster(options) as cluster:
        review = cluster.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", REVIEW)
    told = review["status"]["userInfo"]
    assert told["username"] == "eve"
    assert {"a-team", "b-team"} <= set(told["groups"])


def test_a_client_certificate_logs_in(server):
    certificate, key = server.authority.client("cara", ("a-team",))
    options = {"host": server.url, "ca_cert": server.ca_file, "client_cert": str(certificate), "client_key": str(key)}
    with Cluster(options) as cluster:
        review = cluster.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", REVIEW)
    told = review["status"]["userInfo"]
    assert told["username"] == "cara" and "a-team" in told["groups"]


def test_without_checking_certificates_no_ca_is_needed(server, recwarn):
    with Cluster({"host": server.url, "api_key": server.token, "validate_certs": False}) as cluster:
        assert cluster.get("/version")["major"] == "1"
    assert [one for one in recwarn if "Unverified" in str(one.message)] == []


def test_requests_go_through_the_proxy_with_its_password(server, tunnel):
    options = auth(server, proxy=tunnel.url, proxy_headers={"proxy_basic_auth": "user:password"})
    with Cluster(options) as cluster:
        assert cluster.get("/version")["major"] == "1"
    assert tunnel.asked == [(server.address, "Basic dXNlcjpwYXNzd29yZA==")]
    with Cluster({**options, "no_proxy": "127.0.0.1"}) as cluster:
        cluster.get("/version")
    assert len(tunnel.asked) == 1


@pytest.fixture
def tunnel():
    """A proxy that opens tunnels (CONNECT) and notes who asked for what."""

    class Tunnel(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self):
            self.server.asked.append((self.path, self.headers.get("Proxy-Authorization")))
            host, _colon, port = self.path.partition(":")
            with socket.create_connection((host, int(port))) as onward:
                self.send_response(200)
                self.end_headers()
                there = threading.Thread(target=pipe, args=(self.connection, onward))
                there.start()
                pipe(onward, self.connection)
                there.join()

        def log_message(self, *_arguments):
            pass

    def pipe(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tunnel)
    proxy.daemon_threads = True
    proxy.asked, proxy.url = [], f"http://127.0.0.1:{proxy.server_port}"
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    yield proxy
    proxy.shutdown()
    thread.join()
    proxy.server_close()


def test_writes_are_under_our_manager(cluster):
    made = cluster.create(MAPS, config_map())
    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == [MANAGER]


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def asked(options: dict) -> ClusterError:
    with Cluster(options) as cluster, pytest.raises(ClusterError) as caught:
        cluster.get("/version", deadline=Deadline.after(0.5))
    assert "\n" not in caught.value.message and caught.value.message.endswith(".")
    return caught.value


def test_an_unreachable_server_is_told(free_port):
    error = asked({"host": f"https://127.0.0.1:{free_port}", "api_key": "a-long-enough-token"})
    assert error.code == "cluster_unreachable"
    assert "cannot be reached (connection refused)" in error.message and str(free_port) in error.message


def test_a_name_that_is_none_is_told():
    error = asked({"host": "https://no-such-host.invalid:6443", "api_key": "a-long-enough-token"})
    assert error.code == "cluster_unreachable" and "no-such-host.invalid" in error.message


def test_a_certificate_of_another_ca_is_told(server, tmp_path):
    error = asked(auth(server, ca_cert=str(Authority(tmp_path).file)))
    assert error.code == "cluster_certificate"
    assert "ca_cert" in error.message


def test_a_certificate_for_another_name_is_told(server, tmp_path):
    path = kubeconfig(server, tmp_path, server.token, **{"tls-server-name": "another.example.com"})
    error = asked({"kubeconfig": path})
    assert error.code == "cluster_certificate" and "for another name" in error.message


def test_a_server_that_speaks_no_tls_is_told(plain):
    error = asked({"host": f"https://127.0.0.1:{plain}", "api_key": "a-long-enough-token"})
    assert error.code == "cluster_certificate"


def test_what_is_no_api_server_is_told(plain):
    error = asked({"host": f"http://127.0.0.1:{plain}", "api_key": "a-long-enough-token"})
    assert "is not an API server" in error.message


def test_a_proxy_that_is_not_there_is_told(server, free_port):
    error = asked(auth(server, proxy=f"http://127.0.0.1:{free_port}"))
    assert error.code == "cluster_unreachable" and "proxy" in error.message


@pytest.fixture
def plain():
    """A web server that answers every path with a page."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_arguments):
            pass

    page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=page.serve_forever)
    thread.start()
    yield page.server_port
    page.shutdown()
    thread.join()
    page.server_close()


def test_a_service_account_is_held_to_its_role(server):
    token = server.users.add("reader")
    grant(server, "reader", [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}])
    with Cluster(auth(server, token)) as cluster:
        assert cluster.get(MAPS)["items"] is not None
        with pytest.raises(ClusterError) as caught:
            cluster.create(MAPS, config_map())
    assert caught.value.status == 403
