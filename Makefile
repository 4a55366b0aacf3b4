# Everything a person types. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
uv := .bootstrap/bin/uv
export UV_LINK_MODE ?= hardlink
# Once, rather than at the start of every program where Python may not write it.
export UV_COMPILE_BYTECODE ?= 1
# Loopback never goes through a proxy; local/proxies.py does the same for what is started without make.
comma := ,
space := $(empty) $(empty)
excepted := $(sort $(subst $(comma), ,$(NO_PROXY) $(no_proxy)) localhost 127.0.0.1 ::1)
# Some programs know `*` only by itself.
export NO_PROXY := $(if $(filter *,$(excepted)),*,$(subst $(space),$(comma),$(excepted)))
export no_proxy := $(NO_PROXY)

.PHONY: help install up down status logs report env check test faults releases bench bench-quick tune lock clean

help: ## what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.bootstrap/stamp: requirements/bootstrap.txt
	@$(PYTHON) -m local.machine --python
	@echo "bootstrap: uv"
	@rm -rf .bootstrap && $(PYTHON) -m venv .bootstrap
	@.bootstrap/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The Python itself, since uv may find another one by a name.
exact = $(shell $(PYTHON) -c 'import sys; print(sys.executable)')
# NVIDIA's package of Triton needs numpy 1, and the storage initializer says so too: neither is for
# Python 3.13 and newer. There, uv finds an older one for these environments, or fetches it.
older = $(shell $(PYTHON) -c 'import sys; print(sys.executable if sys.version_info < (3, 13) else "3.12")')
no_older = { echo "Triton and the cluster need a Python 3.12 beside $(PYTHON): install one, or use one for all: make up PYTHON=python3.12" >&2; exit 1; }

# The program's environment has no torch; the model's has it, and Triton beside it.
program_groups := program releases dev
.venv/stamp: .bootstrap/stamp $(program_groups:%=requirements/%.txt)
	@echo "environment: the program (.venv)"
	@$(uv) venv -q --clear --python $(exact) .venv
	@$(uv) pip sync -q --python .venv/bin/python --require-hashes $(program_groups:%=requirements/%.txt)
	@touch $@

# TORCH=cpu: PyTorch's own builds without CUDA's libraries, which are 4 GB. The local cluster has no
# GPU, unless the machine has one.
TORCH ?= cuda
torch := $(if $(filter cpu,$(TORCH)),torch-cpu,torch)
model_groups := model $(torch) releases triton transformer jobs dev
.venv-model/stamp: .bootstrap/stamp $(model_groups:%=requirements/%.txt)
	@echo "environment: torch and Triton (.venv-model), 7 GB the first time; 3 GB with TORCH=cpu"
	@$(uv) venv -q --clear --python $(older) .venv-model || $(no_older)
	@$(uv) pip sync -q --python .venv-model/bin/python --require-hashes $(if $(filter cpu,$(TORCH)),--torch-backend cpu) $(model_groups:%=requirements/%.txt)
	@touch $@

# Only PyTorch's own index has these builds, so they are locked where it can be reached.
requirements/torch-cpu.txt: requirements/torch.txt .bootstrap/stamp
	@UV=$(abspath $(uv)) requirements/lock torch-cpu

.venv-local/stamp: .bootstrap/stamp requirements/local.txt requirements/dev.txt
	@echo "environment: the local cluster (.venv-local)"
	@$(uv) venv -q --clear --python $(older) .venv-local || $(no_older)
	@$(uv) pip sync -q --python .venv-local/bin/python --require-hashes requirements/local.txt requirements/dev.txt
	@touch $@

.venv-policy/stamp: .bootstrap/stamp requirements/policy.txt requirements/dev.txt
	@echo "environment: the policy pack (.venv-policy)"
	@$(uv) venv -q --clear --python $(exact) .venv-policy
	@$(uv) pip sync -q --python .venv-policy/bin/python --require-hashes requirements/policy.txt requirements/dev.txt
	@touch $@

# What the benchmark measures ours against.
.venv-bench/stamp: .bootstrap/stamp requirements/bench.txt
	@echo "environment: other servers, for the benchmark (.venv-bench)"
	@$(uv) venv -q --clear --python $(older) .venv-bench || $(no_older)
	@$(uv) pip sync -q --python .venv-bench/bin/python --require-hashes requirements/bench.txt
	@touch $@

environments := .venv/stamp .venv-model/stamp .venv-local/stamp .venv-policy/stamp
install: $(environments) ## make the environments

