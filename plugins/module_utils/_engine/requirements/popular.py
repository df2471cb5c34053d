# SPDX-License-Identifier: GPL-3.0-or-later
"""Well-known import names that equal the name of their distribution; data only.

Elsewhere every name is taken for that of a distribution where nothing says otherwise. Where a notebook puts a cloned
repository on the path, only what is named here, or in one of the other tables, is.
"""

from __future__ import annotations

SAME_NAME = frozenset(
    """
    accelerate adapters adjustText aiohttp albumentations alibi alibi_detect altair anndata annoy anthropic
    apache_beam arch arviz ase astropy astroquery asyncpg autograd autokeras awkward awswrangler backtesting
    backtrader bambi bertopic bitsandbytes blackjax bokeh boto3 botocore botorch bqplot branca bt cachetools calmap
    captum cartopy catboost category_encoders causalml ccxt celery cellpose cftime chainer chardet
    chembl_webresource_client chromadb cirq cleanlab click cloudpickle cmdstanpy cmocean cobra coffea cohere
    colorama colorcet contextily control coremltools corner cryptography csbdeep cufflinks cvxopt cvxpy cython dash
    dask dask_ml dataclasses_json datasets datashader datatable dateparser deap decord deepchem deepface deeplake
    deepspeed dgl diffrax diffusers dill dipy distrax distributed django dlib dowhy dtreeviz duckdb dynesty easydict
    easyocr econml efficientnet_pytorch einops elasticsearch eli5 emcee emoji equinox esda etils evaluate evidently
    face_recognition facenet_pytorch fairlearn fairseq faker fastai fastapi fastcore fastdtw fasttext featuretools
    fiona fire flair flaml flask flax folium fsspec ftfy fuzzywuzzy gcsfs gdown geemap gensim geocoder geopandas
    geopy geoviews gluonts gmpy2 gpflow gpytorch gradio graphviz gseapy gspread gym gymnasium h2o h3 h5netcdf h5py
    hdbscan healpy hmmlearn holidays holoviews httpx huggingface_hub humanize hvplot hydra hyperopt icecream
    imagehash imageio imgaug iminuit imutils instructor intake interpret ipdb ipycanvas ipyleaflet ipympl
    ipyparallel ipyvolume ipywidgets jax jaxlib jaxtyping jieba jinja2 jiwer joblib joypy jsonlines jsonschema
    kaggle kagglehub kaleido keras keras_cv keras_nlp keybert kfp kmodes kneed konlpy kornia kubernetes lancedb
    langchain langchain_community langchain_core langchain_openai langdetect langgraph lasio leafmap leidenalg
    libpysal librosa lifelines lifetimes lightfm lightgbm lightkurve lightning lime linearmodels litellm lmfit
    loguru lpips lxml mahotas mapclassify matminer matplotlib matplotlib_venn mdtraj mediapipe mediapy mesa metpy
    missingno mistralai ml_collections mlflow mlxtend mne monai moviepy mpi4py mplfinance mplhep mpmath mujoco
    music21 natsort neo4j nest_asyncio netgraph networkx neurokit2 nevergrad nglview nibabel nilearn nltk node2vec
    nolds numba numexpr numpy numpyro obspy ollama omegaconf onnx onnxruntime open3d openai openml openpyxl
    opensmile optax optuna ortools osmnx palettable pandana pandas pandas_datareader pandas_gbq pandas_profiling
    pandera panel papermill param patsy peft pendulum pingouin pint plotly plotnine pmdarima polars pomegranate
    pooch prefect prettytable prophet psutil pulp pyarrow pycaret pycocotools pydantic pydeck pydicom pydot pydub
    pyecharts pygad pygame pymc pymc3 pymongo pymoo pymysql pynndescent pyod pyodbc pyomo pypdf pyperclip pyproj
    pysal pysam pyscf pyspark pytesseract pytest pytorch_lightning pytorch_metric_learning pytorch_tabnet pyts
    pytube pytz pyvis pyvista qdrant_client qiskit quandl qutip rasterio rasterstats ray rdflib rdkit redis regex
    reportlab requests rich rioxarray roboflow rouge_score rpy2 ruptures s3fs sacrebleu safetensors sagemaker scanpy
    scipy scrapy seaborn segment_anything segmentation_models_pytorch selenium sentence_transformers sentencepiece
    seqeval setfit sgp4 shap shapely simpy six skorch sktime smart_open snowballstemmer sounddevice soundfile spacy
    speechbrain spektral spotipy sqlalchemy squarify stable_baselines3 stanza statsforecast statsmodels streamlit
    stumpy sunpy supervision swifter sympy tables tabulate tenacity tensorboard tensorboardX tensorflow
    tensorflow_addons tensorflow_datasets tensorflow_hub tensorflow_probability tensorflow_text tensorly termcolor
    textblob tf_keras thop tifffile tiktoken timm tokenizers toml torch torch_geometric torch_scatter torch_sparse
    torchaudio torchdiffeq torchinfo torchmetrics torchsummary torchtext torchvision torchviz tornado tqdm
    transformers trimesh triton trl tsfresh tslearn tweepy typer ultralytics umap uncertainties unidecode uproot
    vaderSentiment vtk wandb watermark webcolors wfdb wget wikipedia wordcloud xarray xformers xgboost xlrd
    xlsxwriter xmltodict yfinance yt_dlp zarr zstandard
    """.split()
)
