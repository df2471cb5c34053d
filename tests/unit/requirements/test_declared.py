# SPDX-License-Identifier: GPL-3.0-or-later
"""What each format of declared file gives, with the place that it stands at."""

from __future__ import annotations

import json
import sys
import types

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.declared.nearest import Declarations
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.declared.tree import Tree
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError


@pytest.fixture(name="source")
def _source(tmp_path):
    """Return a function that writes files below a root and gives the declarations of that root."""
    root = tmp_path / "source"
    root.mkdir()

    def write(files: dict[str, str | bytes]) -> Declarations:
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Declarations(Tree(root))

    write.root = root
    return write


def lines(declarations: Declarations, directory: str = "") -> list[str]:
    """Return the requirement lines that hold for a directory."""
    declaration = declarations.nearest(directory).declaration
    return [entry.requirement for entry in declaration.found.provenance] if declaration else []


def places(declarations: Declarations, directory: str = "") -> list[tuple[str, int]]:
    """Return file and line of each requirement line."""
    return [(entry.file, entry.line) for entry in declarations.nearest(directory).declaration.found.provenance]


def refusal(declarations: Declarations, directory: str = "") -> str:
    """Return the message with which the files of a directory are refused."""
    with pytest.raises(EngineError) as error:
        declarations.nearest(directory)
    assert error.value.code == "requirements_invalid"
    return error.value.message


