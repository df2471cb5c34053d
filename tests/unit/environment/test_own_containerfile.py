# SPDX-License-Identifier: GPL-3.0-or-later
"""A Containerfile of the user's is read, looked through and completed, never replaced."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.base import BaseImage
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.context import BuildContext
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.lint import lint
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.own import read, with_source
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.recipes import last_stage
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import ImageOptions
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


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("COPY --chown=1000:1000 a /a", "--chown=1000:0"),
        ("COPY --from=registry.example.com/uv /uv /bin/uv", "registry.example.com/uv, which changes"),
        ("ARG NPM_API_KEY", "looks like a secret"),
        (
            "RUN pip install --no-cache-dir a==1 -i https://jane:abc123@index.example.com/simple",
            "holds an address with a login",
        ),
        ("RUN <<EOF\npip install --no-cache-dir a>=1\nEOF", "installs a in whatever version"),
        (
            'RUN pip install --no-cache-dir "a[more]>=1" ./local b==2 -r list.txt',
            "installs a[more] in whatever version",
        ),
        ("ARG WHO=root\nUSER $WHO", "ends as root"),
    ],
)
def test_further_habits_are_told_too(own, line, words):
    (told,) = lint(own(f"FROM registry.example.com/nb:2\n{line}\n"))
    assert words in told and "abc123" not in told


@pytest.mark.parametrize(
    "line",
    [
        "ENV PIP_NO_CACHE_DIR=1\nRUN pip install a==1",
        "RUN --mount=type=cache,target=/root/.cache/pip pip install a==1",
        "ENV TOKEN_FILE=/run/token TOKENIZERS_PARALLELISM=false",
        "RUN useradd -u 1234 -g 0 someone",
        "RUN apt-get install -y python3-pip",
        "RUN chown -R root:root /srv",
        "COPY --chown=1001:0 a /a\nUSER jovyan",
    ],
)
def test_sound_habits_are_not_told(own, line):
    assert lint(own(f"FROM registry.example.com/nb:2\n{line}\n")) == ()


def test_images_that_are_copied_from_are_pinned_as_well(own):
    copies = "COPY --from=one /x /x\nCOPY --from=0 /x /x\nCOPY --from=registry.example.com/c:1 \\\n  /y /y\n"
    text = f"FROM registry.example.com/a:1 AS one\nFROM registry.example.com/b:1\n{copies}"
    found = own(text)
    assert found.images == tuple(f"registry.example.com/{name}:1" for name in "abc")
    done = found.completed(pin, [])
    assert "--from=registry.example.com/c@sha256:" in done and "--from=one" in done and "--from=0" in done


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FROM a\nRUN x \\\n", "ends in the middle of the instruction of line 2"),
        ("FROM a\nRUN cat <<EOF\nx\n", "here-document that no line EOF ends"),
        ("FROM a b\n", "takes an image"),
        ("FROM ./a\n", "is no reference of an image"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(own, text, words):
    with pytest.raises(EngineError, match=words):
        own(text)


def test_defaults_of_arguments_are_those_of_a_shell(own):
    found = own("ARG HOST=registry.example.com\nARG NAME=$HOST/nb\nFROM ${NAME}:${TAG:-2}${OTHER:+x}\n")
    assert found.base == "registry.example.com/nb:2"


@pytest.mark.parametrize(
    ("text", "home"),
    [
        ("ENV HOME=/srv/me\n", '"$HOME"'),
        ("ENV HOME /root\n", "/home/notebook"),
        ("ENV HOME=/\n", "/home/notebook"),
        ("", "/home/jovyan"),
    ],
)
def test_the_home_that_it_names_is_opened_and_never_the_root_of_the_image(own, text, home):
    upon = BaseImage("x", "y", env={"HOME": "/home/jovyan"})
    found = own(f"FROM registry.example.com/a:1\n{text}")
    added = "\n".join(last_stage(upon, BuildContext((), {}, {}), ImageOptions(), found))
    assert f"chgrp -R 0 {home} " in added
    assert ("ENV HOME=/home/notebook" in added) == (home == "/home/notebook")


def test_an_ignore_file_does_not_hide_what_is_ours(tmp_path):
    (tmp_path / ".dockerignore").write_text("*")
    found = with_source(BuildContext((), {"list.txt": "x"}, {"files/0/a": "/a"}), str(tmp_path))
    assert found.files[".dockerignore"] == "*\n!.notebook-environment\n!.notebook-environment/**\n"
    assert found.files[".notebook-environment/list.txt"] == "x"
    assert found.copies == {".": str(tmp_path), ".notebook-environment/files/0/a": "/a"}
