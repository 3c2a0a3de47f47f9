# Every target sets up .venv by itself: python3 >= 3.11 with venv and pip is all that is needed.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help demo up dashboard screenshots wheel test test-long lint bench lock clean services services-stop storm

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/.core: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 …"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dashboard: .venv/.core requirements-dashboard.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dashboard.lock
	@touch $@

.venv/.dev: .venv/.dashboard requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip check
	@touch $@

.venv/.engines: .venv/.dev requirements-spark.lock requirements-ray.lock requirements-dask.lock
	for engine in spark ray dask; do \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-$$engine.lock || exit 1; \
	done
	$(BIN)/python -m pip check
	@touch $@

wheel: .venv/.core ## the package as a wheel in dist/, to be shipped to executors
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

demo: .venv/.core ## the main job end to end, headless: simulated fleet → Kafka → lake → battery health
	$(BIN)/ev demo

up: .venv/.dashboard ## the live stack: broker, simulated fleet, Dagster UI and daemon, dashboard; Ctrl-C stops all of it
	$(BIN)/ev up

dashboard: .venv/.dashboard ## the dashboard alone, on the lake of the settings (http://127.0.0.1:8501); Ctrl-C stops it
	$(BIN)/ev dashboard

screenshots: .venv/.dev ## the README's pictures, in headless Chromium, from the data of `make demo`
	$(BIN)/python scripts/screenshots.py docs/images

services: .venv/.core ## a real Kafka (Java, Maven) and a real S3 server (Go) on loopback, for the tests; `make services-stop` ends them
	$(BIN)/python -m services start

services-stop: .venv/.core ## stops what `make services` started
	$(BIN)/python -m services stop

test: .venv/.engines ## the test suite
	$(BIN)/python -m pytest -m "not long" -n 2 --dist loadfile

test-long: .venv/.engines ## the long forms too
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/.dev ## ruff, strict types, import rules, Dagster definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/dg check yaml
	$(BIN)/dg check defs

bench: .venv/.dev ## benchmarks as ratios, writes docs/benchmarks.md; BENCH="compact drain" runs only those
	$(BIN)/python -m bench $(BENCH)

storm: .venv/.dev ## the crash storm: hundreds of kills, then every message exactly once; writes docs/benchmarks.md
	$(BIN)/python -m ev_platform_tests.storm

lock: ## writes the lock files anew (versions, markers and hashes; no addresses)
	@test -x .cache/lock/bin/uv || { $(PYTHON) -m venv .cache/lock && .cache/lock/bin/pip install -q uv==0.13.9; }
	sh scripts/lock.sh .cache/lock/bin/uv

clean: ## removes the demo's lake and state
	rm -rf data
