# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cells of a notebook install."""

from __future__ import annotations

import textwrap

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.load import Cell, Notebook
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.inline import find

ARGV = "import subprocess, sys\nsubprocess."


def found(root, *sources, name="n.ipynb"):
    cells = [Cell(i, "code", textwrap.dedent(source).strip("\n"), (), {}) for i, source in enumerate(sources)]
    return find(Notebook(name, tuple(cells), "python3", "python", 4, {}), root)


def lines(root, *sources, **keys):
    return [entry.requirement for entry in found(root, *sources, **keys).provenance]


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("%pip install a b", "%pip install"),
        ("!pip install a b", "!pip install"),
        ("! pip3 install a b", "!pip install"),
        ("!!pip install a b", "!pip install"),
        ("pip install a b", "%pip install"),
        ("out = !pip install a b", "!pip install"),
        ("!pip -q install a b", "!pip install"),
        ("!python -m pip install a b", "!pip install"),
        ("!python3.11 -m pip install a b", "!pip install"),
        ("!{sys.executable} -m pip install a b", "!pip install"),
        ('!"{sys.executable}" -m pip install a b', "!pip install"),
        ("!$sys.executable -m pip install a b", "!pip install"),
        ("!/opt/venv/bin/pip install a b", "!pip install"),
        ("!sudo -H pip install a b", "!pip install"),
        ("!yes | pip install a b", "!pip install"),
        ("!FLAG=1 pip install a b", "!pip install"),
        ("!uv pip install a b", "!pip install"),
        ("!uv pip install --system a b", "!pip install"),
        ("!uv add a b", "!pip install"),
        ("%uv pip install a b", "%uv install"),
        ("!poetry add a b", "!pip install"),
        ("%conda install -y -c conda-forge a b", "%conda install"),
        ("!conda install --yes a b", "!conda install"),
        ("!mamba install -y -q a b", "!conda install"),
        ("%%bash\npip install a b", "%%bash pip install"),
        ("%%sh\nset -e\npip install a \\\n  b", "%%sh pip install"),
        ("%%script bash\npip install a b", "%%script pip install"),
        ("%%capture\n%pip install a b", "%pip install"),
        ("%%capture out\n!pip install a b", "!pip install"),
        ("%sx pip install a b", "%sx pip install"),
        ("%system pip install a b", "%system pip install"),
        ("get_ipython().system('pip install a b')", "!pip install"),
        ("get_ipython().run_line_magic('pip', 'install a b')", "%pip install"),
        ("get_ipython().magic('pip install a b')", "%pip install"),
        ("get_ipython().magic('%pip install a b')", "%pip install"),
        ("get_ipython().run_cell_magic('bash', '', 'pip install a b')", "%%bash pip install"),
        ("import os\nos.system('pip install a b')", "os.system pip install"),
        ("os.popen('pip install a b').read()", "os.popen pip install"),
        (ARGV + "run('pip install a b', shell=True)", "subprocess.run pip install"),
        (ARGV + "check_call([sys.executable, '-m', 'pip', 'install', 'a', 'b'])", "subprocess.check_call pip install"),
        (ARGV + "call(['pip', 'install'] + ['a', 'b'])", "subprocess.call pip install"),
        (ARGV + "Popen(['bash', '-c', 'pip install a b'])", "subprocess.Popen pip install"),
        (ARGV + "getoutput('pip install a b')", "subprocess.getoutput pip install"),
        ("from subprocess import check_output\ncheck_output('pip install a b'.split())", "check_output pip install"),
        ("import pip\npip.main(['install', 'a', 'b'])", "pip.main() pip install"),
        ("!cd /tmp && pip install a b", "!pip install"),
        ("!apt-get install -y git; pip install a b", "!pip install"),
        ("!pip install a && pip install b || exit 1", "!pip install"),
        ("!pip install a b > /dev/null 2>&1", "!pip install"),
        ("!pip install a b &> log.txt | tail -1", "!pip install"),
        ("!pip install a b  # comment c", "!pip install"),
        ("if not installed:\n    !pip install a b", "!pip install"),
        ("try:\n    import a\nexcept ImportError:\n    !pip install a b", "!pip install"),
        ("def setup():\n    !pip install a b\nsetup()", "!pip install"),
    ],
)
def test_every_form_of_installation(tmp_path, source, how):
    result = found(tmp_path, source)
    if how is None:
        assert result.provenance == ()
        return
    assert [entry.requirement for entry in result.provenance] == ["a", "b"]
    assert {entry.reason for entry in result.provenance} == {how}
    assert {(entry.tier, entry.cell) for entry in result.provenance} == {("inline", 0)}
    assert result.unresolved == ()


