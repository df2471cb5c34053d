# SPDX-License-Identifier: GPL-3.0-or-later
"""What the code of a notebook needs."""

from __future__ import annotations

import textwrap

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.load import Cell, Notebook
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.generated import generate
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.imports import needs


def notebook(*sources, name="n.ipynb", kinds=()):
    kinds = [*kinds, *["code"] * len(sources)]
    cells = [Cell(i, kinds[i], textwrap.dedent(s).strip("\n"), (), {}) for i, s in enumerate(sources)]
    return Notebook(name, tuple(cells), "python3", "python", 4, {})


def lines(root, *sources, **keys):
    return [entry.requirement for entry in generate(notebook(*sources, **keys), root).provenance]


def optional(root, *sources):
    return [entry.requirement for entry in generate(notebook(*sources), root).optional]


class TestImports:
    @pytest.mark.parametrize(
        ("source", "distributions"),
        [
            ("import numpy as np, os\nfrom sklearn.svm import SVC", ["numpy", "scikit-learn"]),
            ("import IPython.display\nfrom ipykernel import x\nfrom __future__ import annotations", []),
            ("from google.cloud import storage, bigquery", ["google-cloud-storage", "google-cloud-bigquery"]),
            ("from google.colab import drive", []),
            ("def f():\n    class A:\n        import numpy", ["numpy"]),
            ("if x:\n    import numpy\nelse:\n    import pandas", ["numpy", "pandas"]),
            ("with x:\n    for y in z:\n        while y:\n            import numpy", ["numpy"]),
            ("match x:\n    case 1:\n        import numpy", ["numpy"]),
            ("import importlib\nm = importlib.import_module('yaml')", ["pyyaml"]),
            ("from importlib import import_module\nimport_module('yaml.loader')", ["pyyaml"]),
            ("__import__('yaml')", ["pyyaml"]),
            ("import importlib\nimportlib.import_module(name)", []),
            ("%time import numpy", ["numpy"]),
            ("%%time\nimport numpy", ["numpy"]),
            ("%%capture\n%%time\nimport numpy", ["numpy"]),
            ("%%writefile x.txt\nimport numpy", []),
            ("import numpy\nprint 'x'", ["numpy"]),
            ("import numpy\n!ls (", ["numpy"]),
            ("# import numpy\n'''\nimport pandas\n'''", []),
            ("await f()\nimport numpy", ["numpy"]),
        ],
    )
    def test_from_all_statements(self, tmp_path, source, distributions):
        assert lines(tmp_path, source) == distributions

    def test_from_all_cells_however_broken_one_is(self, tmp_path):
        cells = ["import numpy", "this is no code", "import pandas", "def broken(:\n", "import yaml"]
        assert lines(tmp_path, *cells) == ["numpy", "pandas", "pyyaml"]

    def test_raw_and_markdown_cells_are_no_code(self, tmp_path):
        found = lines(tmp_path, "import numpy", "import pandas", "import yaml", kinds=("raw", "markdown"))
        assert found == ["pyyaml"]

    def test_each_line_says_where_it_comes_from(self, tmp_path):
        found = generate(notebook("x = 1", "\n\nimport pandas as pd\npd.read_html(u)"), tmp_path)
        assert [(e.requirement, e.tier, e.reason, e.cell, e.line) for e in found.provenance] == [
            ("pandas", "generated", "import pandas", 1, 1),
            ("lxml", "generated", "implicit: pandas.read_html", 1, 2),
        ]

    @pytest.mark.parametrize("module", ["utils", "config", "helper_functions"])
    def test_names_of_missing_local_files_are_reported(self, tmp_path, module):
        found = generate(notebook(f"from {module} import x\nimport numpy"), tmp_path)
        assert [entry.requirement for entry in found.provenance] == ["numpy"]
        assert [(item.name, item.cell, item.line) for item in found.unresolved] == [(module, 0, 1)]


