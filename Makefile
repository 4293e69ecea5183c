# One verb per line; `make help` lists them.
PYTHON ?= python3.11
BIN := .venv/bin
UV := $(BIN)/uv
MEMBERS := $(wildcard libs/*) $(wildcard services/*)

.PHONY: help demo test check bench format lint types imports proto generate lock browser clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/.ready: requirements.lock $(wildcard libs/*/pyproject.toml) $(wildcard services/*/pyproject.toml)
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(UV) || { $(PYTHON) -m venv .venv && $(BIN)/pip install -q --disable-pip-version-check uv==0.13.9; }
	$(UV) pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install -q --python $(BIN)/python --no-deps $(addprefix -e ,$(MEMBERS))
	@touch $@

demo: $(BIN)/.ready ## start everything on loopback (AUTO=1: walk a promotion by itself)
	@$(BIN)/countersign-demo $(if $(AUTO),--auto) $(if $(DIR),--dir $(DIR))

test: $(BIN)/.ready ## all tests
	$(BIN)/python tests/prerequisites.py
	$(BIN)/pytest -n auto --no-loadscope-reorder

check: $(BIN)/.ready lint types imports proto ## what CI checks beside the tests

lint: $(BIN)/.ready ## format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(BIN)/.ready ## rewrite to the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(BIN)/.ready ## mypy, strict
	$(BIN)/mypy

imports: $(BIN)/.ready ## the rule of direction
	$(BIN)/lint-imports --config importlinter.toml

proto: $(BIN)/.ready ## lint the contracts, compare with the released ones, generated files current
	cd proto && npm exec --yes --package=@bufbuild/buf@1.75.0 -- buf lint
	cd proto && npm exec --yes --package=@bufbuild/buf@1.75.0 -- buf breaking --against baseline.binpb
	$(BIN)/python proto/generate.py --check

generate: $(BIN)/.ready ## make models, schemas and documents from proto/
	$(BIN)/python proto/generate.py

bench: $(BIN)/.ready ## print the figures of docs/performance.md
	$(BIN)/python tests/bench

lock: ## resolve dependencies anew
	$(UV) lock --upgrade
	$(UV) export -q --all-packages --all-extras --no-emit-workspace --format requirements-txt --no-annotate --no-header -o requirements.lock

clean: ## remove what was installed and what demonstrations left
	rm -rf .venv .demo