class TestRequirementsTxt:
    def test_comments_continuations_markers_and_hashes_as_pip_reads_them(self, source):
        declarations = source(
            {
                "requirements.txt": "# head\n"
                "numpy==1.26.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n\n"
                "pandas[excel] >=2 ; python_version > '3.8'  # why\n"
                "scipy \\\n# a comment ends the continuation\nrich@https://host.invalid/rich.whl#sha256=cc\n"
            }
        )
        assert lines(declarations) == [
            "numpy==1.26.0 --hash=sha256:aa --hash=sha256:bb",
            "pandas[excel] >=2 ; python_version > '3.8'",
            "scipy",
            "rich@https://host.invalid/rich.whl#sha256=cc",
        ]
        assert places(declarations) == [("requirements.txt", n) for n in (2, 6, 7, 9)]

    def test_included_files_are_inlined_with_their_own_place(self, source):
        declarations = source(
            {
                "requirements.txt": "-r parts/a.txt\nlast\n",
                "parts/a.txt": "first\n--requirement=b.txt\n-c pins.txt\n",
                "parts/b.txt": "second\n",
                "parts/pins.txt": "first==1\n",
            }
        )
        assert lines(declarations) == ["first", "second", "--constraint parts/pins.txt", "last"]
        assert places(declarations)[1] == ("parts/b.txt", 1)

    def test_a_file_included_twice_counts_once(self, source):
        declarations = source({"requirements.txt": "-r a.txt\n-r a.txt\n", "a.txt": "numpy\n"})
        assert lines(declarations) == ["numpy"]

    def test_local_paths_become_relative_to_the_root(self, source):
        declarations = source(
            {
                "work/requirements.txt": "-e ../lib[test]\n./pkg ; python_version > '3'\n"
                "--find-links ../wheels\n-e .\nwheels/x-1-py3-none-any.whl\n",
                "lib/x": "",
                "work/pkg/x": "",
                "work/wheels/x-1-py3-none-any.whl": "",
            }
        )
        assert lines(declarations, "work") == [
            "-e ./lib[test]",
            "./work/pkg ; python_version > '3'",
            "--find-links ./wheels",
            "-e ./work",
            "./work/wheels/x-1-py3-none-any.whl",
        ]

    def test_index_options_and_several_on_one_line(self, source):
        declarations = source(
            {"requirements.txt": "numpy\n-i https://a.invalid/s --extra-index-url=https://b.invalid/s\n--pre\n"}
        )
        assert lines(declarations) == [
            "numpy",
            "--index-url https://a.invalid/s",
            "--extra-index-url https://b.invalid/s",
            "--pre",
        ]

    def test_urls_and_repositories_stand_as_they_are(self, source):
        given = [
            "git+https://host.invalid/x/y.git@main#egg=y",
            "-e git+ssh://git@host.invalid/x/z.git",
            "https://host.invalid/w-1.0.tar.gz",
        ]
        assert lines(source({"requirements.txt": "\n".join(given)})) == given

    def test_a_variable_is_kept_for_the_installer_and_reported(self, source):
        declarations = source({"requirements.txt": "numpy\n-i https://user:${TOKEN}@host.invalid/simple\n"})
        found = declarations.nearest("").declaration.found
        assert found.provenance[1].requirement == "--index-url https://user:${TOKEN}@host.invalid/simple"
        assert found.warnings == (
            "requirements.txt:2 needs the environment variable TOKEN when the environment is built.",
        )

    def test_a_remote_include_is_reported_not_fetched(self, source):
        found = source({"requirements.txt": "numpy\n-r https://host.invalid/r.txt\n"}).nearest("").declaration.found
        assert [(item.name, item.line) for item in found.unresolved] == [("-r https://host.invalid/r.txt", 2)]

    def test_utf16_with_a_byte_order_mark_is_what_powershell_writes(self, source):
        assert lines(source({"requirements.txt": "numpy\r\npandas\r\n".encode("utf-16")})) == ["numpy", "pandas"]

    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({"requirements.txt": "numpy\n\nnumpy=>1.2\n"}, "requirements.txt:3 is no requirement: 'numpy=>1.2'"),
            ({"requirements.txt": "-r a.txt\n", "a.txt": "x\ny z\n"}, "a.txt:2 is no requirement: 'y z'"),
            ({"requirements.txt": "-r a.txt\n", "a.txt": "-r requirements.txt\n"}, "a.txt:1 includes requirements.txt"),
            ({"requirements.txt": "x\n-r gone.txt\n"}, "requirements.txt:2 names gone.txt, which does not exist"),
            ({"requirements.txt": "-c gone.txt\n"}, "requirements.txt:1 names gone.txt, which does not exist"),
            ({"requirements.txt": "./gone\n"}, "requirements.txt:1 names ./gone, which does not exist"),
            ({"requirements.txt": "-r ../secret.txt\n"}, "requirements.txt:1 names ../secret.txt, which is outside"),
            ({"requirements.txt": "-e /opt/lib\n"}, "requirements.txt:1 names /opt/lib, which is outside"),
            (
                {"requirements.txt": "x @ file:///opt/lib\n"},
                "requirements.txt:1 names file:///opt/lib, which is outside",
            ),
            ({"requirements.txt": "--target /tmp/x\n"}, "requirements.txt:1 has the option --target"),
            ({"requirements.txt": "numpy\n-r\n"}, "requirements.txt:2 has the option -r without its value"),
            ({"requirements.txt": "-f 'x\n"}, "requirements.txt:1 cannot be read"),
            ({"requirements.txt": b"numpy\npand\xe9s\n"}, "requirements.txt:2 is not UTF-8"),
            ({"requirements.txt": "git+https://host.invalid:IBM/x.git\n"}, "requirements.txt:1 holds a malformed URL"),
        ],
    )
    def test_what_is_wrong_is_named_with_file_and_line(self, source, files, expected):
        assert refusal(source(files)).startswith(expected)

    @pytest.mark.parametrize(
        "line",
        [
            "-i https://user:hunter2@host.invalid/s",
            "x @ https://hunter2@host.invalid/x.whl",
            "git+https://hunter2@host.invalid/x",
        ],
    )
    def test_a_secret_in_the_clear_is_refused_without_showing_it(self, source, line):
        message = refusal(source({"requirements.txt": f"numpy\n{line}\n"}))
        assert message.startswith("requirements.txt:2 holds a password or token")
        assert "hunter2" not in message

    def test_a_link_out_of_the_tree_is_refused(self, source, tmp_path):
        (tmp_path / "outside.txt").write_text("numpy\n")
        (source.root / "requirements.txt").symlink_to(tmp_path / "outside.txt")
        assert "outside the source" in refusal(source({}))