@pytest.mark.parametrize(
    ("command", "requirements"),
    [
        ("a==1.0 'b>=2,<3' \"c~=1.1\"", ["a==1.0", "b>=2,<3", "c~=1.1"]),
        ("a[x,y]==1.0 'b[z]'", ["a[x,y]==1.0", "b[z]"]),
        ("a>=1.0", ["a>=1.0"]),
        ("a == 1.0 b >= 2", ["a==1.0", "b>=2"]),
        ("\"a; python_version < '3.9'\"", ["a; python_version < '3.9'"]),
        ("-U -q --user --no-cache-dir --force-reinstall a", ["a"]),
        ("--timeout 60 --retries=3 -t /tmp/x a", ["a"]),
        ("--upgrade-strategy only-if-needed a", ["a"]),
        ("--pre a", ["--pre", "a"]),
        ("-i https://x.example/simple a", ["--index-url https://x.example/simple", "a"]),
        ("--extra-index-url=https://x.example/s a", ["--extra-index-url https://x.example/s", "a"]),
        ("a -f https://x.example/w.html", ["--find-links https://x.example/w.html", "a"]),
        ("--trusted-host x.example a", ["--trusted-host x.example", "a"]),
        ("git+https://x.example/a/b.git@main#egg=b", ["git+https://x.example/a/b.git@main#egg=b"]),
        ("'b @ git+https://x.example/a/b.git'", ["b @ git+https://x.example/a/b.git"]),
        ("https://x.example/w/a-1.0-py3-none-any.whl", ["https://x.example/w/a-1.0-py3-none-any.whl"]),
        ("-e git+https://x.example/a/b.git#egg=b", ["-e git+https://x.example/a/b.git#egg=b"]),
        ("--upgrade pip setuptools wheel a", ["a"]),
        ("pip==23.0 setuptools==58.0", ["setuptools==58.0"]),
        ("sklearn cv2", ["scikit-learn", "opencv-python"]),
    ],
)
def test_arguments(tmp_path, command, requirements):
    assert lines(tmp_path, f"%pip install {command}") == requirements
    assert lines(tmp_path, f"%%bash\npip install {command}") == requirements


@pytest.mark.parametrize(
    "source",
    [
        "# !pip install a",
        "#%pip install a",
        "'''\n!pip install a\n'''",
        "print('!pip install a')",
        "!echo pip install a",
        "!pip uninstall -y a",
        "%pip list",
        "!pip download a",
        "!apt install git-lfs",
        "!conda create -n x a",
        "!npm install a",
        "%%bash\n# pip install a",
        "%%writefile setup.sh\npip install a",
        "%%script ruby\npip install a",
        "%%html\n<code>!pip install a</code>",
    ],
)
def test_what_is_no_installation(tmp_path, source):
    result = found(tmp_path, source)
    assert (result.provenance, result.optional, result.unresolved) == ((), (), ())


@pytest.mark.parametrize(
    "source",
    [
        "if 'google.colab' in sys.modules:\n    !pip install a",
        "if 'google.colab' in str(get_ipython()):\n    %pip install a",
        "IN_COLAB = 'google.colab' in sys.modules\nif IN_COLAB:\n    !pip install a",
        "try:\n    import google.colab\n    !pip install a\nexcept ImportError:\n    pass",
        "try:\n    from google.colab import drive\n    !pip install a\nexcept:\n    pass",
        "if os.getenv('KAGGLE_URL_BASE'):\n    !pip install a",
        "if sys.platform == 'win32':\n    !pip install a",
    ],
)
def test_what_only_a_hosting_service_installs_is_optional(tmp_path, source):
    result = found(tmp_path, source)
    assert result.provenance == ()
    assert [entry.requirement for entry in result.optional] == ["a"]


