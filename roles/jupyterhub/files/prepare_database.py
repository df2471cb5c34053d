# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the hub's database answers, at most as many seconds as the argument says, then bring its tables up to date."""

from __future__ import annotations

import sys
import time
from pathlib import Path

CONFIG = Path(__file__).with_name("jupyterhub_config.py")
PAUSE = 1.0


def main(seconds: float) -> int:
    """Return the status to end with; the last line that is printed says what is wrong."""
    from jupyterhub.app import JupyterHub, UpgradeDB

    hub = JupyterHub()
    hub.load_config_file(str(CONFIG))
    if refusal := wait(hub.db_url, hub.db_kwargs, seconds):
        print(
            f"The database did not let the hub in for {seconds:g} s: {refusal}. Look at its pod, or correct database-url.",
            flush=True,
        )
        return 1
    UpgradeDB.launch_instance(["--config", str(CONFIG)])  # what `jupyterhub upgrade-db` does
    return 0


def wait(url: str, options: dict, seconds: float) -> str:
    """Return what the database said last, or an empty text once it has answered."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    end = time.monotonic() + seconds
    engine = create_engine(url, **options)
    while True:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            return ""
        except SQLAlchemyError as error:
            told = str(getattr(error, "orig", None) or error).strip().splitlines()[0].rstrip(".")
        if time.monotonic() + PAUSE > end:
            return told
        time.sleep(PAUSE)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