class TestPyproject:
    def test_project_dependencies_with_their_lines(self, source):
        declarations = source(
            {
                "pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.9"\n'
                'dependencies = [\n  "foobar>=1",\n  "foo",\n]\n'
                '[project.optional-dependencies]\ndev = ["pytest"]\n[dependency-groups]\ntest = ["nox"]\n'
            }
        )
        assert lines(declarations) == ["foobar>=1", "foo"]
        assert places(declarations) == [("pyproject.toml", 5), ("pyproject.toml", 6)]
        assert declarations.nearest("").python_requires == ">=3.9"

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ('"^1.21.3"', "n>=1.21.3,<2.0.0"),
            ('"^0.2.3"', "n>=0.2.3,<0.3.0"),
            ('"^0.0.3"', "n>=0.0.3,<0.0.4"),
            ('"~1.2"', "n>=1.2,<1.3"),
            ('"~1"', "n>=1,<2"),
            ('"~1.2.3"', "n>=1.2.3,<1.3.0"),
            ('"1.2.3"', "n==1.2.3"),
            ('"1.*"', "n==1.*"),
            ('"*"', "n"),
            ('">= 1.0, <2.0"', "n>=1.0,<2.0"),
            ('"~=1.4"', "n~=1.4"),
            ('{version = "^2", extras = ["a", "b"], python = ">=3.8,<3.10"}',
             "n[a,b]>=2,<3 ; python_version >= '3.8' and python_version < '3.10'"),
            ('{git = "https://host.invalid/n.git", tag = "v1", subdirectory = "py"}',
             "n @ git+https://host.invalid/n.git@v1#subdirectory=py"),
            ('{git = "git@host.invalid:o/n.git"}', "n @ git+ssh://git@host.invalid/o/n.git"),
            ('{url = "https://host.invalid/n.whl"}', "n @ https://host.invalid/n.whl"),
            ('{path = "lib", develop = true}', "-e ./lib"),
            ('{version = "1", markers = "os_name == \'nt\'", platform = "win32"}',
             "n==1 ; os_name == 'nt' and sys_platform == 'win32'"),
        ],
    )  # fmt: skip
    def test_poetry_notation_becomes_pep_508(self, source, given, expected):
        declarations = source({"pyproject.toml": f"[tool.poetry.dependencies]\nn = {given}\n", "lib/x": ""})
        assert lines(declarations) == [expected]

    def test_poetry_python_optional_and_several_constraints(self, source):
        declarations = source(
            {
                "pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.9"\n'
                'extra = {version = "1", optional = true}\n'
                'n = [{version = "1", python = "<3.10"}, {version = "2", python = ">=3.10"}]\n'
                '[tool.poetry.group.dev.dependencies]\npytest = "*"\n'
            }
        )
        assert lines(declarations) == ["n==1 ; python_version < '3.10'", "n==2 ; python_version >= '3.10'"]
        assert declarations.nearest("").python_requires == ">=3.9,<4.0"

    def test_uv_sources_say_where_a_name_comes_from(self, source):
        declarations = source(
            {
                "pyproject.toml": '[project]\ndependencies = ["Foo[x]>=1", "bar"]\n[tool.uv.sources]\n'
                'foo = {git = "https://host.invalid/foo.git", rev = "abc"}\nbar = {index = "inner"}\n'
            }
        )
        assert lines(declarations) == ["Foo[x] @ git+https://host.invalid/foo.git@abc", "bar"]

    def test_setuptools_dynamic_dependencies_are_followed(self, source):
        declarations = source(
            {
                "pyproject.toml": '[project]\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\n'
                'dependencies = {file = ["req/base.txt"]}\n',
                "req/base.txt": "numpy\n",
            }
        )
        assert places(declarations) == [("req/base.txt", 1)]

    @pytest.mark.parametrize(
        "content",
        [
            "[tool.ruff]\nline-length = 100\n",
            "[project]\nname = 'x'\ndependencies = []\n",
            "[build-system]\nrequires = ['x']\n",
        ],
    )
    def test_settings_of_tools_declare_nothing(self, source, content):
        assert lines(source({"a/pyproject.toml": content, "requirements.txt": "above\n"}), "a") == ["above"]

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("[project]\ndependencies = [\n'x'\n", "pyproject.toml"),
            ("a = 1\nb = = 2\n", "pyproject.toml:2 is not valid TOML"),
            ('[project]\ndependencies = ["x=>1"]\n', "pyproject.toml:2 is no requirement"),
            ("[project]\ndependencies = 'x'\n", "pyproject.toml gives dependencies that are no list of strings"),
            ('[tool.poetry.dependencies]\nn = "^1 || ^2"\n', "pyproject.toml:2 gives n alternative versions"),
            ("[tool.poetry.dependencies]\nn = 1\n", "pyproject.toml:2 gives n neither a version nor a table"),
            ('[tool.poetry.dependencies]\nn = {path = "../n"}\n', "pyproject.toml:2 names ../n, which is outside"),
            ('[tool.poetry.dependencies]\nn = {path = "n"}\n', "pyproject.toml:2 names n, which does not exist"),
        ],
    )
    def test_what_is_wrong_is_named(self, source, content, expected):
        assert refusal(source({"pyproject.toml": content})).startswith(expected)