class TestGuards:
    @pytest.mark.parametrize(
        ("source", "required", "can_do_without"),
        [
            ("try:\n    import a\nexcept ImportError:\n    a = None", [], ["a"]),
            ("try:\n    import a\nexcept ModuleNotFoundError:\n    print('pip install a')", [], ["a"]),
            ("try:\n    import a\nexcept (ValueError, ImportError):\n    pass\nelse:\n    import b", [], ["a", "b"]),
            ("try:\n    import a\nexcept:\n    pass", [], ["a"]),
            ("try:\n    import a\nexcept ValueError:\n    pass", ["a"], []),
            ("try:\n    import a\nfinally:\n    import b", ["a", "b"], []),
            ("try:\n    import a\nexcept ImportError:\n    raise SystemExit", ["a"], []),
            ("try:\n    import a\nexcept ImportError:\n    sys.exit(1)", ["a"], []),
            ("try:\n    import a\nexcept ImportError:\n    !pip install a\n    import a", ["a"], []),
            ("try:\n    import a\nexcept ImportError:\n    import b as a", ["a"], ["b"]),
            ("try:\n    import tomllib\nexcept ImportError:\n    import tomli as tomllib", [], ["tomli"]),
            ("try:\n    import ujson as json\nexcept ImportError:\n    import json", [], ["ujson"]),
            ("try:\n    import google.colab\n    import a\nexcept ImportError:\n    import b", ["b"], ["a"]),
            ("from contextlib import suppress\nwith suppress(ImportError):\n    import a", [], ["a"]),
            ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a", [], ["a"]),
            ("import typing\nif typing.TYPE_CHECKING:\n    import a\nelse:\n    import b", ["b"], ["a"]),
            ("if 'google.colab' in sys.modules:\n    import a\nelse:\n    import b", ["b"], ["a"]),
            ("if 'google.colab' not in str(get_ipython()):\n    import a", ["a"], []),
            ("IN_COLAB = 'google.colab' in sys.modules\nif IN_COLAB:\n    import a", [], ["a"]),
            ("here = 'google.colab' in sys.modules\nif not here:\n    import a\nelse:\n    import b", ["a"], ["b"]),
            ("if os.environ.get('KAGGLE_KERNEL_RUN_TYPE'):\n    import a", [], ["a"]),
            ("kaggle_frame = 1\nif kaggle_frame:\n    import a", ["a"], []),
            ("if False:\n    import a", [], ["a"]),
            ("if sys.version_info[0] < 3:\n    import a", [], ["a"]),
            ("if sys.version_info >= (3, 8):\n    import a\nelse:\n    import b", ["a"], ["b"]),
            ("if sys.version_info < (3, 13):\n    import a", ["a"], []),
            ("if sys.platform == 'win32':\n    import a\nelse:\n    import b", ["b"], ["a"]),
            ("if sys.platform.startswith('linux'):\n    import a", ["a"], []),
            ("if os.name != 'nt':\n    import a", ["a"], []),
        ],
    )
    def test_what_the_notebook_can_do_without(self, tmp_path, source, required, can_do_without):
        assert lines(tmp_path, source) == required
        assert optional(tmp_path, source) == can_do_without

    def test_a_guarded_import_that_is_used_outside_is_needed(self, tmp_path):
        guarded = "try:\n    import seaborn as sns\nexcept ImportError:\n    pass"
        assert lines(tmp_path, guarded, "sns.set()") == ["seaborn"]
        assert lines(tmp_path, guarded, "if sns:\n    sns.set()") == []
        assert lines(tmp_path, guarded, "def f():\n    sns.set()") == []