# The release that the lock pins: the same source gives the same bytes.
build/digits/release.json: .venv-model/stamp $(wildcard release/*.py model/*.py model/formats/*.py model/definitions/digits/*)
	@.venv-model/bin/python -m model build digits
	@touch $@

build/test/models.lock.json: build/digits/release.json tests/releases.py
	@.venv-model/bin/python -m tests.releases

# The cluster's programs, fetched or built, a Go module at a time; what takes longest first.
modules := pulumi kubernetes knative gcs vegeta ghz pulumi-python
.PHONY: ready $(modules:%=programs/%)
$(modules:%=programs/%): programs/%: .venv-local/stamp
	@.venv-local/bin/python -m local tools $*
# The official CLI brings its language host.
programs/pulumi-python: programs/pulumi
ready: .venv-local/stamp $(modules:%=programs/%) $(environments) build/digits/release.json

MODE ?= Standard
up: ## the whole thing on this machine: cluster, stack, a prediction; in the other mode: make up MODE=Knative
	@$(PYTHON) -m local.machine
	@$(MAKE) --no-print-directory -j2 ready
	@.venv-local/bin/python -m local up --mode $(MODE)

down: .venv-local/stamp ## stop and remove it
	@.venv-local/bin/python -m local down

status: .venv-local/stamp ## what runs
	@.venv-local/bin/python -m local status

logs: .venv-local/stamp ## of a pod or a process: make logs POD=digits-predictor
	@.venv-local/bin/python -m local logs $(POD)

report: .venv-local/stamp .venv-model/stamp ## the load tests as pages, in the browser
	@.venv-local/bin/python -m local report --open --mode $(MODE)

env: .venv-local/stamp ## for a shell: eval "$$(make -s env)"
	@.venv-local/bin/python -m local env

check: $(environments) ## formatter, linter, types, import contracts, dead links, workflows
	@.venv/bin/ruff format --check -q .
	@.venv/bin/ruff check -q .
	@.venv/bin/mypy infra release bootstrap review __main__.py .github/stacks.py .github/publish.py
	@.venv-model/bin/mypy release model transformer jobs measure/accuracy.py measure/tune measure/bench/serving
	@.venv-local/bin/mypy local measure/bench/*.py measure/bench/placement
	@.venv-policy/bin/mypy policy
	@.venv/bin/lint-imports --no-cache >/dev/null || .venv/bin/lint-imports --no-cache
	@.venv/bin/python docs/check_links.py
	@.venv/bin/python -m infra.config.reference --check
	@go tool -C local/tools/actionlint actionlint
	@! gofmt -l local/tools | grep .
	@.venv/bin/zizmor --offline --persona=auditor -q .github

test: ## everything, on the real programs
	@$(PYTHON) -m local.machine
	@$(MAKE) --no-print-directory -j2 ready .venv-bench/stamp
	@$(MAKE) --no-print-directory build/test/models.lock.json
	@.venv/bin/python -m pytest tests/infra tests/bootstrap tests/review tests/workflows tests/docs
	@.venv-model/bin/python -m pytest tests/release tests/model tests/serving tests/transformer tests/jobs tests/measure
	@.venv-policy/bin/python -m pytest tests/policy
	@.venv-local/bin/python -m pytest tests/local

faults: ## what goes wrong around the transformer and the Jobs, measured on a cluster of its own: make faults ROW="rollout and grpc"
	@$(MAKE) --no-print-directory ready build/test/models.lock.json
	@.venv-local/bin/python -m pytest tests/faults --page $(if $(ROW),-k "$(ROW)")

releases: .venv/stamp ## what a stack serves, from a bucket: make releases ARTEFACTS=gs://… STACK=dev
	$(if $(and $(ARTEFACTS),$(STACK)),,$(error run: make releases ARTEFACTS=gs://BUCKET STACK=dev))
	@.venv/bin/python -m model pull --stack "$(STACK)" --from "$(ARTEFACTS)"

bench: $(environments) .venv-bench/stamp build/test/models.lock.json ## side by side: previews, placements, serving; 75 minutes, best alone
	@.venv/bin/python -m measure.bench.program
	@.venv-local/bin/python -m measure.bench.preview
	@.venv-local/bin/python -m measure.bench.placement
	@.venv-model/bin/python -m measure.bench.serving

bench-quick: .venv-model/stamp .venv-bench/stamp ## the ratios that matter, in 90 seconds
	@.venv-model/bin/python -m measure.bench.serving --quick

tune: .venv-model/stamp build/digits/release.json ## Triton's settings, measured: make tune MODEL=digits STACK=local TUNE=--quick
	@.venv-local/bin/python -m local tools
	@.venv-model/bin/python -m measure.tune $(MODEL) --stack $(or $(STACK),local) $(TUNE)

lock: .bootstrap/stamp ## lock the dependencies with hashes, newer versions only where needed
	@UV=$(abspath $(uv)) requirements/lock $(LOCK)

clean: ## remove what make made here
	rm -rf .venv .venv-model .venv-local .venv-policy .venv-bench .bootstrap build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