class TestPipfile:
    PIPFILE = (
        '[[source]]\nurl = "https://default.invalid/simple"\nname = "pypi"\n'
        '[[source]]\nurl = "https://${USER_NAME}:${PASSWORD}@inner.invalid/simple"\nname = "inner"\n'
        '[packages]\nrequests = "*"\npandas = {version = ">=1", extras = ["excel"], sys_platform = "== \'linux\'"}\n'
        'lib = {path = "./lib", editable = true}\n[dev-packages]\npytest = "*"\n[requires]\npython_version = "3.10"\n'
    )

    def test_packages_sources_and_python(self, source):
        declarations = source({"Pipfile": self.PIPFILE, "lib/x": ""})
        assert lines(declarations) == [
            "--extra-index-url https://${USER_NAME}:${PASSWORD}@inner.invalid/simple",
            "requests",
            "pandas[excel]>=1 ; sys_platform == 'linux'",
            "-e ./lib",
        ]
        assert declarations.nearest("").python_requires == "==3.10.*"
        assert len(declarations.nearest("").declaration.found.warnings) == 2

    def test_the_lock_goes_before_the_pipfile_and_keeps_hashes(self, source):
        lock = {
            "_meta": {"requires": {"python_full_version": "3.10.4"}, "sources": []},
            "default": {
                "requests": {"version": "==2.31.0", "hashes": ["sha256:aa"], "markers": "python_version >= '3.7'"}
            },
            "develop": {"pytest": {"version": "==8"}},
        }
        declarations = source({"Pipfile": self.PIPFILE, "Pipfile.lock": json.dumps(lock, indent=1), "lib/x": ""})
        assert lines(declarations) == ["requests==2.31.0 ; python_version >= '3.7' --hash=sha256:aa"]
        assert declarations.nearest("").python_requires == "==3.10.4"

    def test_hashes_are_dropped_where_one_entry_has_none(self, source):
        lock = {
            "default": {
                "a": {"version": "==1", "hashes": ["sha256:aa"]},
                "b": {"git": "https://host.invalid/b.git", "ref": "c0"},
            }
        }
        assert lines(source({"Pipfile.lock": json.dumps(lock)})) == ["a==1", "b @ git+https://host.invalid/b.git@c0"]

    def test_no_packages_is_no_declaration(self, source):
        assert lines(source({"Pipfile": '[[source]]\nurl = "https://x.invalid/s"\nname = "x"\n[packages]\n'})) == []

    def test_a_broken_lock_is_named(self, source):
        assert refusal(source({"Pipfile.lock": "{\n oops"})).startswith("Pipfile.lock:2 is not valid JSON")