@pytest.mark.parametrize(
    ("sources", "requirements"),
    [
        (["name = 'a'", "!pip install {name}"], ["a"]),
        (["name = 'a'\n!pip install $name"], ["a"]),
        (["version = '1.0'\n%pip install a=={version}"], ["a==1.0"]),
        (["for name in ['a', 'b==1']:\n    !pip install {name}"], ["a", "b==1"]),
        (["names = ['a', 'b']\nfor n in names:\n    os.system(f'pip install {n}')"], ["a", "b"]),
        (["names = ['a', 'b']\nos.system('pip install ' + ' '.join(names))"], ["a", "b"]),
        (["names = 'a b'.split()\nsubprocess.run(['pip', 'install', *names])"], ["a", "b"]),
        (["os.system('pip install {}'.format('a'))"], ["a"]),
        (["os.system('pip install %s==%s' % ('a', '1'))"], ["a==1"]),
        (["%%bash\nNAME=a\npip install $NAME ${NAME}b"], ["a", "ab"]),
        (
            [
                "def install(name):\n    subprocess.check_call([sys.executable, '-m', 'pip', 'install', name])",
                "install('a')\ninstall(name='b')",
            ],
            ["a", "b"],
        ),
    ],
)
def test_variables_whose_value_can_be_read(tmp_path, sources, requirements):
    result = found(tmp_path, *sources)
    assert [entry.requirement for entry in result.provenance] == requirements
    assert result.unresolved == ()


@pytest.mark.parametrize(
    ("source", "variable"),
    [
        ("!pip install {package} a", "{package}"),
        ("!pip install $package a", "$package"),
        ("!pip install a=={torch.__version__} a", "a=={torch.__version__}"),
        ("%%bash\npip install $(cat names.txt) a", "$(cat names.txt)"),
        ("def f():\n    subprocess.run(['pip', 'install', names[0], 'a'])", "{names[0]}"),
        ("!pip install -r {file} a", "{file}"),
    ],
)
def test_what_holds_an_unknown_variable_is_unresolved_with_its_cell(tmp_path, source, variable):
    result = found(tmp_path, "x = 1", source)
    assert [entry.requirement for entry in result.provenance] == ["a"]
    (item,) = result.unresolved
    assert item.cell == 1
    assert variable in item.reason
    assert item.name.startswith("pip install")


