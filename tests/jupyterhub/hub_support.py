# SPDX-License-Identifier: GPL-3.0-or-later
"""A real hub with its proxy, a directory of users, and a person who speaks to the hub as a browser does."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import hub_parts
from hub_parts import PYTHON, ROOT, SLAPD

FILES = ROOT / "roles" / "jupyterhub" / "files"
PROFILES = [
    {"name": "small", "display_name": "Small", "default": True, "image": "lab:1", "mem_limit": "2G"},
    {
        "name": "large", "display_name": "Large", "image": "lab:2", "mem_limit": "64G", "kernel_timeout": 60, "server_timeout": 4,
        "gpu": {"resource": "nvidia.com/gpu", "count": 1}, "environment": {"SIZE": "L"},
    },
    {"name": "choice", "images": [{"name": "a", "image": "reg:5000/a:1"}, {"name": "b", "image": "reg:5000/b:1"}]},
]  # fmt: skip
ACCESS = {"open": ["small"], "grants": [{"profile": "large", "users": ["rose"], "groups": ["research"]}]}
SECRETS = {"cookie-secret": "0a" * 32, "crypt-key": "0b" * 32, "proxy-token": "0c" * 32, "culler-token": "0d" * 32}
WAIT = 80  # seconds
NO_CLUSTER = {
    "apiVersion": "v1", "kind": "Config", "current-context": "none",
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}], "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(what, seconds: float = WAIT):
    """The first answer that is not empty."""
    end = time.monotonic() + seconds
    while True:
        if found := what():
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"nothing for {seconds} s")
        time.sleep(0.05)


class Hub:
    """The hub's directory /etc/jupyterhub somewhere else, and the processes that live by it."""

    def __init__(self, place: Path, **settings):
        self.place, self.log, self.pods = place, place / "log", place / "pods"
        self.port, self._hub_port, self._api_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.hub_connect_url = f"http://127.0.0.1:{self._hub_port}"
        self._processes: list[subprocess.Popen] = []
        self.environment: dict[str, str] = {}  # of the hub, beside that of all its processes
        self.authority = ""  # whom people trust, as a file
        self.pods.mkdir(parents=True)
        for file in FILES.glob("*.py"):
            (place / file.name).symlink_to(file)
        (place / "notebook_hub").symlink_to(FILES / "notebook_hub")
        hub = {
            "name": "hub", "namespace": "team", "hub_connect_url": self.hub_connect_url,
            "proxy_api_url": f"http://127.0.0.1:{self._api_port}",
            "database": {"kind": "sqlite", "path": str(place / "hub.sqlite")},
            "login": {"kind": "dummy", "allow_all": True}, **settings,
        }  # fmt: skip
        profiles = hub.pop("profiles", PROFILES)
        self.write("settings/hub.json", hub)
        self.write("settings/profiles.json", {"profiles": profiles})
        self.write("access/access.json", ACCESS)
        self.write(".kube/config", NO_CLUSTER)
        for key, value in SECRETS.items():
            self.write(f"secrets/{key}", value)
        self.write(
            "jupyterhub_config.d/10-tests.py",
            f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\nfrom local_servers import configure\n"
            f"configure(c, {str(self.pods)!r}, {self._hub_port})\n",
        )

    def write(self, name: str, content) -> None:
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    def _run(self, command: list[str], **environment: str) -> subprocess.Popen:
        given = {
            **os.environ,
            "PYTHONPATH": str(self.place),
            "HOME": str(self.place),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }
        given["PATH"] = f"{PYTHON.parent}:{given['PATH']}"
        with self.log.open("ab") as log:
            found = subprocess.Popen(
                command, cwd=self.place, env=given, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._processes.append(found)
        return found

    def start(self) -> subprocess.Popen:
        proxy = [
            str(hub_parts.PROXY), "--ip=127.0.0.1", f"--port={self.port}", "--api-ip=127.0.0.1",
            f"--api-port={self._api_port}", f"--default-target=http://127.0.0.1:{self._hub_port}",
        ]  # fmt: skip
        self._run(proxy, CONFIGPROXY_AUTH_TOKEN=SECRETS["proxy-token"])
        hub = self.run_hub()
        try:
            until(lambda: self._answers() or hub.poll() is not None)
        except TimeoutError:
            self.stop()
            raise
        return hub

    def run_hub(self) -> subprocess.Popen:
        command = [str(PYTHON), "-m", "jupyterhub", "--config", str(self.place / "jupyterhub_config.py")]
        return self._run(command, **self.environment)

    def cull(self) -> None:
        command = [
            str(PYTHON), "-m", "jupyterhub_idle_culler", f"--url=http://127.0.0.1:{self._hub_port}/hub/api",
            f"--config={self.place / 'culler_config.py'}",
        ]  # fmt: skip
        self._run(command, JUPYTERHUB_API_TOKEN=SECRETS["culler-token"])

    def _answers(self) -> bool:
        with socket.socket() as hub, socket.socket() as proxy:
            return hub.connect_ex(("127.0.0.1", self._hub_port)) == 0 == proxy.connect_ex(("127.0.0.1", self.port))

    def stop(self) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
            process.wait(30)

    def pod(self, user: str) -> dict:
        """What KubeSpawner would have sent last for a user: pod and claim."""
        return json.loads((self.pods / f"{user}.json").read_text(encoding="utf-8"))


class Answer:
    def __init__(self, status: int, url: str, text: str):
        self.status, self.url, self.text = status, url, text

    @property
    def said(self) -> str:
        """The page's text without tags."""
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.text))

    @property
    def message(self) -> str:
        """What the API says of a refusal."""
        return json.loads(self.text)["message"]


