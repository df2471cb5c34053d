# SPDX-License-Identifier: GPL-3.0-or-later
"""The real server of a user. As soon as there is a file `look` it looks often, not only once a minute, whether to end itself."""

import sys
from pathlib import Path

from jupyter_server.serverapp import ServerApp
from jupyterhub.singleuser import main
from tornado import ioloop

start = ServerApp.init_shutdown_no_activity


def often(self) -> None:
    start(self)
    if self.shutdown_no_activity_timeout > 0:
        look = Path("look").absolute()
        ioloop.PeriodicCallback(lambda: look.exists() and self.shutdown_no_activity(), 200).start()


ServerApp.init_shutdown_no_activity = often
sys.exit(main())
