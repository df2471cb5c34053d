# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments as a caller gets them: made once, found again, failures explained, nothing half done."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.interpreter import unprivileged
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from wheels import make_slow_tree, make_wheel

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="runs have another user only where root starts them")


def need(*lines, notebook="a.ipynb", **more):
    return Resolution(notebook, "declared", tuple(lines), **more)


def phases(results):
    return [result.build.phase for result in results]


def kept(cache_dir):
    place = cache_dir / "environments"
    return sorted(entry.name for entry in place.iterdir()) if place.is_dir() else []


def call(python, code, **options):
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, cwd="/", **options)


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_an_environment_holds_what_was_asked_and_is_found_again(cache_dir, lines, installer):
    if installer == "uv" and not shutil.which("uv"):
        pytest.skip("no uv here")
    asked = need(*lines("alpha==1.0"), imports={"alpha": "alpha"})
    first = make([asked], cache_dir=str(cache_dir), installer=installer)[0]
    assert first.build.phase == "Complete", first.build.message
    environment = first.environment
    answer = call(environment.python, "import alpha, papermill; print(alpha.VERSION)")
    assert answer.stdout == "1.0\n", answer.stderr
    assert environment.kind == "venv" and environment.digest.startswith("sha256:") and not environment.cached
    assert "alpha" in Path(first.build.log).read_text()
    again = make([asked], cache_dir=str(cache_dir), installer=installer)[0]
    assert again.build.phase == "Cached" and again.environment.cached
    assert (again.key, again.environment.digest) == (first.key, environment.digest)
    assert kept(cache_dir) == [first.key]


def test_notebooks_with_equal_needs_share_one_environment(cache_dir, lines):
    results = make(
        [
            need(*lines("alpha", "beta")),
            need(*lines("Beta", "alpha"), notebook="b.ipynb"),
            need(*lines(), notebook="c.ipynb"),
        ],
        cache_dir=str(cache_dir),
    )
    assert [result.notebooks for result in results] == [("a.ipynb", "b.ipynb"), ("c.ipynb",)]
    assert phases(results) == ["Complete", "Complete"]
    assert len(kept(cache_dir)) == 2


def test_a_failed_build_does_not_stop_the_others_and_leaves_nothing(cache_dir, lines):
    results = make([need(*lines("nosuchthing")), need(*lines("alpha"), notebook="b.ipynb")], cache_dir=str(cache_dir))
    assert phases(results) == ["Failed", "Complete"]
    assert results[0].environment is None
    assert kept(cache_dir) == [results[1].key]


@pytest.mark.parametrize("installer", ["uv", "pip"])
@pytest.mark.parametrize(
    ("wanted", "code", "named"),
    [
        (["nosuchthing==3"], "dependency_not_found", "nosuchthing==3"),
        (["beta", "alpha==2.0"], "dependency_conflict", "alpha"),
        (["alpha==1.0", "alpha==2.0"], "dependency_conflict", "alpha"),
        (["modern"], "python_unsupported", "modern"),
    ],
)
def test_the_installers_refusals_are_told_apart(cache_dir, lines, installer, wanted, code, named):
    if installer == "uv" and not shutil.which("uv"):
        pytest.skip("no uv here")
    build = make([need(*lines(*wanted))], cache_dir=str(cache_dir), installer=installer)[0].build
    assert (build.phase, build.reason) == ("Failed", code), build.message
    assert named in build.message
    assert build.log_tail and kept(cache_dir) == []


def test_no_network_is_not_an_unknown_distribution(cache_dir, monkeypatch):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_RETRIES", "1")
    for installer in ("uv", "pip") if shutil.which("uv") else ("pip",):
        lines = ("--index-url https://joe:swordfish@127.0.0.1:9/simple", "alpha")
        build = make([need(*lines)], cache_dir=str(cache_dir), installer=installer)[0].build
        assert build.reason == "network_unavailable", build.message
        told = f"{build.message} {build.log_tail} {Path(build.log).read_text()}"
        assert "swordfish" not in told and "127.0.0.1:9" in told


def test_a_lost_module_fails_the_build_though_the_installer_was_content(cache_dir, lines):
    asked = need(*lines("hollow"), imports={"hollow": "hollow"})
    build = make([asked], cache_dir=str(cache_dir))[0].build
    assert build.reason == "dependency_install_failed"
    assert "hollow" in build.message and kept(cache_dir) == []


def test_an_import_that_nothing_was_to_provide_is_left_for_the_run_to_tell(cache_dir, lines):
    asked = need(*lines("alpha"), imports={"alpha": "alpha", "gamma": "gamma"})
    result = make([asked], cache_dir=str(cache_dir))[0]
    assert result.build.phase == "Complete"
    assert "gamma" in Path(result.build.log).read_text()


