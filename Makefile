# Everything a person types. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
uv := .bootstrap/bin/uv
export UV_LINK_MODE ?= hardlink

.PHONY: help install check test bench lock clean

help: ## what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.bootstrap/stamp: requirements/bootstrap.txt
	@echo "bootstrap: uv"
	@rm -rf .bootstrap && $(PYTHON) -m venv .bootstrap
	@.bootstrap/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The program's environment has no torch; the model's has it, and Triton beside it.
.venv/stamp: .bootstrap/stamp requirements/program.txt requirements/dev.txt
	@echo "environment: the program (.venv)"
	@$(uv) venv -q --clear --python $(PYTHON) .venv
	@$(uv) pip sync -q --python .venv/bin/python --require-hashes requirements/program.txt requirements/dev.txt
	@touch $@

model_groups := model triton transformer perf dev
.venv-model/stamp: .bootstrap/stamp $(model_groups:%=requirements/%.txt)
	@echo "environment: torch and Triton (.venv-model), 7 GB the first time"
	@$(uv) venv -q --clear --python $(PYTHON) .venv-model
	@$(uv) pip sync -q --python .venv-model/bin/python --require-hashes $(model_groups:%=requirements/%.txt)
	@touch $@

install: .venv/stamp .venv-model/stamp ## make both environments

lock: .bootstrap/stamp ## resolve the dependencies anew and lock them with hashes
	@UV=$(abspath $(uv)) requirements/lock

clean: ## remove what make made here
	rm -rf .venv .venv-model .bootstrap build .pytest_cache .mypy_cache .ruff_cache .hypothesis
