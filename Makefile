# `make run` serves on port 8000, and `make test` runs the tests. Both first install and download what is missing.
PYTHON ?= python3.11
CONFIG ?= configs/serve.yaml
# The build of ONNX Runtime: cpu or gpu.
RUNTIME ?= $(if $(shell command -v nvidia-smi),gpu,cpu)
# Additional extras of pyproject.toml to install, such as torch and tensorflow.
EXTRAS ?=
BIN := .venv/bin
AUDIT := pip-audit==2.10.1

export RAY_USAGE_STATS_ENABLED ?= 0

.PHONY: run install test test-all lint models photos browser aws-clients bench gpu-bench lock audit licences clean

run: install
	$(BIN)/facegraph serve $(CONFIG)

install: $(BIN)/python
	$(BIN)/python -m supply.environment $(RUNTIME) $(EXTRAS)

$(BIN)/python:
	$(PYTHON) -m venv .venv

# The tests compare exports with their original networks.
test test-all lint audit licences: EXTRAS = torch tensorflow evaluation aws dev
bench gpu-bench: EXTRAS = torch dev

test: photos browser aws-clients
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "not long"

# Includes the longest tests, which take several more minutes.
test-all: photos browser aws-clients
	$(BIN)/python -m pytest -n auto --maxprocesses 4

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

models: install
	$(BIN)/facegraph models pull --config $(CONFIG)

# Photos before models: the sample photos and a model come in one archive, which is then downloaded once.
photos: install
	$(BIN)/python -m tests.photos
	$(BIN)/facegraph models pull

# Installs Chromium for the tests of the web UI, if this machine has none.
browser: install
	$(BIN)/python -m tests.browser

# AWS's clients, each in its own environment, for the tests of the Rekognition API.
aws-clients: install
	$(BIN)/python -m tests.aws_clients

bench: photos
	$(BIN)/python -m load_tests.bench
	$(BIN)/python -m load_tests.gallery

# Measures the networks in every installed engine, on a GPU if there is one. Options: python -m load_tests.gpu --help
gpu-bench: photos
	$(BIN)/python -m load_tests.gpu

lock: install
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 pyproject.toml --all-extras \
		--group dev --group setup --group npm \
		--custom-compile-command "make lock" --output-file requirements.lock

# Lists known vulnerabilities of the locked packages, from the package index. With --strict, it fails if there is no
# response for a package. The audit tool and its dependencies are not audited.
audit: .venv/audit/bin/pip-audit
	$< --strict --progress-spinner off --no-deps --disable-pip --requirement requirements.lock

.venv/audit/bin/pip-audit: | install
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --disable-pip-version-check --quiet $(AUDIT)

licences: install
	$(BIN)/python -m supply.licences --config $(CONFIG)

# Keeps data/gallery, because the people in it cannot be downloaded again.
clean:
	rm -rf .venv data/models data/photos data/bench data/browser data/clients