def test_success_with_errors_in_the_output_is_none(cache_dir, lines, tmp_path, monkeypatch):
    """pip has ended with 0 after errors: here it is a uv that does."""
    bad = tmp_path / "bin" / "uv"
    bad.parent.mkdir()
    real = shutil.which("uv")
    if not real:
        pytest.skip("no uv here")
    bad.write_text(
        f'#!/bin/sh\n[ "$1" = venv ] && exec {real} "$@"\necho "error: Permission denied: /somewhere"\nexit 0\n'
    )
    bad.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bad.parent}:{os.environ['PATH']}")
    build = make([need(*lines("alpha"))], cache_dir=str(cache_dir))[0].build
    assert (build.phase, build.reason) == ("Failed", "environment_setup_failed")
    bad.write_text(f'#!/bin/sh\n[ "$1" = venv ] && exec {real} "$@"\nexit 0\n')
    build = make([need(*lines("alpha"))], cache_dir=str(cache_dir))[0].build
    assert (build.phase, build.reason) == ("Failed", "dependency_install_failed")
    assert "alpha is not installed" in build.message


def test_certificates_of_the_system_are_tried_where_uvs_own_do_not_do(cache_dir, lines, tmp_path, monkeypatch):
    real = shutil.which("uv")
    if not real:
        pytest.skip("no uv here")
    picky = tmp_path / "bin" / "uv"
    picky.parent.mkdir()
    picky.write_text(
        f'#!/bin/sh\n[ "$1" = venv ] || [ "$UV_SYSTEM_CERTS" ] && exec {real} "$@"\n'
        'echo "error: Failed to fetch"\necho "  cause: invalid peer certificate: UnknownIssuer"\nexit 2\n'
    )
    picky.chmod(0o755)
    monkeypatch.delenv("UV_SYSTEM_CERTS", raising=False)
    monkeypatch.setenv("PATH", f"{picky.parent}:{os.environ['PATH']}")
    assert phases(make([need(*lines("alpha"))], cache_dir=str(cache_dir))) == ["Complete"]


def test_bad_lines_are_named_before_anything_is_built(cache_dir, tmp_path):
    for line, word in (
        ("pandas>=", "pandas>="),
        ("-e ./nowhere", "nowhere"),
        ("--target /etc", "--target"),
        ("'a", "'a"),
    ):
        build = make([need(line)], cache_dir=str(cache_dir), source=str(tmp_path))[0].build
        assert (build.phase, build.reason) == ("Failed", "requirements_invalid")
        assert word in build.message
    assert kept(cache_dir) == []


def test_check_only_says_what_would_be_built(cache_dir, lines):
    made = make([need(*lines("alpha"))], cache_dir=str(cache_dir))
    results = make(
        [need(*lines("alpha")), need(*lines("beta"), notebook="b.ipynb")], cache_dir=str(cache_dir), check=True
    )
    assert phases(results) == ["Cached", "Planned"]
    assert results[1].environment is None and kept(cache_dir) == [made[0].key]


def test_reuse_never_builds_anew_and_verify_only_what_was_damaged(cache_dir, lines):
    asked = [need(*lines("alpha==1.0"))]
    made = make(asked, cache_dir=str(cache_dir))[0]
    assert phases(make(asked, cache_dir=str(cache_dir), reuse="verify")) == ["Cached"]
    assert phases(make(asked, cache_dir=str(cache_dir), reuse="never")) == ["Complete"]
    site = next(Path(made.environment.reference).glob("lib/python*/site-packages"))
    shutil.rmtree(site / "alpha-1.0.dist-info")
    assert phases(make(asked, cache_dir=str(cache_dir))) == ["Cached"]
    assert phases(make(asked, cache_dir=str(cache_dir), reuse="verify")) == ["Complete"]
    (Path(made.environment.reference) / "bin" / "python").unlink()
    assert phases(make(asked, cache_dir=str(cache_dir))) == ["Complete"]


def test_a_changed_local_package_is_another_environment(cache_dir, lines, tmp_path):
    tree, started, go, _count = make_slow_tree(tmp_path)
    started.unlink()
    results = [make([need(*lines(f"-e {tree.name}"))], cache_dir=str(cache_dir), source=str(tmp_path))[0]]
    (tree / "notes.ipynb").write_text("{}")
    results += make([need(*lines("./slow"))], cache_dir=str(cache_dir), source=str(tmp_path))
    (tree / "more.py").write_text("x = 1\n")
    results += make([need(*lines("./slow"))], cache_dir=str(cache_dir), source=str(tmp_path))
    assert phases(results) == ["Complete", "Cached", "Complete"]
    shutil.rmtree(tree)
    assert call(results[0].environment.python, "import slow").returncode == 0, (
        "the environment must not need the sources"
    )