class TestConda:
    def test_names_versions_pip_part_and_python(self, source):
        declarations = source(
            {
                "environment.yml": "name: x\nchannels: [conda-forge]\ndependencies:\n"
                "  - python=3.10\n  - numpy=1.21\n  - conda-forge::pytorch>=2,<3\n  - pandas==2.0.1=py39_0\n"
                "  - matplotlib-base 3.5.*\n  - scipy >=1.8\n  - xarray[version='>=2022']\n  - pip\n"
                "  - pip:\n    - requests==2.31\n    - -r more.txt\n",
                "more.txt": "rich\n",
            }
        )
        assert lines(declarations) == [
            "numpy==1.21.*",
            "torch>=2,<3",
            "pandas==2.0.1",
            "matplotlib==3.5.*",
            "scipy>=1.8",
            "xarray>=2022",
            "requests==2.31",
            "rich",
        ]
        assert places(declarations)[-2:] == [("environment.yml", 13), ("more.txt", 1)]
        assert declarations.nearest("").python_requires == "==3.10.*"

    @pytest.mark.parametrize(
        ("asked", "expected"), [("python", None), ("python==3.9", "==3.9.*"), ("python>=3.8,<3.12", ">=3.8,<3.12")]
    )
    def test_what_it_asks_of_python(self, source, asked, expected):
        assert (
            source({"environment.yaml": f"dependencies: ['{asked}', numpy]\n"}).nearest("").python_requires == expected
        )

    def test_what_the_index_does_not_have_is_reported(self, source):
        found = (
            source({"environment.yml": "dependencies:\n- numpy\n- r-base\n- libgcc-ng\n- a=1|2\n"})
            .nearest("")
            .declaration.found
        )
        assert [(item.name, item.line) for item in found.unresolved] == [("r-base", 3), ("libgcc-ng", 4), ("a=1|2", 5)]
        assert found.unresolved[0].reason.startswith("environment.yml:3 is a conda package that PyPI does not have")

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("dependencies:\n  - a\n b: [\n", "environment.yml:3 is not valid YAML"),
            ("dependencies: numpy\n", "environment.yml:1 gives dependencies that are no list"),
            ("dependencies:\n- pip:\n  - 'x=>1'\n", "environment.yml:3 is no requirement"),
            ("dependencies:\n- {conda: [x]}\n", "environment.yml:2 is neither a package nor a pip list"),
            ("dependencies:\n- pip:\n  - {a: b}\n", "environment.yml:2 holds a pip entry that is no text"),
        ],
    )
    def test_what_is_wrong_is_named(self, source, content, expected):
        assert refusal(source({"environment.yml": content})).startswith(expected)

    def test_an_environment_without_packages_declares_nothing(self, source):
        assert lines(source({"environment.yml": "name: x\ndependencies:\n"})) == []


