# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a server by KubeSpawner as the hub does, end it, and delete the user, whose volume then goes; run by an interpreter that has it.

The argument is the namespace; KUBECONFIG says who asks. Ends with a status other than 0 where the cluster refuses something.
"""

import asyncio
import sys
from types import SimpleNamespace

from kubespawner import KubeSpawner
from traitlets.config import Config


async def main(namespace: str) -> None:
    user = SimpleNamespace(
        name="jane.doe", id=1, url="/user/jane.doe", server=None, escaped_name="jane.doe", spawners={}
    )
    spawner = KubeSpawner(
        config=Config({"KubeSpawner": {"namespace": namespace, "image": "registry.example.com/notebook:1"}}),
        user=user,
        orm_spawner=SimpleNamespace(name="", server=None),
        hub=SimpleNamespace(
            api_url="http://hub:8081/hub/api", base_url="/hub/", public_host="", url="http://hub:8081/hub/"
        ),
        _mock=True,
        storage_pvc_ensure=True,
        storage_capacity="1Gi",
        k8s_api_request_retry_timeout=5,
        start_timeout=30,
    )
    spawner.oauth_client_id = "jupyterhub-user-jane.doe"
    # What KubeSpawner 6 has left of a user whose name 7 writes in another way: it looks for the volume of before.
    spawner.load_state({"dns_name": "jupyter-jane-2edoe"})
    await spawner.start()
    await spawner.stop(now=True)
    await spawner.delete_forever()


asyncio.run(main(sys.argv[1]))