class TestFiles:
    def test_a_requirements_file_is_inlined_with_its_own_lines(self, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub/requirements.txt").write_text("# c\na==1\n-r more.txt\n")
        (tmp_path / "sub/more.txt").write_text("b\n")
        result = found(tmp_path, "!pip install -r requirements.txt c", name="sub/n.ipynb")
        assert [(e.requirement, e.file, e.line, e.cell) for e in result.provenance] == [
            ("a==1", "sub/requirements.txt", 2, 0),
            ("b", "sub/more.txt", 1, 0),
            ("c", None, 1, 0),
        ]

    def test_a_file_at_the_root(self, tmp_path):
        (tmp_path / "requirements.txt").write_text("a\n")
        assert lines(tmp_path, "%pip install -r requirements.txt", name="sub/n.ipynb") == ["a"]
        assert lines(tmp_path, "%pip install -r ../requirements.txt", name="sub/n.ipynb") == ["a"]

    @pytest.mark.parametrize("target", ["gone.txt", "../../etc/passwd", "https://x.example/r.txt"])
    def test_a_file_that_cannot_be_read_is_unresolved(self, tmp_path, target):
        result = found(tmp_path, f"!pip install -r {target}\n!pip install a")
        assert [entry.requirement for entry in result.provenance] == ["a"]
        assert [item.cell for item in result.unresolved] == [0]

    def test_local_projects(self, tmp_path):
        (tmp_path / "nb").mkdir()
        (tmp_path / "pkg").mkdir()
        assert lines(tmp_path, "!pip install -e ../pkg", name="nb/n.ipynb") == ["-e ./pkg"]
        assert lines(tmp_path, "!pip install ../pkg[test]", name="nb/n.ipynb") == ["./pkg[test]"]
        assert lines(tmp_path, "!cd ../pkg && pip install -e .", name="nb/n.ipynb") == ["-e ./pkg"]
        assert lines(tmp_path, "%cd ../pkg", "!pip install .", name="nb/n.ipynb") == ["./pkg"]
        assert lines(tmp_path, "!cd ../pkg", "!pip install .", name="nb/n.ipynb") == ["./nb"]

    def test_a_local_project_that_is_not_there_is_unresolved(self, tmp_path):
        result = found(tmp_path, "!pip install ./gone")
        assert (result.provenance, len(result.unresolved)) == ((), 1)

    @pytest.mark.parametrize(
        ("sources", "requirement"),
        [
            (
                ["!git clone https://x.example/a/b.git", "%cd b", "!pip install -e .[t]"],
                "b[t] @ git+https://x.example/a/b.git",
            ),
            (["!git clone https://x.example/a/b && cd b && pip install ."], "b @ git+https://x.example/a/b"),
            (
                ["!git clone --depth 1 git@x.example:a/b.git dir\n!pip install ./dir"],
                "b @ git+ssh://git@x.example/a/b.git",
            ),
        ],
    )
    def test_a_clone_that_is_installed_is_its_repository(self, tmp_path, sources, requirement):
        assert lines(tmp_path, *sources) == [requirement]


class TestConda:
    def test_names_are_mapped_or_reported(self, tmp_path):
        result = found(tmp_path, "!conda install -c pytorch -y pytorch=2.1 numpy python=3.9 ffmpeg r-base")
        assert [entry.requirement for entry in result.provenance][1:] == ["numpy"]
        assert result.provenance[0].requirement.startswith("torch==2.1")
        assert [item.name for item in result.unresolved] == ["ffmpeg", "r-base"]

    def test_a_file_of_specifications(self, tmp_path):
        (tmp_path / "list.txt").write_text("# c\nnumpy\nopencv\n")
        assert lines(tmp_path, "!conda install --file list.txt") == ["numpy", "opencv-python"]


class TestReports:
    def test_an_unquoted_bound_is_taken_as_meant_and_warned_of(self, tmp_path):
        result = found(tmp_path, "!pip install a>=2.79.0 b<3 c > log.txt")
        assert [entry.requirement for entry in result.provenance] == ["a>=2.79.0", "b<3", "c"]
        assert ["redirection" in warning for warning in result.warnings] == [True]

    def test_no_deps_is_warned_of(self, tmp_path):
        result = found(tmp_path, "!pip install --no-deps a")
        assert [entry.requirement for entry in result.provenance] == ["a"]
        assert "--no-deps" in result.warnings[0]

    @pytest.mark.parametrize(
        "command",
        [
            "pip install git+https://x.example:IBM/b.git",
            "pip install 'a=>1'",
            "pip install git+https://user:s3cret-token@x.example/b.git",
            "pip install -i https://user:s3cret-token@x.example/simple",
        ],
    )
    def test_what_pip_would_refuse_is_unresolved_and_shows_no_secret(self, tmp_path, command):
        result = found(tmp_path, f"!{command}")
        assert result.provenance == ()
        (item,) = result.unresolved
        assert "s3cret" not in item.name + item.reason
        assert item.cell == 0

    def test_lines_of_cells_are_counted(self, tmp_path):
        result = found(
            tmp_path, "x = 1\n\n!pip install a\n%pip install b", "%%bash\nls\npip install c \\\n d\npip install e"
        )
        assert [(e.requirement, e.cell, e.line) for e in result.provenance] == [
            ("a", 0, 3),
            ("b", 0, 4),
            ("c", 1, 3),
            ("d", 1, 3),
            ("e", 1, 5),
        ]

    def test_the_same_command_twice_is_one_line(self, tmp_path):
        assert lines(tmp_path, "!pip install a", "import os") == ["a"]
