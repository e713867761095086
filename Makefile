# Two commands: `make serve` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Where the data sets lie (docs/data.md). What needs them skips, and says so, where they are absent.
EQUISERVE_DATA ?= $(if $(wildcard ../shared/data/README.md),$(abspath ../shared/data),)
export EQUISERVE_DATA
# Empty by default; name PyTorch's CPU wheel index here where pip would otherwise take CUDA builds.
TORCH_INDEX_URL ?=
# uv reads neither pip's configuration nor pip's variables.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# ONNX Runtime reports to its maker unless told otherwise; the server says so itself, the other tools by this.
export ORT_DISABLE_TELEMETRY ?= 1
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-cpu.txt \
       $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL))
# The CPU build of torch that the constraint names is at hand for CPython 3.11; elsewhere its tests skip and say so.
TRAIN := $(shell $(PYTHON) -c 'import sys; print(",train" if sys.version_info[:2] == (3, 11) else "")' 2>/dev/null)
ZOO ?= models/zoo
HTTP_PORT ?= 8000
GRPC_PORT ?= 8001

.DEFAULT_GOAL := help
.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# ---------------------------------------------------------------- environments; the stamps make a second start instant

$(BIN)/python:
	@echo "making the environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/.serve: pyproject.toml constraints-cpu.txt | $(BIN)/python
	@echo "installing what serving needs"
	@$(PIP) -e '.[cpu,simd]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints-cpu.txt | $(BIN)/python
	@echo "installing what the tests need (torch with it: about a minute)"
	@$(PIP) -e '.[cpu,client$(TRAIN)]' --group test
	@touch $@ $(VENV)/.serve

$(VENV)/.lint: pyproject.toml constraints-cpu.txt | $(VENV)/.test
	@$(PIP) --group lint
	@touch $@

# KServe pins old releases of what the server uses: its clients are tested from an environment of their own.
.venv-kserve/.stamp:
	@echo "installing the KServe client"
	@$(PYTHON) -m venv .venv-kserve
	@.venv-kserve/bin/python -m pip install --quiet --disable-pip-version-check 'kserve>=0.21,<1'
	@touch $@

# ---------------------------------------------------------------- the two commands

.PHONY: serve
serve: $(VENV)/.serve ## serve models/zoo on 8000 (HTTP) and 8001 (gRPC)
	@exec $(BIN)/equiserve serve --models $(ZOO) --http-port $(HTTP_PORT) --grpc-port $(GRPC_PORT) --log-format text --drain-s 0

.PHONY: test
test: $(VENV)/.test .venv-kserve/.stamp ## run the test suite
	@$(BIN)/python -m pytest -rs $(TESTS)

# ---------------------------------------------------------------- quality

.PHONY: lint types contracts format
lint: $(VENV)/.lint ## ruff: rules and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.lint ## mypy, strict
	$(BIN)/mypy

contracts: $(VENV)/.lint ## the floors of the house (import-linter)
	$(BIN)/lint-imports

format: $(VENV)/.lint ## lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: proto proto-check
proto: ## make the gRPC stubs anew from proto/
	@proto/generate.sh

proto-check: ## the committed stubs are those that proto/ gives
	@proto/generate.sh --check

# ---------------------------------------------------------------- slow proofs, each with a target of its own

.PHONY: exhaustive exhaustive-shift generate-company large-nets bench bench-checks bench-generate bench-anchoring bench-statistics
.PHONY: test-wheel test-container train-environment
exhaustive: $(VENV)/.test ## all 784 shifts of 132 pictures through the running server, to the last bit
	$(BIN)/python -m bench.exhaustive

exhaustive-shift: $(VENV)/.test ## the same for every anchored model, 1,000 pictures and ties (10 minutes a model; needs the data)
	$(BIN)/python -m bench.exhaustive --all

generate-company: $(VENV)/.test ## 200 random drawings a generator: the same bytes together, alone, after a restart (1 minute each)
	$(BIN)/python -m bench.generate_company

bench: $(VENV)/.test ## server CPU over bare ONNX Runtime (10 minutes, quiet machine; QUICK=1: one minute)
	$(BIN)/python -m bench.serving $(if $(QUICK),--quick) $(if $(FORCE),--force)

large-nets: $(VENV)/.test ## the published sizes at 224 pixels: the same bits for 64 random shifts
	$(BIN)/python -m pytest -m slow tests/models/test_large_nets.py

bench-checks: $(VENV)/.test ## what an equivariance check costs, and what others feel of it (10 minutes, quiet machine; QUICK=1)
	$(BIN)/python -m bench.checks $(if $(QUICK),--quick) $(if $(FORCE),--force)

bench-generate: $(VENV)/.test ## what drawing costs beside the model; steps in shared batches (3 minutes, quiet machine; QUICK=1)
	$(BIN)/python -m bench.generate $(if $(QUICK),--quick) $(if $(FORCE),--force)

bench-anchoring: $(VENV)/.test ## what anchoring and the canonical origin cost at 224 pixels (the first run exports four nets)
	$(BIN)/python -m bench.anchoring

bench-statistics: $(VENV)/.test ## how often the check's intervals hold, and what the search for the worst element finds
	$(BIN)/python -m bench.coverage
	$(BIN)/python -m bench.search

test-wheel: $(VENV)/.test ## the built wheel serves from another folder, beside proto-plus
	$(BIN)/python tests/packaging/serve_from_wheel.py

test-container: ## build the image, bring compose up, classify a picture, check the confinement
	deploy/test-container.sh

train-environment: $(VENV)/.test ## torch and what training and export need
	@$(if $(TRAIN),echo "$(VENV) can train: $(BIN)/python -m equiserve_models.train --help",\
	  echo "no torch: constraints-cpu.txt names a build for CPython 3.11, and $(PYTHON) is another; try PYTHON=python3.11" >&2; exit 1)
