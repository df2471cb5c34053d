# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before the hub: it waits for a real PostgreSQL no longer than it is told, and makes its tables fit."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import postgres_support
import pytest
from hub_parts import needed
from hub_support import PYTHON, ROOT
from postgres_support import Postgres

needed("jupyterhub", "postgresql")


@pytest.fixture
def postgres():
    with postgres_support.made() as found:
        yield found


def prepare(place: Path, postgres: Postgres, seconds: int) -> subprocess.Popen:
    shutil.copy(ROOT / "roles" / "jupyterhub" / "files" / "prepare_database.py", place)
    url = f"postgresql+psycopg2://hub:a-secret-word@127.0.0.1:{postgres.port}/postgres"
    (place / "jupyterhub_config.py").write_text(f"c.JupyterHub.db_url = {url!r}\n", encoding="utf-8")
    command = [str(PYTHON), str(place / "prepare_database.py"), str(seconds)]
    environment = {**os.environ, "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_database_that_is_not_there_is_waited_for_no_longer_than_told(tmp_path, postgres):
    waiting = prepare(tmp_path, postgres, 2)
    said, _nothing = waiting.communicate(timeout=60)
    assert waiting.returncode == 1 and "did not let the hub in for 2 s: " in said, said
    assert "Connection refused" in said and "a-secret-word" not in said


def test_one_that_comes_late_is_taken_and_older_tables_are_brought_up_to_date(tmp_path, postgres):
    waiting = prepare(tmp_path, postgres, 60)
    postgres.start()
    said, _nothing = waiting.communicate(timeout=80)
    assert waiting.returncode == 0, said

    # A table of JupyterHub 5, of which the hub of today needs a further column.
    postgres.query("update alembic_version set version_num = 'ff1860e38070'; create table spawners (id integer)")
    again = prepare(tmp_path, postgres, 10)
    said, _nothing = again.communicate(timeout=60)
    assert again.returncode == 0 and "a-secret-word" not in said, said
    columns = "select column_name from information_schema.columns where table_name = 'spawners'"
    assert postgres.query(columns).split() == ["id", "display_name"]
