# SPDX-License-Identifier: GPL-3.0-or-later
"""The real server of a user. As soon as there is a file `look` it looks often, not only once a minute, whether to end itself."""

import sys
from pathlib import Path

sys.modules["rfc3987_syntax"] = None  # reading its grammar, which nobody here needs, takes most of a start

from jupyter_server.serverapp import ServerApp  # noqa: E402
from jupyterhub.singleuser import main  # noqa: E402
from tornado import ioloop  # noqa: E402

start = ServerApp.init_shutdown_no_activity


def often(self) -> None:
    start(self)
    if self.shutdown_no_activity_timeout > 0:
        look = Path("look").absolute()
        ioloop.PeriodicCallback(lambda: look.exists() and self.shutdown_no_activity(), 200).start()


ServerApp.init_shutdown_no_activity = often
sys.exit(main())
