# SPDX-License-Identifier: GPL-3.0-or-later
"""Well-known distributions that bring others along, so that a declared file is not blamed for what pip adds itself.

Only dependencies that every current version installs unconditionally are listed; names are canonical (PEP 503).
"""

from __future__ import annotations

import functools

_TABLE = """
anndata: h5py numpy pandas scipy
arch: numpy packaging pandas scipy statsmodels
arviz: matplotlib numpy pandas scipy xarray
astropy: numpy packaging pyerfa pyyaml
beautifulsoup4: soupsieve typing-extensions
bokeh: contourpy jinja2 numpy packaging pandas pillow pyyaml tornado
boto3: botocore jmespath s3transfer
cartopy: matplotlib numpy packaging pyproj pyshp shapely
catboost: graphviz matplotlib numpy pandas plotly scipy six
category-encoders: numpy pandas patsy scikit-learn scipy statsmodels
dask: click cloudpickle fsspec packaging partd pyyaml toolz
datasets: fsspec huggingface-hub numpy packaging pandas pyarrow pyyaml requests tqdm
datashader: colorcet multipledispatch numba numpy packaging pandas param pyct requests scipy toolz xarray
distributed: click cloudpickle dask jinja2 msgpack packaging psutil pyyaml tornado urllib3
fastai: fastcore fastprogress matplotlib pandas pillow pyyaml requests scikit-learn scipy torch torchvision
fastapi: pydantic starlette typing-extensions
flask: click itsdangerous jinja2 markupsafe werkzeug
flax: jax msgpack numpy optax orbax-checkpoint rich
folium: branca jinja2 numpy requests xyzservices
gensim: numpy scipy smart-open
geopandas: numpy packaging pandas pyproj shapely
gpytorch: jaxtyping linear-operator mpmath scikit-learn scipy torch
gradio: fastapi httpx huggingface-hub jinja2 numpy pandas pillow pydantic pyyaml
granite-tsfm: accelerate datasets pandas scikit-learn torch transformers
gymnasium: cloudpickle numpy typing-extensions
h5py: numpy
hdbscan: joblib numpy scikit-learn scipy
holoviews: bokeh numpy packaging pandas panel param
huggingface-hub: filelock fsspec packaging pyyaml tqdm typing-extensions
hvplot: bokeh holoviews numpy packaging pandas panel param
imageio: numpy pillow
imbalanced-learn: joblib numpy scikit-learn scipy threadpoolctl
ipykernel: comm debugpy ipython jupyter-client jupyter-core matplotlib-inline packaging psutil pyzmq tornado traitlets
ipython: decorator jedi matplotlib-inline prompt-toolkit pygments stack-data traitlets
ipywidgets: comm ipython traitlets
jax: jaxlib ml-dtypes numpy opt-einsum scipy
jupyter: ipykernel ipywidgets jupyterlab nbconvert notebook
jupyterlab: ipykernel jinja2 jupyter-client jupyter-core packaging tornado traitlets
keras: absl-py h5py ml-dtypes numpy packaging rich
langchain: langchain-core pydantic
leafmap: anywidget bqplot duckdb folium gdown geojson geopandas ipyleaflet ipywidgets maplibre matplotlib plotly
librosa: decorator joblib numba numpy pooch scikit-learn scipy soundfile soxr
lifelines: autograd matplotlib numpy pandas scipy
lightgbm: numpy scipy
lightning: fsspec packaging pyyaml torch torchmetrics tqdm typing-extensions
linear-operator: jaxtyping mpmath scipy torch
matplotlib: contourpy cycler fonttools kiwisolver numpy packaging pillow pyparsing python-dateutil
missingno: matplotlib numpy scipy seaborn
mlflow: cloudpickle docker flask gitpython matplotlib numpy pandas pyarrow pyyaml scikit-learn scipy sqlalchemy
mlxtend: joblib matplotlib numpy pandas scikit-learn scipy
momepy: geopandas libpysal networkx packaging pandas shapely tqdm
nbconvert: beautifulsoup4 jinja2 jupyter-core nbclient nbformat packaging pygments traitlets
nbformat: jsonschema jupyter-core traitlets
netcdf4: certifi cftime numpy
nltk: click joblib regex tqdm
notebook: jupyterlab tornado
numba: llvmlite numpy
openai: anyio httpx pydantic tqdm typing-extensions
opencv-contrib-python-headless: numpy
opencv-contrib-python: numpy
opencv-python-headless: numpy
opencv-python: numpy
optuna: alembic numpy packaging pyyaml sqlalchemy tqdm
pandas: numpy python-dateutil
panel: bokeh packaging pandas param requests tqdm
plotly: packaging
plotnine: matplotlib mizani numpy pandas scipy statsmodels
prophet: cmdstanpy holidays matplotlib numpy pandas tqdm
pymc: arviz cachetools cloudpickle numpy pandas pytensor rich scipy typing-extensions
pyspark: py4j
python-dateutil: six
pytorch-lightning: fsspec packaging pyyaml torch torchmetrics tqdm typing-extensions
rasterio: affine attrs click numpy
requests: certifi charset-normalizer idna urllib3
sagemaker: boto3 numpy pandas requests
scanpy: anndata h5py joblib matplotlib natsort networkx numba numpy pandas scikit-learn scipy seaborn umap-learn
scikit-image: imageio lazy-loader networkx numpy packaging pillow scipy tifffile
scikit-learn: joblib numpy scipy threadpoolctl
scipy: numpy
seaborn: matplotlib numpy pandas
sentence-transformers: huggingface-hub numpy scikit-learn scipy torch tqdm transformers
shap: cloudpickle numba numpy packaging pandas scikit-learn scipy slicer tqdm
sktime: joblib numpy packaging pandas scikit-base scikit-learn scipy
spacy: catalogue jinja2 numpy packaging pydantic requests srsly thinc tqdm typer
spatialpandas: dask fsspec numba pandas param pyarrow retrying
stable-baselines3: cloudpickle gymnasium matplotlib numpy pandas torch
statsmodels: numpy packaging pandas patsy scipy
streamlit: altair numpy packaging pandas pillow protobuf pyarrow requests tornado
sympy: mpmath
tables: numexpr numpy packaging
tensorflow: absl-py grpcio h5py keras numpy packaging protobuf requests six tensorboard typing-extensions wrapt
tifffile: numpy
torch: filelock fsspec jinja2 networkx sympy typing-extensions
torchaudio: torch
torchmetrics: numpy packaging torch
torchvision: numpy pillow torch
transformers: filelock huggingface-hub numpy packaging pyyaml regex safetensors tokenizers tqdm
umap-learn: numba numpy pynndescent scikit-learn scipy tqdm
wandb: click gitpython protobuf pydantic pyyaml requests
wordcloud: matplotlib numpy pillow
xarray: numpy packaging pandas
xgboost: numpy scipy
ydata-profiling: jinja2 matplotlib numpy pandas pydantic pyyaml requests scipy seaborn statsmodels tqdm
yellowbrick: cycler matplotlib numpy scikit-learn scipy
yfinance: beautifulsoup4 numpy pandas requests
"""
DEPENDENCIES = {
    name: frozenset(rest.split())
    for name, _unused, rest in (line.partition(": ") for line in _TABLE.strip().split("\n"))
}

# Distributions that provide the same modules: any one of a group will do.
_SAME_MODULES = tuple(
    frozenset(line.split())
    for line in """
    opencv-python opencv-python-headless opencv-contrib-python opencv-contrib-python-headless
    tensorflow tensorflow-cpu tensorflow-gpu tensorflow-macos tensorflow-intel tf-nightly
    psycopg2 psycopg2-binary
    pillow pillow-simd
    faiss-cpu faiss-gpu faiss
    pycryptodome pycrypto
    python-levenshtein levenshtein
    polars polars-lts-cpu polars-u64-idx
    cupy cupy-cuda11x cupy-cuda12x cupy-cuda13x
    onnxruntime onnxruntime-gpu
    xgboost xgboost-cpu
    igraph python-igraph
    fpdf fpdf2
    """.strip().split("\n")
)


@functools.lru_cache(maxsize=1024)
def provided(distribution: str) -> frozenset[str]:
    """Return what installing one brings: itself, those that it stands in for, and the dependencies of these."""
    pending, result = [distribution], set()
    while pending:
        name = pending.pop()
        if name not in result:
            result.add(name)
            pending += DEPENDENCIES.get(name, ())
            pending += next((group for group in _SAME_MODULES if name in group), ())
    return frozenset(result)