class TestLocalModules:
    def test_siblings_are_not_installed_but_what_they_import_is(self, tmp_path):
        (tmp_path / "sub/pkg/inner").mkdir(parents=True)
        (tmp_path / "sub/helper.py").write_text(
            "import yaml\nimport second\ntry:\n    import q\nexcept ImportError: pass"
        )
        (tmp_path / "sub/second.py").write_text("import lxml, helper")
        (tmp_path / "sub/pkg/__init__.py").write_text("from . import part\nfrom .inner.deep import x")
        (tmp_path / "sub/pkg/part.py").write_text("import requests")
        (tmp_path / "sub/pkg/inner/deep.py").write_text("from ..other import y")
        (tmp_path / "sub/pkg/other.py").write_text("import attr")
        found = generate(notebook("import helper, pkg.part", name="sub/n.ipynb"), tmp_path)
        assert {entry.requirement for entry in found.provenance} == {"pyyaml", "lxml", "requests", "attrs"}
        assert [entry.requirement for entry in found.optional] == ["q"]
        assert {entry.requirement: entry.file for entry in found.provenance}["pyyaml"] == "sub/helper.py"
        assert found.unresolved == ()

    @pytest.mark.parametrize("move", ["%cd repo", "import sys\nsys.path.append('repo')"])
    def test_a_cloned_repository_on_the_path_provides_what_nobody_else_is_known_to(self, tmp_path, move):
        cells = ("!git clone https://example.org/repo.git", move, "import numpy, yaml, dnnlib\nfrom legacy import net")
        assert lines(tmp_path, *cells) == ["numpy", "pyyaml"]
        assert [item.name for item in generate(notebook(*cells), tmp_path).unresolved] == ["dnnlib", "legacy"]
        assert "dnnlib" in lines(tmp_path, cells[0], cells[2])

    @pytest.mark.parametrize("setup", ["setup(name='my_project', version='1')", "setup(\n  name = 'my_project',\n)"])
    def test_the_project_itself_is_a_distribution_even_on_the_path(self, tmp_path, setup):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/__init__.py").write_text("import torch")
        (tmp_path / "setup.py").write_text(setup)
        source = "import sys\nsys.path.append('..')\nimport mine"
        assert lines(tmp_path, source, name="docs/n.ipynb") == ["my-project"]

    def test_scripts_and_notebooks_that_are_run_count(self, tmp_path):
        (tmp_path / "train.py").write_text("import lightgbm")
        (tmp_path / "other.ipynb").write_text(
            '{"cells": [{"cell_type": "code", "source": "%matplotlib inline\\nimport polars", "metadata": {}}],'
            ' "metadata": {}, "nbformat": 4}'
        )
        assert lines(tmp_path, "!python -u train.py --fast") == ["lightgbm"]
        assert sorted(lines(tmp_path, "%run other.ipynb")) == ["matplotlib", "polars"]
        (tmp_path / "other.ipynb").write_text("{")
        assert lines(tmp_path, "%run other.ipynb\nimport rich") == ["rich"]

    def test_a_script_that_is_written_counts_where_another_cell_speaks_of_it(self, tmp_path):
        cell = "%%writefile app.py\nimport streamlit"
        assert lines(tmp_path, cell) == []
        assert lines(tmp_path, cell, "!streamlit run app.py") == ["streamlit"]

    def test_a_broken_sibling_hides_nothing_else(self, tmp_path):
        (tmp_path / "helper.py").write_text("def (")
        assert lines(tmp_path, "import helper, numpy") == ["numpy"]

    @pytest.mark.parametrize(
        "cell",
        [
            "import sys\nsys.path.append('../lib')",
            "sys.path.insert(0, os.path.join('..', 'lib'))",
            "%cd ../lib",
            "os.chdir('../lib')",
        ],
    )
    def test_paths_that_the_notebook_adds(self, tmp_path, cell):
        (tmp_path / "lib").mkdir()
        (tmp_path / "nb").mkdir()
        (tmp_path / "pyproject.toml").write_text("")
        (tmp_path / "lib/mine.py").write_text("import yaml")
        assert lines(tmp_path, cell, "import mine", name="nb/n.ipynb") == ["pyyaml"]
        assert lines(tmp_path, "import mine", name="nb/n.ipynb") == ["mine"]

    def test_a_path_outside_the_tree_is_not_followed(self, tmp_path):
        (tmp_path / "mine.py").write_text("import yaml")
        (tmp_path / "tree").mkdir()
        assert lines(tmp_path / "tree", "sys.path.append('..')", "import mine") == ["mine"]

    @pytest.mark.parametrize(
        "cell",
        [
            "%%writefile mine.py\nx = 1",
            "!wget https://example.org/raw/mine.py",
            "download('https://example.org/mine.py')",
        ],
    )
    def test_files_that_the_notebook_makes(self, tmp_path, cell):
        found = generate(notebook(cell, "import mine, numpy"), tmp_path)
        assert [entry.requirement for entry in found.provenance] == ["numpy"]
        assert found.unresolved == ()

    def test_what_a_written_file_imports_counts(self, tmp_path):
        assert lines(tmp_path, "%%writefile mine.py\nimport yaml", "import mine") == ["pyyaml"]

    def test_a_script_that_is_run_counts(self, tmp_path):
        (tmp_path / "prepare.py").write_text("import yaml")
        assert lines(tmp_path, "%run prepare.py") == ["pyyaml"]
        assert lines(tmp_path, "%run -i 'prepare'") == []
        assert lines(tmp_path, "%run ../../etc/passwd.py") == []

    def test_the_project_of_the_tree_is_a_distribution(self, tmp_path):
        (tmp_path / "src/mine").mkdir(parents=True)
        (tmp_path / "src/mine/__init__.py").write_text("import yaml")
        (tmp_path / "pyproject.toml").write_text('[project]\nname = "My_Thing"\n')
        assert lines(tmp_path, "import mine.part", name="docs/n.ipynb") == ["my-thing"]

    def test_without_metadata_packages_at_the_root_are_local(self, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/__init__.py").write_text("import yaml")
        assert lines(tmp_path, "import mine", name="docs/n.ipynb") == ["pyyaml"]

    def test_a_directory_of_data_does_not_hide_a_distribution(self, tmp_path):
        (tmp_path / "pandas").mkdir()
        (tmp_path / "pandas/frame.csv").write_text("")
        assert lines(tmp_path, "import pandas") == ["pandas"]

    def test_a_namespace_directory_is_local_where_its_file_is_there(self, tmp_path):
        (tmp_path / "tools_of_mine").mkdir()
        (tmp_path / "tools_of_mine/part.py").write_text("import yaml")
        assert lines(tmp_path, "from tools_of_mine.part import x") == ["pyyaml"]


class TestImplicit:
    @pytest.mark.parametrize(
        ("source", "implied"),
        [
            ("import pandas as pd\npd.read_excel('x.xlsx')", ["openpyxl"]),
            ("import pandas as pd\npd.read_excel('x.xls')", ["xlrd"]),
            ("import pandas as pd\npd.read_excel('x', engine='calamine')", ["python-calamine"]),
            ("from pandas import read_excel as r\nr('x.xlsx')", ["openpyxl"]),
            ("import pandas as pd\npd.DataFrame().to_excel('x')", ["openpyxl"]),
            ("import pandas as pd\npd.ExcelWriter('x', engine='xlsxwriter')", ["xlsxwriter"]),
            ("import pandas as pd\npd.read_parquet('x')", ["pyarrow"]),
            ("import pandas as pd\ndf.to_parquet('x', engine='fastparquet')", ["fastparquet"]),
            ("import pandas as pd\ndf.to_feather('x')", ["pyarrow"]),
            ("import pandas as pd\npd.read_hdf('x')\ndf.to_hdf('x')", ["tables"]),
            ("import pandas as pd\npd.read_html('x')", ["lxml"]),
            ("import pandas as pd\ndf.to_markdown()", ["tabulate"]),
            ("import pandas as pd\ndf.style.background_gradient()", ["jinja2", "matplotlib"]),
            ("import pandas as pd\ndf.x.plot()", ["matplotlib"]),
            ("import pandas as pd\ndf.plot.scatter('x', 'y')", ["matplotlib"]),
            ("import pandas as pd\ndf.hist()", ["matplotlib"]),
            ("import pandas as pd\ndf.plot(kind='density')", ["matplotlib", "scipy"]),
            ("import pandas as pd\ndf.plot.kde()", ["matplotlib", "scipy"]),
            ("import pandas as pd\ndf.corr(method='kendall')", ["scipy"]),
            ("import pandas as pd\npd.read_csv('s3://b/x.csv')", ["s3fs"]),
            ("import pandas as pd\npd.read_csv(f'gs://{b}/x.csv')", ["gcsfs"]),
            ("import seaborn as sns\nsns.regplot(x=1, lowess=True)", ["statsmodels"]),
            ("import sqlalchemy as sa\nsa.create_engine('postgresql://h/d')", ["psycopg2-binary"]),
            ("from sqlalchemy import create_engine\ncreate_engine(f'mysql+pymysql://{u}')", ["pymysql"]),
            ("from tqdm.notebook import tqdm", ["ipywidgets"]),
            ("import tqdm.notebook as tqdm", ["ipywidgets"]),
            ("from tqdm import tqdm_notebook", ["ipywidgets"]),
            ("from sklearn.datasets import load_iris\nload_iris(as_frame=True)", ["pandas"]),
            ("from sklearn.datasets import fetch_openml\nfetch_openml('x')", ["pandas"]),
            ("from sklearn.tree import plot_tree\nplot_tree(m)", ["matplotlib"]),
            ("import skimage.data\nskimage.data.kidney()", ["pooch"]),
            ("from skimage import data\ndata.lily()", ["pooch"]),
            ("from scipy import datasets\ndatasets.face()", ["pooch"]),
            ("from transformers import AutoModel\nAutoModel.from_pretrained('x')", ["torch"]),
            ("from transformers import pipeline\npipeline('x')", ["torch"]),
            ("from bokeh.sampledata.iris import flowers", ["bokeh-sampledata"]),
            ("import xarray as xr\nxr.open_dataset('x.nc')", ["netcdf4"]),
            ("import xarray as xr\nxr.open_dataset('x.nc', engine='h5netcdf')", ["h5netcdf"]),
            ("import xarray as xr\nxr.tutorial.open_dataset('x')", ["pooch", "netcdf4"]),
            ("import xarray as xr\nxr.open_zarr('x')", ["zarr"]),
            ("import networkx as nx\nnx.draw_networkx(g)", ["matplotlib"]),
            ("import networkx as nx\nnx.pagerank(g)", ["scipy"]),
            ("import plotly.graph_objects as go\nf.write_image('x')", ["kaleido"]),
            ("import plotly.express as px", ["numpy"]),
            ("import plotly.express as px\npx.data.iris()", ["numpy", "pandas"]),
            ("import plotly.express as px\npx.scatter(d, trendline='ols')", ["numpy", "statsmodels"]),
            ("import sympy as sp\nsp.plot(x)", ["matplotlib"]),
            ("import shap\nshap.summary_plot(v)", ["matplotlib"]),
            ("import xgboost as xgb\nxgb.XGBClassifier()", ["scikit-learn"]),
            ("import polars as pl\ndf.to_pandas()", ["pandas", "pyarrow"]),
            ("import holoviews as hv\nhv.extension('matplotlib')", ["matplotlib"]),
            ("import hvplot.pandas\nhvplot.sampledata.penguins('pandas')", ["hvsampledata"]),
            ("import geopandas\ngdf.plot(scheme='quantiles')", ["mapclassify", "matplotlib"]),
            ("import geopandas\ngdf.explore()", ["folium", "matplotlib", "mapclassify"]),
            ("import keras", ["tensorflow"]),
            ("from sympy import *\nplot(x)", ["matplotlib"]),
            ("from sympy import *\nother(x)", []),
            ("from bs4 import BeautifulSoup\nBeautifulSoup(text, 'html5lib')", ["html5lib"]),
            ("from bs4 import BeautifulSoup\nBeautifulSoup(text, 'html.parser')", []),
            ("import evaluate\nevaluate.load('accuracy')", ["scikit-learn"]),
            ("import evaluate\nevaluate.load('who/knows')", []),
            ("import mdtraj as md\nmd.load('a.h5')", ["tables"]),
            ("import mdtraj as md\nmd.load('a.pdb')", []),
            ("import igraph as ig\nig.plot(g)", ["pycairo"]),
            ("import igraph as ig\nig.plot(g, target=ax)", []),
            ("from transformers import T5Tokenizer\nT5Tokenizer.from_pretrained(n)", ["sentencepiece"]),
        ],
    )
    def test_uses_that_need_more(self, tmp_path, source, implied):
        found = generate(notebook(source), tmp_path)
        assert [e.requirement for e in found.provenance if not e.reason.startswith("import")] == implied

    @pytest.mark.parametrize(
        ("source", "implied"),
        [
            ("%matplotlib inline", ["matplotlib"]),
            ("%matplotlib widget", ["matplotlib", "ipympl"]),
            ("%pylab inline", ["matplotlib", "numpy"]),
            ("%load_ext autoreload\n%autoreload 2", []),
            ("%load_ext watermark", ["watermark"]),
            ("%load_ext line_profiler\n%lprun -f f f()", ["line-profiler"]),
            ("%load_ext memory_profiler", ["memory-profiler"]),
            ("%load_ext rpy2.ipython", ["rpy2"]),
            ("%reload_ext tensorboard", ["tensorboard"]),
            ("%load_ext my_own_ext", ["my-own-ext"]),
            ("%load_ext sql\n%sql postgresql://h/d", ["ipython-sql", "psycopg2-binary"]),
            ("%%cython\ncdef int x", ["cython"]),
            ("get_ipython().run_line_magic('matplotlib', 'inline')", ["matplotlib"]),
            ("get_ipython().magic('matplotlib inline')", ["matplotlib"]),
            ("try:\n    %load_ext watermark\nexcept ImportError:\n    pass", []),
        ],
    )
    def test_magics(self, tmp_path, source, implied):
        assert lines(tmp_path, source) == implied

    @pytest.mark.parametrize(
        ("source", "required"),
        [
            # what another requirement brings along is not listed again
            ("import seaborn as sns, pandas as pd\ndf.plot()", ["seaborn", "pandas"]),
            ("import statsmodels.api as sm, pandas\ndf.plot(kind='kde')", ["statsmodels", "pandas", "matplotlib"]),
            # objects and modules of the same words
            ("import matplotlib.pyplot as plt\nplt.style.use('x')\nplt.hist(x)", ["matplotlib"]),
            ("import numpy as np\nnp.hist = 1\nx.plot()", ["numpy"]),
            ("import seaborn as sns\nsns.heatmap(x, robust=True)\nsns.displot(x, kind='kde')", ["seaborn"]),
            ("import polars as pl\npl.read_parquet('x')", ["polars"]),
            ("from transformers import AutoTokenizer\nAutoTokenizer.from_pretrained('x')", ["transformers"]),
            ("import transformers, tensorflow\nM.from_pretrained('x')", ["transformers", "tensorflow"]),
            ("import xarray, h5netcdf\nxarray.open_dataset('x')", ["xarray", "h5netcdf"]),
            ("import keras, torch", ["keras", "torch"]),
            ("import holoviews, pandas\npoints.hist()", ["holoviews", "pandas"]),
            ("from skimage import data\ndata.astronaut()", ["scikit-image"]),
            ("from skimage import data\ndata = 3\ndata.kidney()", ["scikit-image"]),
            ("import pandas as pd\nprint('df.plot() and read_excel')", ["pandas"]),
            ("import plotly.graph_objects as go\nfig.update_layout(style='x')", ["plotly"]),
        ],
    )
    def test_what_implies_nothing(self, tmp_path, source, required):
        assert lines(tmp_path, source) == required

    def test_a_library_that_is_imported_in_a_later_cell_counts(self, tmp_path):
        assert lines(tmp_path, "def f(df):\n    df.to_excel('x')", "import pandas") == ["pandas", "openpyxl"]


def test_needs_name_module_and_distribution(tmp_path):
    found = needs(notebook("import sklearn.svm, yaml, sklearn.tree"), tmp_path)
    assert [(need.module, need.distribution, need.reason) for need in found] == [
        ("sklearn", "scikit-learn", "import sklearn.svm"),
        ("yaml", "pyyaml", "import yaml"),
    ]