def test_hashes_are_checked_although_the_runner_has_none(cache_dir, lines, wheelhouse):
    import hashlib

    good = hashlib.sha256((wheelhouse / "alpha-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    results = make(
        [need(*lines(f"alpha==1.0 --hash=sha256:{good}")), need(*lines(f"alpha==1.0 --hash=sha256:{'0' * 64}"))],
        cache_dir=str(cache_dir),
    )
    assert phases(results) == ["Complete", "Failed"], results[0].build.message
    assert call(results[0].environment.python, "import alpha, papermill").returncode == 0


@as_root
def test_a_run_can_neither_change_its_environment_nor_another_nor_the_cache(cache_dir, lines, tmp_path):
    one = make([need(*lines("alpha==1.0"))], cache_dir=str(cache_dir))[0].environment
    two = make([need(*lines("alpha==1.0", "beta"))], cache_dir=str(cache_dir))[0].environment
    attack = (
        "import alpha, os, sys\n"
        "caught = 0\n"
        "site = os.path.dirname(os.path.dirname(alpha.__file__))\n"
        "for top, _, names in os.walk(sys.prefix):\n"
        "    for path in (os.path.join(top, 'new'), *(os.path.join(top, n) for n in names if not os.path.islink(os.path.join(top, n)))):\n"
        "        try:\n"
        "            open(path, 'a').close()\n"
        "            print('wrote', path)\n"
        "        except PermissionError:\n"
        "            caught += 1\n"
        "print(caught > 20)\n"
    )
    answer = call(one.python, attack, **unprivileged())
    assert answer.stdout == "True\n", answer.stdout + answer.stderr
    assert call(two.python, "import alpha; print(alpha.VERSION)", **unprivileged()).stdout == "1.0\n"


def test_without_root_no_file_is_shared(cache_dir, lines, monkeypatch):
    """Whoever is not root runs notebooks as himself: a write must stay in its environment."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    one = make([need(*lines("alpha==1.0"))], cache_dir=str(cache_dir))[0].environment
    two = make([need(*lines("alpha==1.0", "beta"))], cache_dir=str(cache_dir))[0].environment
    for place in Path(one.reference).glob("lib/python*/site-packages/alpha/**/*"):
        if place.is_file():
            assert place.stat().st_nlink == 1
            place.write_bytes(b"broken(")
    three = make([need(*lines("alpha==1.0", "hollow"))], cache_dir=str(cache_dir))[0].environment
    for other in (two, three):
        found = call(other.python, "import alpha; print(open(alpha.__file__).read())")
        assert "VERSION = '1.0'" in found.stdout, found.stderr


def test_bytecode_is_compiled_once_for_all_environments_and_tells_the_right_places(cache_dir, lines):
    results = [make([need(*lines("alpha==1.0", *more))], cache_dir=str(cache_dir))[0] for more in ([], ["beta"])]
    code = "import alpha, os; print(os.stat(alpha.__cached__).st_mtime_ns, alpha.where.__code__.co_filename)"
    answers = [call(result.environment.python, code, **unprivileged()).stdout.split() for result in results]
    if os.geteuid() == 0:  # linked; copied for others
        assert answers[0][0] == answers[1][0]
    for answer, result in zip(answers, results, strict=True):
        assert answer[1].startswith(result.environment.reference)


def spawn(cache_dir, *lines):
    command = [sys.executable, str(Path(__file__).parent / "child.py"), str(cache_dir), *lines]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def gone(pid):
    """A killed process that nobody has waited for yet is gone as well."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def wait_gone(pid):
    """Wait for the end of a process that is not our child, however it is told."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            import select

            assert select.select([descriptor], [], [], 30)[0], f"process {pid} lives on"
        finally:
            os.close(descriptor)
    return gone(pid)


def test_two_runs_that_need_the_same_environment_make_it_once(cache_dir, lines, tmp_path):
    tree, started, go, count = make_slow_tree(tmp_path)
    first = spawn(cache_dir, *lines(str(tree)))
    assert started.read_text()
    second = spawn(cache_dir, *lines(str(tree)))
    assert any("waiting for another run" in line for line in second.stdout)
    go.write_text("go")
    answers = [json.loads(run.communicate()[0].splitlines()[-1])[0] for run in (first, second)]
    assert [answer["build"]["phase"] for answer in answers] == ["Complete", "Cached"]
    assert count.read_text() == "built\n"
    assert kept(cache_dir) == [answers[0]["key"]]


def test_what_another_run_made_meanwhile_is_new_enough_for_reuse_never(cache_dir, lines, tmp_path):
    tree, started, go, count = make_slow_tree(tmp_path)
    first = spawn(cache_dir, *lines(str(tree)))
    assert started.read_text()

    def say(event):
        if "waiting for another run" in event["text"]:
            go.write_text("go")

    second = make([need(*lines(str(tree)))], cache_dir=str(cache_dir), reuse="never", progress=say)
    first.communicate()
    assert phases(second) == ["Cached"] and count.read_text() == "built\n"


def test_a_killed_build_leaves_nothing_that_counts_and_the_next_run_cleans_up(cache_dir, lines, tmp_path):
    tree, started, go, count = make_slow_tree(tmp_path)
    run = spawn(cache_dir, *lines(str(tree)))
    builder = int(started.read_text())
    run.kill()
    run.communicate()
    installer_left = [pid for pid in (builder,) if not gone(pid)]
    results = make([need(*lines("alpha"))], cache_dir=str(cache_dir))
    assert phases(results) == ["Complete"] and kept(cache_dir) == [results[0].key], "the next run cleans up"
    started.unlink()
    result = make([need(*lines(str(tree)))], cache_dir=str(cache_dir))[0]
    assert result.build.phase == "Complete"
    assert call(result.environment.python, "import slow").returncode == 0
    for pid in installer_left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_build_ends_at_its_timeout(cache_dir, lines, tmp_path):
    tree, _started, _go, _count = make_slow_tree(tmp_path)
    reader = os.open(_started, os.O_RDONLY | os.O_NONBLOCK)
    result = make([need(*lines(str(tree)))], cache_dir=str(cache_dir), timeout=3)[0]
    assert (result.build.phase, result.build.reason) == ("Failed", "build_timeout")
    assert kept(cache_dir) == []
    assert wait_gone(int(os.read(reader, 99)))
    os.close(reader)


@as_root
def test_a_full_disk_is_said_and_nothing_is_left(tmp_path, lines, wheelhouse, cache_dir):
    place = cache_dir / "small"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k,mode=755", "tmpfs", str(place)], check=False
    ).returncode:
        pytest.skip("no mount here")
    try:
        make_wheel(wheelhouse, "large", "1.0", source="x = '" + "0123456789" * 100_000 + "'\n")
        build = make([need(*lines("large"))], cache_dir=str(place))[0].build
        assert (build.phase, build.reason) == ("Failed", "disk_full"), build.message
        assert kept(place) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


@as_root
def test_places_that_others_can_change_or_runs_cannot_reach_are_refused(cache_dir, lines):
    cache_dir.chmod(0o775)
    build = make([need(*lines("alpha"))], cache_dir=str(cache_dir))[0].build
    assert build.reason == "environment_setup_failed" and "writable by root only" in build.message
    cache_dir.chmod(0o700)
    build = make([need(*lines("alpha"))], cache_dir=str(cache_dir))[0].build
    assert build.reason == "environment_setup_failed" and f"{cache_dir} is closed" in build.message
    cache_dir.chmod(0o755)


def test_a_cache_that_cannot_be_made_is_said(lines):
    build = make([need(*lines("alpha"))], cache_dir="/proc/nowhere")[0].build
    assert build.reason == "environment_setup_failed" and "cache_dir" in build.message


def test_pythons_that_do_not_fit_are_said(cache_dir, lines):
    build = make([need(*lines("alpha"), python_requires=">=3.99")], cache_dir=str(cache_dir))[0].build
    assert build.reason == "python_unsupported" and ">=3.99" in build.message
    for base, word in (
        ("/nowhere/python", "/nowhere/python"),
        ("/etc/passwd", "executable"),
        ("abc", "abc"),
        ("3.99", "3.99"),
    ):
        with pytest.raises(EngineError, match=word):
            make([need()], base=base, cache_dir=str(cache_dir))
    with pytest.raises(EngineError, match="There is no strategy"):
        make([need()], strategy="zeppelin", cache_dir=str(cache_dir))


def test_the_age_and_size_of_what_is_kept_are_limited(cache_dir, lines):
    results = [make([need(*lines(name))], cache_dir=str(cache_dir))[0] for name in ("alpha", "beta", "hollow")]
    for age, result in zip((3000, 2000, 100), results, strict=True):
        past = Path(result.environment.reference, "environment.json")
        stamp = past.stat().st_mtime - age
        os.utime(past, (stamp, stamp))
    make([need(*lines("beta"))], cache_dir=str(cache_dir), max_age=2500)
    assert kept(cache_dir) == sorted(result.key for result in results[1:])
    last = make([need(*lines("alpha"))], cache_dir=str(cache_dir), max_size=1)[0]
    assert kept(cache_dir) == sorted([results[2].key, last.key]), "what was used minutes ago stays"
