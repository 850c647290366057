# Everything one does with this repository. `make help` lists it; `make demo` and `make test` need nothing
# but a Python and set up the rest themselves.

PYTHON ?= python3
VENV ?= .venv

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
# Without it every process of Airflow compiles Airflow again, which is half of what it does.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help

AIRFLOW_VERSIONS := 3.1 3.2
# The oldest and the newest Python that Airflow supports, and the newest that Airflow 3.1 does.
PYTHON_VERSIONS := 3.10 3.13 3.14
LOCKS := requirements.lock $(AIRFLOW_VERSIONS:%=tests/airflow_versions/airflow-%.lock) benchmarks/requirements.lock
READY := $(VENV)/.ready
UV := $(VENV)/bin/uv
PYTEST := bin/pytest

# What runs side by side in `make test`. Those with Airflow's processes come first, and mostly wait; the others take
# what the cores have left, hence nice. Tests with the mark `alone`, see pyproject.toml, are not among them.
LANES := faults dags coverage untraced distributed $(AIRFLOW_VERSIONS:%=compat-%) packaging $(PYTHON_VERSIONS:%=python-%)
LANES_AT_ONCE := 3
NICE := nice -n 5
SHARED := --numprocesses 2 --dist worksteal
# $(call python,VERSION): a Python of that version, from the path or pyenv; nothing where there is none.
python = $(shell for each in python$(1) $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$(1).*/bin/python; \
	do "$$each" -c 'import venv' 2>/dev/null && echo "$$each" && break; done)
# $(call marked,MARK): the files that have such tests, so that the others need not be loaded.
marked = $(shell grep -rl --include='*.py' 'pytest\.mark\.$(1)' tests/unit tests/integration)

.PHONY: help demo test test-distributed setup lint types unit integration e2e faults dags distributed packaging coverage untraced compat pythons \
	bench format lock clean alone $(foreach part,compat alone,$(AIRFLOW_VERSIONS:%=$(part)-%)) $(PYTHON_VERSIONS:%=python-%)

help: ## list these commands
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

# ---------------------------------------------------------------- for every visitor

demo: $(READY) ## place calls from a real DAG against a simulated Twilio, and watch them
	@$(VENV)/bin/python demo/run.py

test: $(READY) ## lint, types, every test, the older Airflows, other Pythons; each part is printed when it has ended
	@$(MAKE) --jobs=2 --output-sync=target lint types
	@echo "Side by side, each printed when it has ended: $(LANES)"
	@$(MAKE) --jobs=$(LANES_AT_ONCE) --output-sync=target $(LANES)
	@$(MAKE) --jobs=3 --output-sync=target alone $(AIRFLOW_VERSIONS:%=alone-%)

# ---------------------------------------------------------------- parts of make test

lint: $(READY) ## style (ruff) and who may import whom (import-linter)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/lint-imports --no-cache --no-logo

types: $(READY) ## mypy
	$(VENV)/bin/mypy

unit: $(READY) ## tests without network or database
	$(VENV)/$(PYTEST) tests/unit

integration: $(READY) ## tests of the package and the simulator over HTTP
	$(VENV)/$(PYTEST) tests/integration

e2e: $(READY) ## tests with Airflow's own processes
	$(VENV)/$(PYTEST) tests/e2e

faults: $(READY) ## of those, the ones of the fault table
	$(VENV)/$(PYTEST) tests/e2e/test_fault_*.py

dags: $(READY) ## and all others of them
	$(VENV)/$(PYTEST) tests/e2e --ignore-glob='*/test_fault_*.py' --ignore-glob='*/test_cluster.py'

distributed: $(READY) ## 60 calls on a cluster that loses a worker and a triggerer
	$(VENV)/$(PYTEST) tests/e2e/test_cluster.py

test-distributed: $(READY) ## the same with 300 calls, which takes some minutes; not a part of make test
	CALLS=300 $(VENV)/$(PYTEST) tests/e2e/test_cluster.py

packaging: $(READY) ## tests of the wheel in an empty environment
	$(NICE) $(VENV)/$(PYTEST) tests/packaging

coverage: $(READY) ## unit and integration tests, with the coverage that pyproject.toml demands
	$(NICE) $(VENV)/$(PYTEST) tests/unit tests/integration -m "not alone and not untraced" $(SHARED) --cov --cov-report=term

untraced: $(READY) ## tests that coverage would slow down too much
	$(NICE) $(VENV)/$(PYTEST) -m untraced $(call marked,untraced)

compat: $(foreach version,$(AIRFLOW_VERSIONS),compat-$(version) alone-$(version)) ## unit and integration tests on the older Airflows