class Person:
    """Somebody with a browser: cookies, forms, and what the hub's pages send with them."""

    def __init__(self, hub: Hub):
        self.hub, self.cookies = hub, http.cookiejar.CookieJar()
        trust = ssl.create_default_context(cafile=hub.authority or None)
        handlers = (urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.HTTPSHandler(context=trust))
        self._opener = urllib.request.build_opener(*handlers)

    @property
    def _xsrf(self) -> str:
        found = [cookie.value for cookie in self.cookies if cookie.name == "_xsrf" and cookie.path == "/hub/"]
        return found[0] if found else ""

    def ask(self, path: str, form: dict | None = None, body: dict | None = None, method: str | None = None) -> Answer:
        if form is not None or body is not None or method == "DELETE":
            path += ("&" if "?" in path else "?") + urllib.parse.urlencode({"_xsrf": self._xsrf})
        data = urllib.parse.urlencode({**form, "_xsrf": self._xsrf}).encode() if form is not None else None
        headers = {}
        if body is not None:
            data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        if method or body is not None:
            headers |= {"Referer": f"{self.hub.url}/hub/home", "Sec-Fetch-Mode": "cors"}
        url = path if path.startswith("http") else self.hub.url + path
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=WAIT) as answer:
                return Answer(answer.status, answer.url, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.url, error.read().decode())

    def login(self, name: str, password: str = "a-long-password") -> Answer:
        self.ask("/hub/login")
        return self.ask("/hub/login?next=%2Fhub%2Fspawn", {"username": name, "password": password})

    def offered(self) -> list[str]:
        """The profiles that the form offers."""
        return re.findall(r'name="profile"[^>]*value="([^"]+)"', self.ask("/hub/spawn").text.replace("\n", " "))

    def server(self, name: str) -> dict:
        """The user's server, by the API; empty where there is none."""
        return (json.loads(self.ask(f"/hub/api/users/{name}").text).get("servers") or {}).get("", {})

    def stop_server(self, name: str) -> None:
        self.ask(f"/hub/api/users/{name}/server", method="DELETE")
        until(lambda: not self.server(name))


class Directory:
    """slapd with the users jane, rose and others, `tls`: a key, a certificate and whether it is asked for; `schemas` as Debian names them."""

    def __init__(
        self, place: Path, schemas: tuple[str, ...] = ("core", "cosine", "nis", "inetorgperson"), tls: tuple = ()
    ):
        self.place, self.port, self.tls_port = place, free_port(), free_port()
        (place / "data").mkdir(parents=True)
        lines = [f"include /etc/ldap/schema/{name}.schema" for name in schemas]
        lines += ["modulepath /usr/lib/ldap", "moduleload back_mdb", f"pidfile {place}/pid"]
        if tls:
            lines += [f"TLSCertificateFile {tls[0]}", f"TLSCertificateKeyFile {tls[1]}", "TLSVerifyClient never"]
        lines += [
            "access to attrs=userPassword by anonymous auth by * none", "access to * by * read",
            "database mdb", 'suffix "dc=example,dc=com"', 'rootdn "cn=admin,dc=example,dc=com"', "rootpw admins-password",
            f"directory {place}/data", "dbnosync",
        ]  # fmt: skip
        (place / "conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._urls = f"ldap://127.0.0.1:{self.port}" + (f" ldaps://127.0.0.1:{self.tls_port}" if tls else "")
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        with (self.place / "log").open("ab") as log:
            command = [SLAPD, "-d", "0", "-f", str(self.place / "conf"), "-h", self._urls]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)

    def change(self, *changes: dict) -> None:
        """Entries to add, as {dn, class, attributes}; {dn, modify} and {dn} change and delete."""
        code = (
            "import json, ldap3, sys\n"
            "c = ldap3.Connection(sys.argv[1], 'cn=admin,dc=example,dc=com', 'admins-password', auto_bind=True, check_names=False)\n"
            "for one in json.load(sys.stdin):\n"
            "    if 'class' in one: c.add(one['dn'], one['class'], one.get('attributes'))\n"
            "    elif 'modify' in one: c.modify(one['dn'], {k: [(getattr(ldap3, op), v)] for k, (op, v) in one['modify'].items()})\n"
            "    else: c.delete(one['dn'])\n"
            "    assert c.result['result'] == 0, (one, c.result)\n"
        )
        url = f"ldap://127.0.0.1:{self.port}"
        subprocess.run([str(PYTHON), "-c", code, url], input=json.dumps(changes), text=True, check=True)

    def fill(self) -> None:
        """People jane, rose, otto; the group team has jane and rose, research has rose, outer has the group research."""
        groups, people = "ou=groups,dc=example,dc=com", "ou=people,dc=example,dc=com"
        root = [
            {
                "dn": "dc=example,dc=com",
                "class": ["dcObject", "organization"],
                "attributes": {"dc": "example", "o": "Example"},
            },
            {"dn": people, "class": "organizationalUnit", "attributes": {"ou": "people"}},
            {"dn": groups, "class": "organizationalUnit", "attributes": {"ou": "groups"}},
        ]
        users = [
            {"dn": person(name), "class": "person", "attributes": {"sn": name, "userPassword": f"{name}s-password"}}
            for name in ("jane", "rose", "otto")
        ]
        members = {
            "team": [person("jane"), person("rose")],
            "research": [person("rose")],
            "outer": [f"cn=research,{groups}"],
        }
        sets = [
            {"dn": f"cn={name},{groups}", "class": "groupOfNames", "attributes": {"member": them}}
            for name, them in members.items()
        ]
        self.change(*root, *users, *sets)


def person(name: str) -> str:
    return f"cn={name},ou=people,dc=example,dc=com"
