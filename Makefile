# `make quickstart` sets up and validates the example notebooks; `make test` runs every gate; `make help` lists all.
PYTHON ?= python3
BIN := .venv/bin
# A tool of the gates, with those that it calls beside it on PATH.
TOOL := PATH="$(CURDIR)/build/venvs/dev/bin:$$PATH" NO_COLOR=1
INSTALLED := build/collections
OURS := $(INSTALLED)/ansible_collections/mlops/notebooks

# Processes of tests are many, and most of what they do at their start is to compile what nobody has kept.
unexport PYTHONDONTWRITEBYTECODE

# Those that a comma or a plus joins need one core each: the lanes before and after a plus run side by side.
STEPS := lint changelog ansible-lint unit operator jupyterhub molecule+contract,docs,importer,imports,browser buildah playbooks integration sanity
comma := ,
GATES := $(subst $(comma), ,$(subst +, ,$(STEPS)))

# Tests wait for much of their time, for kernels and for clusters that take theirs.
WORKERS := $(shell expr $$(nproc) \* 3 / 2)

.PHONY: help quickstart setup dev build test bench clean operator-lock operator-manifests $(GATES)
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: setup ## set up, validate the example notebooks, print verdicts, name the report
	@$(BIN)/ansible-playbook examples/quickstart.yml

setup build: ## .venv, the tarball in build/dist, and the collections in build/collections; nothing if all stands
	@$(PYTHON) scripts/setup.py runtime

dev: ## the tools of the gates in build/venvs/dev
	@$(PYTHON) scripts/setup.py dev

test: dev ## every gate below; stops at the first that fails
	@$(PYTHON) scripts/gates.py "$(MAKE)" $(STEPS)

lint: dev ## ruff, format, and the layers of the engine
	@$(TOOL) ruff check --quiet --output-format concise .
	@$(TOOL) ruff format --quiet --check .
	@PYTHONPATH=$(INSTALLED):operator $(TOOL) lint-imports --no-cache --config pyproject.toml

unit: dev ## unit tests against the installed collection, and their coverage; APT=1 installs Debian's registry and sshd (as root)
	@APT=$(APT) $(PYTHON) scripts/debian.py docker-registry docker-registry sshd openssh-server
	@rm -f build/coverage*
	@COVERAGE_FILE=build/coverage $(TOOL) python -m pytest tests/unit --numprocesses $(WORKERS) \
		--cov=$(OURS)/plugins/module_utils/_engine --cov-report=term --cov-fail-under=90 $(ARGS)
	@test -n "$(ARGS)" || COVERAGE_FILE=build/coverage $(TOOL) python -m coverage report --fail-under=95 --skip-covered \
		--include='*/_engine/cluster/*'

operator: dev ## the operators, against the stand-in; ARGS=tests/... for some; APT=1 installs Debian's kubectl, Chromium and promtool (as root)
	@APT=$(APT) $(PYTHON) scripts/debian.py kubectl kubernetes-client chromium chromium promtool prometheus
	@APT=$(APT) $(PYTHON) scripts/jupyter.py
	@$(TOOL) python -m pytest $(or $(ARGS),tests/operator tests/jupyter) --numprocesses $(WORKERS) --dist loadfile

jupyterhub: dev ## a real JupyterHub, with slapd, PostgreSQL, S3 and Chromium; APT=1 installs Debian's (as root)
	@APT=$(APT) $(PYTHON) scripts/jupyterhub.py
	@$(TOOL) python -m pytest $(or $(ARGS),tests/jupyterhub) --numprocesses $(WORKERS) --dist loadfile

contract: dev ## what the tests rely on of a cluster: against the stand-in, or the cluster that KUBECONFIG names
	@APT=$(APT) $(PYTHON) scripts/debian.py kubectl kubernetes-client
	@$(TOOL) python -m pytest tests/contract $(ARGS)

buildah: dev ## the steps of a build, by buildah and against a registry; APT=1 installs Debian's packages (as root)
	@APT=$(APT) $(PYTHON) scripts/debian.py buildah buildah newuidmap uidmap docker-registry docker-registry
	@$(TOOL) python -m pytest tests/buildah --numprocesses 2 $(ARGS)

docs: dev ## documentation of the modules and roles; every documented command and example, run
	@$(TOOL) antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck $(OURS)
	@$(TOOL) python -m pytest tests/docs $(ARGS)

changelog: dev ## fragments of the changelog
	@$(TOOL) antsibull-changelog lint

ansible-lint: dev ## production profile
	@$(TOOL) ansible-lint

importer: dev ## what Automation Hub checks at an upload
	@$(PYTHON) scripts/importer.py

molecule: dev ## a scenario for each role
	@$(TOOL) molecule test --all --no-command-borders

playbooks: dev ## the playbooks and rulebooks as a user calls them; APT=1 installs Debian's sshd and Java (as root)
	@APT=$(APT) $(PYTHON) scripts/debian.py sshd openssh-server java default-jre-headless
	@$(TOOL) python -m pytest tests/playbooks tests/eda --numprocesses $(WORKERS) --timeout 900 $(ARGS)

integration: dev ## the modules as a playbook calls them, on the oldest and newest ansible-core; ARGS=target for one
	@$(PYTHON) scripts/matrix.py integration $(ARGS)

sanity: dev ## ansible-test sanity, on the oldest and newest ansible-core; CORES=2.19 for another
	@$(PYTHON) scripts/matrix.py sanity $(ARGS)

imports: dev ## the unit tests import on the oldest and newest ansible-core
	@$(PYTHON) scripts/matrix.py import tests/unit

browser: dev ## the HTML report in headless Chromium; APT=1 installs Debian's package (as root)
	@APT=$(APT) $(PYTHON) scripts/browser.py $(ARGS)

operator-lock: dev ## operator/requirements.lock, what the operator's image installs, anew from operator/requirements.txt
	@build/venvs/dev/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-emit-index-url --custom-compile-command "make operator-lock" operator/requirements.txt -o operator/requirements.lock

operator-manifests: dev ## operator/kustomize and operator/bundle anew from the role validator_operator
	@$(TOOL) python scripts/operator_manifests.py

bench: setup dev ## the speed and quality bars against the peers
	@$(BIN)/python benchmarks/all.py

clean: ## remove everything that was made here
	rm -rf .venv .ansible build tests/output
