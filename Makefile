# One command each; `make help` lists them. PYTHON=python3.12 chooses another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCKS := manifests/locks
UV := uv==0.13.9

# A folder that is not there yet is left out.
SOURCES := rollout $(wildcard bench) tests
CHECKED := $(wildcard tests/unit tests/property tests/simulation tests/contract tests/golden)
END_TO_END := $(wildcard tests/e2e)
PLANTED := $(wildcard tests/planted)
RUNS ?= 2000
SEED ?= 1
JOBS ?= 2

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup demo check test servers test-servers simulate bench mutants lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## create .venv from the hash-pinned development lock

$(STAMP): $(LOCKS)/development.txt pyproject.toml
	@PYTHON="$(PYTHON)" sh .ci/prerequisites
	@echo "setup: installing into $(VENV) from $(LOCKS)/development.txt ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/development.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo "setup: done; the command is $(BIN)/rollout"

demo: setup ## watch the DJ App's canaries on a real Envoy
	@$(BIN)/rollout demo --once

check: setup ## format, lint, types, import contracts and the quick tests (about a minute)
	@echo "== format"
	@$(BIN)/ruff format --check --quiet . || { echo "mend it with: $(BIN)/ruff format ."; exit 1; }
	@echo "== lint"
	@$(BIN)/ruff check --quiet .
	@echo "== types"
	@$(BIN)/mypy --no-error-summary $(SOURCES)
	@echo "== imports"
	@said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said"; exit 1; }
	@echo "== tests"
	@$(BIN)/python -m pytest -q -n $(JOBS) $(CHECKED)

test: check ## check, then 2,000 simulated worlds, planted faults, and end to end on real git and real Envoy
	@echo "== worlds"
	@$(BIN)/python -m rollout.simulation --runs $(RUNS) --jobs $(JOBS) --complete
	@$(BIN)/python -m rollout.simulation --deaths --jobs $(JOBS)
ifneq ($(PLANTED),)
	@echo "== planted faults"
	@$(BIN)/python -m pytest -q -n $(JOBS) $(PLANTED)
endif
ifneq ($(END_TO_END),)
	@echo "== end to end"
	@$(BIN)/python -m pytest -q -n $(JOBS) $(END_TO_END)
else
	@echo "== end to end: there is no tests/e2e yet"
endif

servers: setup ## build the servers that come as source (Go, or its wheel; minutes once), and keep them
	@$(BIN)/python -m tests.servers.build

test-servers: servers ## test against those servers: Prometheus, kube-apiserver and etcd
	@echo "== servers"
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile tests/servers

simulate: setup ## run RUNS=2000 simulated worlds from SEED=1 on, and print what they covered
	@$(BIN)/python -m rollout.simulation --runs $(RUNS) --seed $(SEED) --jobs $(JOBS)

bench: setup ## measure against the budgets; prints JSON
	@$(BIN)/python -m bench

mutants: setup ## plant faults in the rules about traffic and list those that no test finds (half an hour)
	@$(BIN)/mutmut run --max-children $(JOBS) >/dev/null 2>&1 || { echo "see: $(BIN)/mutmut run"; exit 1; }
	@$(BIN)/mutmut results

# Resolved for Python 3.11 and newer on every processor, with the hashes of all files and no index address.
lock: ## resolve the dependencies anew and write manifests/locks/
	@PYTHON="$(PYTHON)" sh .ci/prerequisites
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	$(PYTHON) -m venv "$$scratch" && "$$scratch"/bin/pip install --quiet --disable-pip-version-check $(UV) && \
	compile() { "$$scratch"/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-annotate --custom-compile-command "make lock" "$$@"; } && \
	compile pyproject.toml --extra demo --group dev --group build -o $(LOCKS)/development.txt && \
	compile pyproject.toml -c $(LOCKS)/development.txt -o $(LOCKS)/runtime.txt && \
	compile --group build -c $(LOCKS)/development.txt -o $(LOCKS)/build.txt && \
	grep -c '==' $(LOCKS)/*.txt

clean: ## remove .venv and every cache
	@rm -rf $(VENV) build dist mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find rollout tests $(wildcard bench) -name __pycache__ -type d -prune -exec rm -rf {} +