class TestSetuptools:
    def test_setup_cfg(self, source):
        declarations = source(
            {
                "setup.cfg": "[metadata]\nname = numpy\n[options]\npython_requires = >=3.8\n"
                "install_requires =\n    numpy\n"
                "    pandas>=1 ; python_version > '3.7'  # why\n[options.extras_require]\ndev = pytest\n"
            }
        )
        assert lines(declarations) == ["numpy", "pandas>=1 ; python_version > '3.7'"]
        assert places(declarations) == [("setup.cfg", 6), ("setup.cfg", 7)]
        assert declarations.nearest("").python_requires == ">=3.8"

    def test_setup_cfg_follows_file(self, source):
        declarations = source({"setup.cfg": "[options]\ninstall_requires = file: req.in\n", "req.in": "numpy\n"})
        assert places(declarations) == [("req.in", 1)]

    def test_setup_py_is_read_not_run(self, source, tmp_path):
        declarations = source(
            {
                "setup.py": f"from setuptools import setup\nopen({str(tmp_path / 'ran')!r}, 'w')\n"
                "BASE = ['a>=1',\n 'b']\n"
                "setup(install_requires=BASE + ['c'], python_requires='>=3.8', extras_require={'d': ['e']})\n"
            }
        )
        assert lines(declarations) == ["a>=1", "b", "c"]
        assert places(declarations) == [("setup.py", 3), ("setup.py", 4), ("setup.py", 5)]
        assert declarations.nearest("").python_requires == ">=3.8"
        assert not (tmp_path / "ran").exists()

    def test_computed_requirements_are_reported_and_the_search_goes_on(self, source):
        content = "from setuptools import setup\nsetup(install_requires=open('r').read().split())\n"
        assert lines(source({"a/setup.py": content, "requirements.txt": "above\n"}), "a") == ["above"]
        alone = source({"b/setup.py": content, "requirements.txt": ""}).nearest("b")
        assert alone.declaration is None
        assert alone.unresolved[0].reason.startswith("b/setup.py:2 computes install_requires")

    def test_a_name_that_refers_to_itself_is_computed(self, source):
        nearby = source(
            {"setup.py": "import setuptools\nREQ = REQ + ['a']\nsetuptools.setup(install_requires=REQ)\n"}
        ).nearest("")
        assert nearby.declaration is None
        assert nearby.unresolved

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("setup.py", "x = 1\nprint 'x'\n", "setup.py:2 is not valid Python 3"),
            ("setup.cfg", "[options]\ninstall_requires\n  = x\noops oops\n", "setup.cfg:2 is not valid"),
            ("setup.cfg", "a = b\n", "setup.cfg:1 is not valid"),
            ("setup.cfg", "[options]\ninstall_requires =\n  a\n  b c\n", "setup.cfg:4 is no requirement"),
        ],
    )
    def test_what_is_wrong_is_named(self, source, name, content, expected):
        assert refusal(source({name: content})).startswith(expected)


class TestMissingPackages:
    def test_toml_without_tomllib_is_read_by_tomli(self, source, monkeypatch):
        tomllib = pytest.importorskip("tomllib")
        monkeypatch.setitem(sys.modules, "tomllib", None)
        monkeypatch.setitem(
            sys.modules, "tomli", types.SimpleNamespace(loads=tomllib.loads, TOMLDecodeError=ValueError)
        )
        assert lines(source({"pyproject.toml": "[project]\ndependencies = ['a']\n"})) == ["a"]

    @pytest.mark.parametrize(
        ("package", "files", "expected"),
        [
            ("tomllib", {"pyproject.toml": ""}, "install tomli"),
            ("yaml", {"environment.yml": ""}, "PyYAML is missing: install it"),
            ("packaging.requirements", {"requirements.txt": "a"}, "packaging is missing: install it"),
        ],
    )
    def test_the_one_that_is_missing_is_named(self, source, monkeypatch, package, files, expected):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setitem(sys.modules, "tomli", None)
        with pytest.raises(EngineError, match=expected) as caught:
            source(files).nearest("")
        assert caught.value.code == "missing_library"