$(AIRFLOW_VERSIONS:%=compat-%): compat-%: $(VENV)-airflow-%/.ready
	$(NICE) $(VENV)-airflow-$*/$(PYTEST) tests/unit tests/integration -m "not alone" $(SHARED)

pythons: $(PYTHON_VERSIONS:%=python-%) ## unit tests on the oldest and newest Pythons that Airflow supports, if installed

$(PYTHON_VERSIONS:%=python-%): python-%: $(READY)
	@if [ -z "$(call python,$*)" ]; then \
		echo "Skipped: there is no Python $* here, neither python$* in the path nor one of pyenv's"; \
	elif $(VENV)/bin/python -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$*")'; then \
		echo "Skipped: Python $* is that of $(VENV), where all tests run"; \
	else \
		$(MAKE) $(VENV)-python-$*/.ready && ANOTHER_PYTHON=$* $(NICE) $(VENV)-python-$*/$(PYTEST) tests/unit $(SHARED); \
	fi

alone: $(READY) ## integration tests that want the whole machine
	$(VENV)/$(PYTEST) -m alone $(call marked,alone)

$(AIRFLOW_VERSIONS:%=alone-%): alone-%: $(VENV)-airflow-%/.ready
	$(VENV)-airflow-$*/$(PYTEST) -m alone $(call marked,alone)

# ---------------------------------------------------------------- for those who work on it

bench: $(VENV)-bench/.ready ## the figures, peers side by side in one run
	$(VENV)-bench/bin/python -m benchmarks

format: $(READY) ## let ruff put imports and layout right
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

setup: $(READY) ## make the environment, nothing more

clean: ## remove environments, caches and builds
	rm -rf $(VENV) $(VENV)-* build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The older Airflows do not start with libraries that came after them, hence the date. UPGRADE=--upgrade
# takes newer versions; without it only what pyproject.toml demands changes. The SDK that tests compare with is
# the newest everywhere.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)
OLD := --exclude-newer 2026-06-05 --exclude-newer-package twilio=2026-11-20

lock: $(READY) ## write the lock files again (UPGRADE=--upgrade: with newer versions)
	$(COMPILE) --all-extras -o requirements.lock pyproject.toml
	$(COMPILE) $(OLD) --all-extras -o tests/airflow_versions/airflow-3.1.lock pyproject.toml tests/airflow_versions/airflow-3.1.in
	$(COMPILE) $(OLD) --all-extras -o tests/airflow_versions/airflow-3.2.lock pyproject.toml tests/airflow_versions/airflow-3.2.in
	$(COMPILE) --all-extras --constraint requirements.lock -o benchmarks/requirements.lock pyproject.toml benchmarks/requirements.in
	@if grep -nE '(https?|file)://' $(LOCKS); then echo "a lock file names where packages came from" >&2; exit 1; fi

# ---------------------------------------------------------------- environments
# Each is what its lock file says and this package from the work tree. It is made again when the lock file
# or pyproject.toml is newer than the mark left at the end.

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c '' 2>/dev/null || { echo "There is no working $(PYTHON) here: install Python 3.10 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$$($(PYTHON) --version) is too old: Python 3.10 or newer is needed, name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$$($(PYTHON) --version) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) (the first time takes a minute or two)"
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: --require-hashes --requirement <(sed -n '/^uv==/,/# via/p' requirements.lock)
	@$(call install,$(VENV),requirements.lock)

$(VENV)-airflow-%/.ready: tests/airflow_versions/airflow-%.lock pyproject.toml $(READY)
	@echo "Setting up $(@D)"
	@$(UV) venv --quiet --allow-existing --python $(VENV)/bin/python $(@D)
	@$(call install,$(@D),$<)

$(VENV)-python-%/.ready: requirements.lock pyproject.toml $(READY)
	@echo "Setting up $(@D)"
	@$(UV) venv --quiet --allow-existing --python "$(call python,$*)" $(@D)
	@$(call install,$(@D),$<)

$(VENV)-bench/.ready: benchmarks/requirements.lock pyproject.toml $(READY)
	@echo "Setting up $(@D)"
	@$(UV) venv --quiet --allow-existing --python $(VENV)/bin/python $(@D)
	@$(call install,$(@D),$<)

# $(call install,ENVIRONMENT,LOCK)
define install
$(UV) pip sync --quiet --python $(1)/bin/python --require-hashes $(2) && \
$(UV) pip install --quiet --python $(1)/bin/python --no-deps --no-build-isolation --editable . && \
touch $(1)/.ready
endef
