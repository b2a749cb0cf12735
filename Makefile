# Everything a developer runs. Needs Python 3.11 or newer, git and make; uv is used when it is on the PATH.
# `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test check fmt bench conformance-kalshi conformance-polymarket lock conformance-locks clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= python3.11 python3 python3.12 python3.13 python3.14
ARGS ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-23s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## build .venv from the hashed lock (PYTHON=... picks an interpreter)

# Runs again only when the lock or the project file changed. What is installed is pinned by hash, wheels only, so nothing
# is built and no other code runs; the project itself is installed editable, with the build tools of the lock.
$(READY): pyproject.toml requirements-dev.lock
	@set -eu; \
	python=; \
	for candidate in $(PYTHON); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "make setup: Python 3.11 or newer was not found (looked for: $(PYTHON)); install it or name one: make setup PYTHON=/path/to/python3.11" >&2; \
	    exit 2; \
	fi; \
	if uv --version >/dev/null 2>&1; then installer=uv; else installer=pip; fi; \
	if [ $$installer = pip ] && ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "make setup: $$python has no venv module; install it (on Debian: python3-venv) or uv" >&2; \
	    exit 2; \
	fi; \
	echo "make setup: $$("$$python" --version) and $$installer, into $(VENV)" >&2; \
	rm -f $(READY); \
	if [ $$installer = uv ]; then \
	    uv venv --quiet --clear --no-project --python "$$python" $(VENV); \
	    uv pip install --quiet --python $(BIN)/python --require-hashes --no-build -r requirements-dev.lock; \
	    uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .; \
	else \
	    "$$python" -m venv --clear $(VENV); \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.lock; \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .; \
	fi; \
	touch $(READY)

demo: setup ## the whole pipeline against simulated venues (ARGS="--duration 30 --json")
	@$(BIN)/dutchbook demo $(ARGS)

test: setup ## every test, in parallel (ARGS="tests/unit -k fees")
	@$(BIN)/pytest -n auto --dist worksteal $(ARGS)

check: setup ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

fmt: setup ## format and repair what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure beside a naive baseline (ARGS="pipeline --json")
	@$(BIN)/dutchbook bench $(or $(ARGS),pipeline)

# The venues' own clients, each in a virtual environment of its own, against `dutchbook sim`.
CONFORM := DUTCHBOOK_COMMAND="$(CURDIR)/$(BIN)/dutchbook" tests/conformance/run.sh

conformance-kalshi: setup ## Kalshi's official SDK and two community clients against the simulator
	@$(CONFORM) kalshi-sockets 3.11 run_kalshi_sockets
	@$(CONFORM) kalshi 3.13 run_kalshi_rest run_kalshi_sdk

conformance-polymarket: setup ## the official Polymarket clients against the simulator
	@$(CONFORM) polymarket 3.11 run_polymarket

# Headers and comments name no registry, index or path, so that the locks read the same wherever they are made.
LOCK := uv pip compile --quiet --universal --generate-hashes --only-binary :all: --python-version 3.11 \
	--no-header --no-emit-index-url --no-emit-find-links --no-sources

CLIENT_LOCK := $(filter-out --python-version 3.11,$(LOCK))

lock: ## make both locks again (needs uv; UPGRADE=--upgrade takes newer versions)
	@command -v uv >/dev/null || { echo "make lock: uv was not found on the PATH" >&2; exit 2; }
	$(LOCK) $(UPGRADE) pyproject.toml --output-file requirements.lock
	$(LOCK) $(UPGRADE) pyproject.toml --extra demo --extra dev --output-file requirements-dev.lock
	@for kind in "requirements.lock:what the services need" "requirements-dev.lock:what the services, the demo and the checks need"; do \
	    file=$${kind%%:*}; \
	    { echo "# Written by \`make lock\` from pyproject.toml: $${kind#*:}, pinned by hash."; cat "$$file"; } > "$$file.new"; \
	    mv "$$file.new" "$$file"; \
	done

conformance-locks: ## make the locks of the venues' clients again (needs uv)
	@command -v uv >/dev/null || { echo "make conformance-locks: uv was not found on the PATH" >&2; exit 2; }
	@cd tests/conformance; for name in polymarket:3.11 kalshi:3.13 kalshi-sockets:3.11; do \
	    file=requirements-$${name%%:*}; \
	    $(CLIENT_LOCK) $(UPGRADE) --python-version $${name##*:} $$file.in --output-file $$file.lock; \
	    { echo "# Written by \`make conformance-locks\` from $$file.in, pinned by hash."; cat "$$file.lock"; } > "$$file.new"; \
	    mv "$$file.new" "$$file.lock"; \
	done

clean: ## remove .venv, caches and build output
	rm -rf $(VENV) .venv-conformance-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
