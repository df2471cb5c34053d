# SPDX-License-Identifier: GPL-3.0-or-later
"""A real registry for tests: Debian's `docker-registry`, started on 127.0.0.1 at a port that the system chooses.

    from tests.registry import registry

    with registry() as site:
        digest = site.push("team/base", "1.0", config={"User": "1001", "Env": ["HOME=/work"], "Labels": {"a": "b"}})
        f"{site.host}/team/base:1.0"    # a reference to it; site.host is 127.0.0.1:PORT

| argument | |
|---|---|
| `auth=None` | anybody may read and write |
| `auth="basic"` | only `USER` with `PASSWORD`, by htpasswd |
| `auth="bearer"` | tokens of `site.tokens`, a stand-in for a token service (`tokens.py`); nobody may read `public/...` |
| `tls=True` | HTTPS with a CA of its own, whose certificate is `site.ca_file`; else HTTP |
| `redirect=True` | blobs are redirected to `site.storage`, another server, which keeps the requests that it gets |

`site.push_index(name, tag, {"linux/amd64": config, ...})` pushes an image for several platforms, `site.put(...)` any
manifest; each returns the digest. Pushing a tag again moves it. `site.login()` is the content of a `.dockerconfigjson`.
The registry and its data end with the block. Where `docker-registry` is missing the test is skipped, but not in CI
(``CI=true``): there it fails. `APT=1 make unit` as root installs it.
"""

from .site import PASSWORD, USER, Site, registry

__all__ = ["PASSWORD", "USER", "Site", "registry"]
