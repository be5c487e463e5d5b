# Everything a developer does, with python3, make and pip on a fresh clone. `make` lists it.

PYTHON ?= python3
BIN := .venv/bin
WHEEL := build/wheel
OLDEST := build/oldest
# Most tests wait for processes: six at a time keep two processors busy for three quarters of it. Those of a file stay together:
# they share what takes long to start. They are taken in the order of `tests/conftest.py`: what waits mixed with what computes.
SIDE_BY_SIDE := -n 6 --dist loadfile --no-loadscope-reorder
# What starts every kind of process that the package brings: the rest of the slow tests need no second run with the wheel.
PROCESSES := tests/e2e/test_ptb_guard.py tests/e2e/test_examples.py tests/e2e/test_run_proxy.py tests/e2e/test_doctor.py
# What the tests start; the packages of Debian that are not called as what they bring. Only what is missing is
# installed: a Node.js from elsewhere brings its own npm, and Debian's does not go with it.
SERVERS := prometheus redis-server etcd postgres pgbouncer node npm
PACKAGES := etcd:etcd-server postgres:postgresql node:nodejs
# Debian keeps PostgreSQL's own programs out of the path.
SERVER_PATH := $(subst $() ,:,$(wildcard /usr/lib/postgresql/*/bin)):$(PATH):/usr/sbin
POLICY := /usr/sbin/policy-rc.d

.DEFAULT_GOAL := help
.PHONY: help demo test check bench simulate soak servers test-kubernetes test-wheel test-oldest clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | while read -r name what; do printf 'make %-15s %s\n' "$$name" "$$what"; done

demo: .venv/.stamp ## watch two pollers of one bot find out about each other
	@$(BIN)/onepoller demo

test: .venv/.stamp ## the tests
	@$(BIN)/pytest $(SIDE_BY_SIDE)

check: .venv/.stamp ## lint, format, types, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: .venv/.stamp ## the benchmarks
	@$(BIN)/python benchmarks/run.py

# Thousands of runs on virtual time: the promises checked, a table, a picture.
SEEDS ?= 10000
simulate: .venv/.stamp ## thousands of runs on virtual time, with every promise checked
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

soak: .venv/.stamp ## the acceptance scenarios at full length; ENGINE=redis: faults of that store, by the thousand
	@$(BIN)/pytest -m soak --timeout 3600 $(if $(ENGINE),tests/e2e/engines/test_faults.py -k $(ENGINE))

# Nothing is started: a policy of Debian's own keeps services down while their packages are installed.
servers: ## install the servers that some tests start (Debian, as root)
	@missing=; for name in $(SERVERS); do PATH=$(SERVER_PATH) command -v $$name >/dev/null || missing="$$missing $$name"; done; \
	if [ -z "$$missing" ]; then echo "Installed already: $(SERVERS)."; exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "Missing:$$missing. To install them here takes root and apt-get." >&2; exit 1; fi; \
	if [ ! -e $(POLICY) ]; then \
	    trap 'rm -f $(POLICY)' EXIT; printf '#!/bin/sh\nexit 101\n' >$(POLICY); chmod +x $(POLICY); fi; \
	echo "Installing$$missing."; export DEBIAN_FRONTEND=noninteractive; \
	packages=$$(for name in $$missing; do \
	    for pair in $(PACKAGES); do [ "$${pair%%:*}" != $$name ] || name=$${pair#*:}; done; echo $$name; done); \
	apt-get update -qq && apt-get install -qq -y --no-install-recommends $$packages >/dev/null

# Any cluster: what the kubeconfig's context may do in the namespace is what deploy/kubernetes/rbac.yaml grants.
NAMESPACE ?= default
CLUSTER = kubernetes://$(NAMESPACE)?kubeconfig=$(abspath $(KUBECONFIG))$(if $(CONTEXT),&context=$(CONTEXT))
test-kubernetes: .venv/.stamp ## the Kubernetes store on a cluster of yours: KUBECONFIG=... [CONTEXT=...] [NAMESPACE=...]
	@[ -n "$(KUBECONFIG)" ] || { echo "Which cluster? make test-kubernetes KUBECONFIG=..." >&2; exit 1; }
	@ONEPOLLER_TEST_CLUSTER='$(CLUSTER)' $(BIN)/pytest tests/e2e/engines/test_kubernetes_cluster.py

test-wheel: .venv/.stamp ## build sdist and wheel, and run the tests against the wheel
	@rm -rf $(WHEEL) && mkdir -p $(WHEEL)
	@echo "Building the sdist, and the wheel from it."
	@$(BIN)/python -m build --no-isolation --outdir $(WHEEL) . >$(WHEEL)/build.log 2>&1 || { cat $(WHEEL)/build.log; exit 1; }
	@$(BIN)/python .ci/wheel_files.py $(WHEEL)/*.whl
	@echo "Installing the wheel into a fresh environment."
	$(call new-environment,$(WHEEL)/venv,$(WHEEL)/*.whl)
	@$(WHEEL)/venv/bin/pytest $(SIDE_BY_SIDE) -m "not slow and not soak"
	@$(WHEEL)/venv/bin/pytest $(SIDE_BY_SIDE) $(PROCESSES)

# What an old framework does that a library of today warns of is not ours.
test-oldest: $(OLDEST)/.stamp ## the adapters' tests with the oldest frameworks that are supported
	@$(OLDEST)/bin/pytest $(SIDE_BY_SIDE) -W "ignore:ssl_context is deprecated:DeprecationWarning" tests/contract tests/unit/adapters

clean: ## remove what the other targets made
	@rm -rf .venv build dist src/*.egg-info .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Written last: an environment that is half made is made again.
.venv/.stamp: pyproject.toml requirements-dev.txt
	@$(if $(filter yes,$(PYTHON_IS_FIT)),,$(error onepoller needs Python 3.11 or newer, which $(PYTHON) is not: try `make PYTHON=python3.12 $(or $(MAKECMDGOALS),demo)`))
	@echo "Making .venv from requirements-dev.txt, once; it takes about a minute."
	$(call new-environment,.venv,--editable .)
	@touch $@

$(OLDEST)/.stamp: pyproject.toml requirements-oldest.txt
	@mkdir -p build
	@echo "Making $(OLDEST) from requirements-oldest.txt, once."
	$(call new-environment,$(OLDEST),--editable .,requirements-oldest.txt)
	@touch $@

PYTHON_IS_FIT = $(shell $(PYTHON) -c 'import sys; print("yes" if sys.version_info >= (3, 11) else "no")' 2>&1)

# $(1): where; $(2): what to install; $(3): beside which list. Debian's python3 without python3-venv cannot put pip into an environment, and
# leaves a broken one behind; the pip beside that python3 can install into one from outside.
define new-environment
@pip="$(1)/bin/python -m pip"; \
$(PYTHON) -m venv --clear $(1) >/dev/null 2>&1 || { \
    $(PYTHON) -m venv --clear --without-pip $(1) && pip="$(PYTHON) -m pip --python $(1)/bin/python"; } || exit 1; \
export PIP_DISABLE_PIP_VERSION_CHECK=1; \
$$pip install -qq -r $(or $(3),requirements-dev.txt) && $$pip install -qq --no-deps --no-build-isolation $(2)
endef