class TestNearest:
    def test_the_nearest_directory_wins_up_to_the_root(self, source):
        declarations = source({"requirements.txt": "root\n", "a/requirements.in": "a\n", "a/b/c/x": ""})
        assert lines(declarations, "a/b/c") == ["a"]
        assert lines(declarations, "other") == ["root"]

    def test_the_order_within_one_directory(self, source):
        files = {
            "requirements.txt": "n1\n",
            "requirements.in": "n2\n",
            "pyproject.toml": "[project]\ndependencies = ['n3']\n",
            "Pipfile.lock": '{"default": {"n4": {"version": "==1"}}}',
            "Pipfile": '[packages]\nn5 = "*"\n',
            "environment.yml": "dependencies: [n6]\n",
            "environment.yaml": "dependencies: [n7]\n",
            "setup.cfg": "[options]\ninstall_requires = n8\n",
            "setup.py": "from setuptools import setup\nsetup(install_requires=['n9'])\n",
        }
        source(files)
        seen = []
        for name in files:
            seen += [line.partition("=")[0] for line in lines(source({}))]
            (source.root / name).unlink()
        assert seen == [f"n{number}" for number in range(1, 10)]

    def test_a_file_with_comments_only_declares_nothing(self, source):
        assert lines(source({"a/requirements.txt": "# none\n", "requirements.txt": "above\n"}), "a") == ["above"]

    def test_a_file_with_options_only_declares_nothing(self, source):
        declarations = source(
            {
                "requirements.txt": "--index-url https://host.invalid/s\n",
                "setup.cfg": "[options]\ninstall_requires = x\n",
            }
        )
        assert lines(declarations) == ["x"]

    def test_python_is_taken_from_a_file_that_lists_nothing_or_comes_later(self, source):
        declarations = source(
            {
                "a/requirements.txt": "numpy\n",
                "a/pyproject.toml": "[project]\nrequires-python = '>=3.11'\n",
                "b/pyproject.toml": "[project]\nrequires-python = '>=3.12'\n",
                "c/requirements.txt": "numpy\n",
                "c/pyproject.toml": "= broken but not needed",
            }
        )
        assert declarations.nearest("a").python_requires == ">=3.11"
        assert declarations.nearest("b").python_requires == ">=3.12"
        assert declarations.nearest("c").python_requires is None

    def test_runtime_txt(self, source):
        declarations = source(
            {"runtime.txt": "python-3.11\n", "a/runtime.txt": "r-4.1-2022-01-01\n", "b/runtime.txt": "python-3.9.7\n"}
        )
        assert [declarations.python(directory) for directory in ("x/y", "a", "b")] == [
            "==3.11.*",
            "==3.11.*",
            "==3.9.7",
        ]

    def test_a_runtime_txt_that_names_no_version_is_named(self, source):
        with pytest.raises(EngineError, match=r"^runtime.txt:1 names no Python version: 'python-x'"):
            source({"runtime.txt": "python-x"}).python("")


class TestChosenByTheCaller:
    def test_the_ending_tells_the_format(self, source):
        declarations = source(
            {
                "ci/reqs": "a\n",
                "ci/r.pip": "b\n",
                "ci/p.toml": "[project]\ndependencies = ['c']\n",
                "ci/e.yaml": "dependencies: [d]\n",
                "ci/s.cfg": "[options]\ninstall_requires = e\n",
            }
        )
        found = [
            declarations.explicit(f"ci/{name}").found.provenance[0].requirement
            for name in ("reqs", "r.pip", "p.toml", "e.yaml", "s.cfg")
        ]
        assert found == ["a", "b", "c", "d", "e"]

    def test_an_absolute_path_below_the_root_will_do(self, source):
        assert source({"a/r.txt": "x\n"}).explicit(str(source.root / "a" / "r.txt")).file == "a/r.txt"

    def test_an_explicit_file_may_list_nothing(self, source):
        assert source({"none.txt": "# nothing\n"}).explicit("none.txt").found.provenance == ()

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("gone.txt", "The requirements file gone.txt does not exist"),
            ("../x.txt", "The requirements file names ../x.txt, which is outside"),
            ("/etc/hostname", "The requirements file names /etc/hostname, which is outside"),
            ("lock.json", "lock.json has a form that is not known"),
        ],
    )
    def test_a_file_that_cannot_be_is_refused(self, source, path, expected):
        declarations = source({"lock.json": "{}"})
        with pytest.raises(EngineError) as error:
            declarations.explicit(path)
        assert error.value.message.startswith(expected)
        assert error.value.code == "requirements_invalid"

    def test_the_first_of_a_chain_that_exists(self, source):
        declarations = source({"b.txt": "b\n", "c.txt": "c\n"})
        assert declarations.first(["a.txt", "b.txt", "c.txt"]).file == "b.txt"
        assert declarations.first(["a.txt"]) is None
