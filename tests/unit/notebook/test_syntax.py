# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells read as IPython reads them."""

from __future__ import annotations

import ast
import textwrap

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.syntax import parse


def lines(source):
    """Return 'LINE: statement' of the top-level statements."""
    body = parse(textwrap.dedent(source).strip("\n")).body
    return [f"{node.lineno}: {ast.unparse(node)}" for node in body]


class TestMagics:
    @pytest.mark.parametrize(
        ("source", "python"),
        [
            ("%matplotlib inline", "get_ipython().run_line_magic('matplotlib', 'inline')"),
            ("% load_ext autoreload", "get_ipython().run_line_magic('load_ext', 'autoreload')"),
            ("!ls -l 'a b'", "get_ipython().system(\"ls -l 'a b'\")"),
            ("!!ls", "get_ipython().system('ls')"),
            ("x = !ls", "x = get_ipython().getoutput('ls')"),
            ("a, b = %env PATH", "a, b = get_ipython().run_line_magic('env', 'PATH')"),
            ("%time import pandas", "import pandas"),
            ("%timeit -n 10 -r3 f(x)", "f(x)"),
            ("%lprun -f f f(x)", "f(x)"),
            ("t = %timeit -o f(x)", "t = f(x)"),
            ("%time", "pass"),
            ("%", "pass"),
            ("pip install x", "get_ipython().run_line_magic('pip', 'install x')"),
            ("pip -q install x", "get_ipython().run_line_magic('pip', '-q install x')"),
            ("conda install -y x", "get_ipython().run_line_magic('conda', 'install -y x')"),
            ("cd ..", "get_ipython().run_line_magic('cd', '..')"),
            ("matplotlib inline", "get_ipython().run_line_magic('matplotlib', 'inline')"),
            ("?print", "pass"),
            ("print??", "pass"),
            ("df.head?", "pass"),
            ("%%bash\npip install x", "get_ipython().run_cell_magic('bash', '', 'pip install x')"),
            ("\n%%writefile a.py\nimport x", "get_ipython().run_cell_magic('writefile', 'a.py', 'import x')"),
            ("%%html\n<b>", "get_ipython().run_cell_magic('html', '', '<b>')"),
            ("%%sql\nselect *", "get_ipython().run_cell_magic('sql', '', 'select *')"),
            ("%%!\nls", "get_ipython().run_cell_magic('system', '', '\\nls')"),
        ],
    )
    def test_each_becomes_the_call_that_ipython_makes(self, source, python):
        assert [ast.unparse(node) for node in parse(source).body] == [python]
        assert parse(source).broken == ()

    @pytest.mark.parametrize(
        "source",
        [
            "x = 5 % 3",
            "x = (5\n% 3)",
            "x = 5 \\\n% 3",
            's = """\n!pip install no\n%time\n"""',
            "s = '''it's\n!no'''",
            "a != b",
            "f'{x!r}'",
            "# pip install no?",
            "time = 3",
            "run(x)",
            "ls = [\n  1]",
            "print('100%')",
            "x = [1, # (\n2]",
            'd = {"a": "%s" % 1}',
            "ok = a if b else c",
        ],
    )
    def test_python_stays_python(self, source):
        assert ast.dump(ast.Module(list(parse(source).body), [])) == ast.dump(ast.parse(source))

    def test_line_numbers_hold_over_continuations(self):
        assert lines(
            """
            import a
            !pip install x \\
              y
            import b
            """
        ) == ["1: import a", "2: get_ipython().system('pip install x    y')", "4: import b"]

    def test_magics_stay_in_their_block(self):
        (node,) = parse("try:\n    import a\nexcept ImportError:\n    !pip install a\n    %time import b").body
        assert ast.unparse(node.handlers[0].body[0]) == "get_ipython().system('pip install a')"
        assert ast.unparse(node.handlers[0].body[1]) == "import b"

    def test_cell_magics_that_run_python(self):
        found = lines(
            """
            #@title for a form
            %%time
            %%capture out
            import a
            """
        )
        assert found[-1] == "4: import a"
        assert lines("%%cache x.pkl\nimport a")[-1] == "2: import a"

    def test_top_level_await(self):
        assert lines("r = await f()\nasync for x in y: pass\n!ls")[0] == "1: r = await f()"


class TestBrokenCells:
    @pytest.mark.parametrize(
        ("source", "kept", "broken"),
        [
            ("import a\nprint 'x'\nimport b", ["1: import a", "2: pass", "3: import b"], (2,)),
            ("x = (1\nimport a\n!ls\nimport b", None, (1,)),
            ("def f(:\n    import a\n    import b\nimport c", None, (1,)),
            ("import a\nx = '''never closed\nimport b", None, (2,)),
            ("import a\n<<<<<<< HEAD\nimport b\n=======\nimport c\n>>>>>>> x", None, (2, 4, 6)),
            ("import a\n$ pip install b", None, (2,)),
        ],
    )
    def test_the_statements_that_parse_are_kept(self, source, kept, broken):
        if kept is not None:
            assert lines(source) == kept
        code = parse(source)
        names = {alias.name for node in code.body if isinstance(node, ast.Import) for alias in node.names}
        assert names == {line.split()[1] for line in source.splitlines() if line.strip().startswith("import")}
        assert code.broken == broken

    def test_a_guard_survives_a_broken_line_in_it(self):
        (node,) = parse("try:\n    import a\n    print 'x'\nexcept ImportError:\n    pass").body
        assert isinstance(node, ast.Try)
        assert ast.unparse(node.body[0]) == "import a"

    def test_a_cell_of_prose_keeps_its_one_import(self):
        prose = "\n".join(f"this is line {number} of a text" for number in range(60))
        code = parse(prose + "\nimport a\n%pip install b")
        assert [ast.unparse(node) for node in code.body if not isinstance(node, ast.Pass)] == [
            "import a",
            "get_ipython().run_line_magic('pip', 'install b')",
        ]
        assert [node.lineno for node in code.body if isinstance(node, ast.Import)] == [61]

    @pytest.mark.parametrize("source", ["\0", "(" * 300, "", "   ", "# only"])
    def test_nothing_makes_it_fail(self, source):
        assert isinstance(parse(source).body, tuple)
