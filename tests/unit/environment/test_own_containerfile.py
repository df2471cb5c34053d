# SPDX-License-Identifier: GPL-3.0-or-later
"""A Containerfile of the user's is read, looked through and completed, never replaced."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.lint import lint
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.own import read
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

PLAIN = """ARG VERSION=2026.1
FROM registry.example.com/tools:${VERSION} AS tools
RUN make \\
    # a comment within
    install
FROM registry.example.com/nb:2 AS last
COPY --from=tools /opt /opt
RUN <<EOF
FROM nowhere
USER root
EOF
ENV GREETING="hello" \\
    OTHER=x
ENTRYPOINT ["tini"]
USER jovyan
"""


@pytest.fixture
def own(tmp_path):
    def make(text, name="Containerfile"):
        (tmp_path / name).write_text(text)
        return read(str(tmp_path), name)

    return make


def pin(image):
    return image.rpartition(":")[0] + "@sha256:" + "a" * 64


def test_stages_arguments_and_here_documents_are_understood(own):
    found = own(PLAIN)
    assert [stage.name for stage in found.stages] == ["tools", "last"]
    assert found.images == ("registry.example.com/tools:2026.1", "registry.example.com/nb:2")
    assert (found.base, found.user) == ("registry.example.com/nb:2", "jovyan")


def test_it_is_completed_and_its_images_are_pinned(own):
    text = own(PLAIN).completed(pin, ["USER 0", "RUN install"])
    assert "FROM registry.example.com/tools@sha256:" in text and " AS tools\n" in text
    assert text.index('ENTRYPOINT ["tini"]') < text.index("RUN install")
    assert "${VERSION}" not in text and "COPY --from=tools /opt /opt" in text and "FROM nowhere" in text


def test_a_stage_upon_a_stage_has_the_image_of_that(own):
    found = own("FROM registry.example.com/a:1 AS one\nFROM one AS two\nFROM two\nUSER 0\n")
    assert found.base == "registry.example.com/a:1" and found.user is None
    assert "\nFROM one AS two\nFROM two\n" in found.completed(pin, [])


def test_another_escape_character_is_obeyed(own):
    found = own("# escape=`\nFROM registry.example.com/a:1\nRUN one `\n  two\nUSER 5:0\n")
    assert [one.word for one in found.stages[0].instructions] == ["RUN", "USER"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("RUN x\n", "has no FROM"),
        ("FROM scratch\n", "upon scratch"),
        ("ARG BASE\nFROM ${BASE}\n", "give its ARG a default"),
    ],
)
def test_what_cannot_be_built_upon_is_refused(own, text, words):
    with pytest.raises(EngineError, match=words):
        own(text)


@pytest.mark.parametrize("name", ["../Containerfile", "/etc/passwd", "link", "nosuch"])
def test_a_path_that_leaves_the_source_is_refused(tmp_path, name):
    (tmp_path / "source").mkdir()
    (tmp_path / "Containerfile").write_text("FROM a\n")
    (tmp_path / "source" / "link").symlink_to(tmp_path / "Containerfile")
    with pytest.raises(EngineError, match="leaves the source|There is no Containerfile"):
        read(str(tmp_path / "source"), name)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("USER 1000", "write USER 1000:0"),
        ("USER root", "ends as root"),
        ("ENV API_TOKEN=abc123", "looks like a secret"),
        ("RUN pip install --no-cache-dir pandas", "pin them"),
        ("RUN apt-get update && pip3 install pandas==2.0", "--no-cache-dir"),
        ("RUN python3 -m pip install --no-cache-dir --user pandas==2.0", "leave out --user"),
        ("RUN useradd -u 1234 someone", "fixed UID"),
        ("RUN chown -R someone /srv", "group 0"),
    ],
)
def test_what_should_not_be_done_is_told_with_its_line(own, line, words):
    (told,) = lint(own(f"FROM registry.example.com/nb:2\n{line}\n"))
    assert told.startswith("Containerfile, line 2: it ") and words in told and "abc123" not in told


def test_a_base_that_changes_is_told_and_a_sound_file_is_not(own):
    assert "registry.example.com/nb, which changes" in lint(own("FROM registry.example.com/nb\n"))[0]
    assert "changes under it" in lint(own("FROM registry.example.com:5000/nb:latest\n"))[0]
    sound = "RUN python3 -m pip install --no-cache-dir pandas==2.2 -c limits.txt && chown -R 1 /srv && chmod -R g=u /srv\nUSER 1001:0\n"
    assert lint(own(f"FROM registry.example.com/nb:2\n{sound}")) == ()
