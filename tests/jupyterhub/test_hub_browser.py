# SPDX-License-Identifier: GPL-3.0-or-later
"""What people see of a real hub in a real browser: login, the form of profiles, progress, their server, and refusals."""

from __future__ import annotations

import re

import pytest
from hub_parts import needed
from hub_support import ACCESS, WAIT, Hub

from tests.browser.chromium_support import launched

needed("jupyterhub", "proxy")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    found = Hub(tmp_path_factory.mktemp("hub") / "etc")
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with launched(tmp_path_factory.mktemp("home")) as browser:
        yield browser


@pytest.fixture
def page(chromium, hub):
    """A window of somebody whom the hub does not know yet; what its scripts complain of fails the test."""
    context = chromium.new_context()
    context.set_default_timeout(WAIT * 1000)
    found, complaints = context.new_page(), []
    found.on("pageerror", lambda error: complaints.append(str(error)))
    yield found
    context.close()
    (hub.pods / "hold").unlink(missing_ok=True)
    hub.write("access/access.json", ACCESS)
    assert complaints == []


def log_in(page, hub: Hub, name: str) -> None:
    page.goto(hub.url)
    page.get_by_label("Username:").fill(name)
    page.get_by_label("Password:").fill("a-long-password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Server Options").wait_for()


def offered(page) -> list[str]:
    """The names of profiles in the form."""
    return page.locator("#kubespawner-profiles-list h3").all_inner_texts()


def test_from_the_login_to_ones_server_and_back(hub, page):
    log_in(page, hub, "rose")
    assert offered(page) == ["Small", "Large"]
    (hub.pods / "hold").touch()
    page.get_by_text("Large").click()
    page.get_by_role("button", name="Start").click()
    page.get_by_text("Your server is starting up.").wait_for()
    page.get_by_text("It starts.").first.wait_for()
    (hub.pods / "hold").unlink()
    page.get_by_text("Here is a server.").wait_for()
    assert page.url == f"{hub.url}/user/rose/"
    assert hub.pod("rose")["pod"]["spec"]["containers"][0]["image"] == "lab:2"

    page.goto(f"{hub.url}/hub/home")
    page.get_by_role("button", name="Stop My Server").click()
    page.get_by_role("button", name="Start My Server").wait_for()
    page.goto(f"{hub.url}/user/rose/")
    assert "Here is a server." not in page.inner_text("body")


def test_what_is_not_granted_is_not_in_the_form(hub, page):
    log_in(page, hub, "jane")
    assert offered(page) == ["Small"]


def test_profile_that_was_taken_back_is_refused_with_the_reason(hub, page):
    log_in(page, hub, "rose")
    hub.write("access/access.json", {"open": ["small"]})
    page.get_by_text("Large").click()
    page.get_by_role("button", name="Start").click()
    said = "The profile large is not granted to rose: choose of small, or ask an administrator."
    page.get_by_text(re.compile(re.escape(said))).wait_for()
    page.goto(f"{hub.url}/hub/spawn")
    assert offered(page) == ["Small"]
