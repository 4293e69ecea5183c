# One verb per line; `make help` lists them.
# PYTHON names the interpreter (3.11 to 3.14); without it the newest that is found makes $(VENV).
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
MEMBERS := $(wildcard libs/*) $(wildcard services/*)
IMAGES := $(notdir $(wildcard services/*)) local
VERSION ?= 0.1.0
GO = $$($(CURDIR)/$(BIN)/python $(CURDIR)/tests/prerequisites.py --go)
comma := ,

.PHONY: help demo test test-cluster test-compose test-forges check pythons chaos fuzz bench format lint types imports proto asyncapi-html metrics go advised advisories generate lock locks images clean anew

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Another Python than the one that made the environment makes it anew.
ifneq ($(PYTHON),)
ifneq ($(shell $(PYTHON) -V 2>&1),$(shell $(BIN)/python -V 2>&1))
$(BIN)/.ready: anew
endif
endif

$(BIN)/.ready: requirements.lock $(wildcard libs/*/pyproject.toml) $(wildcard services/*/pyproject.toml)
	@test -z "$(PYTHON)" && $(UV) --version >/dev/null 2>&1 && $(BIN)/python -V >/dev/null 2>&1 || { \
	  python=$$(.ci/python $(PYTHON)) && "$$python" -m venv --clear $(VENV) && \
	  $(BIN)/pip install -q --disable-pip-version-check uv==0.13.9; }
	$(UV) pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install -q --python $(BIN)/python --no-deps $(addprefix -e ,$(MEMBERS))
	@touch $@

demo: $(BIN)/.ready ## start everything on loopback (AUTO=1: walk a promotion by itself; PORT= of the board)
	@.ci/provide git
	@$(BIN)/countersign-demo $(if $(AUTO),--auto) $(if $(DIR),--dir $(DIR)) $(if $(PORT),--port $(PORT))

test: $(BIN)/.ready go ## all tests
	@.ci/provide git browser node promtool
	$(BIN)/python tests/prerequisites.py
	$(BIN)/pytest -n auto --no-loadscope-reorder

test-cluster: $(BIN)/.ready go images ## install in a one-node cluster with real Pods, and try everything
	.ci/cluster

test-compose: $(BIN)/.ready ## start the demonstration as containers, and walk it (PYTHON_IMAGE=, PIP_CA=)
	$(if $(PIP_CA),PIP_CA_FILE=$(PIP_CA)) $(BIN)/pytest -q -n 0 --timeout=900 tests/compose

test-forges: $(BIN)/.ready go ## build a real Gitea of its source, and try everything at it (minutes, once)
	$(BIN)/pytest -q -n 0 --timeout=3600 tests/forges_real

pythons: ## walk the demonstration and run the unit tests with every Python of 3.11 to 3.14 on this machine
	@for python in $$(.ci/python --all); do \
	  echo "$$($$python -V), $$python"; venv=.venv/pythons/$$(basename $$python); \
	  $(MAKE) --no-print-directory demo AUTO=1 PYTHON=$$python \
	    VENV=$$venv DIR=.demo/$$(basename $$python) || exit 1; \
	  $$venv/bin/pytest -q -n auto tests/unit tests/laws || exit 1; \
	done

check: $(BIN)/.ready lint types imports proto metrics advised ## what CI checks beside the tests

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
	@.ci/provide node
	cd proto && npm exec --yes --package=@bufbuild/buf@1.75.0 -- buf lint
	cd proto && npm exec --yes --package=@bufbuild/buf@1.75.0 -- buf breaking --against baseline.binpb
	$(BIN)/python proto/generate.py --check
	$(BIN)/python proto/guard.py
	@test -d proto/node_modules || npm ci --prefix proto --no-audit --no-fund --loglevel=error
	node proto/check.mjs

asyncapi-html: $(BIN)/.ready ## the contracts as one page of HTML, in dist/
	@.ci/provide node
	@$(BIN)/python proto/html.py dist/asyncapi.html

metrics: $(BIN)/.ready go ## metrics by Prometheus' own linter, rules and dashboards by promtool where it is
	$(BIN)/python k8s/monitoring/generate.py --check
	@mkdir -p dist
	$(BIN)/python tests/metrics_page.py --exposition >dist/metrics.txt
	cd tests/subscribers && GOTOOLCHAIN=local $(GO) run ./promlint <$(CURDIR)/dist/metrics.txt
	@if command -v promtool >/dev/null; then \
	  promtool check rules k8s/monitoring/prometheus/rules.yaml && promtool test rules k8s/monitoring/rules_test.yaml; \
	else echo "promtool is absent (Debian: prometheus); rules are not checked"; fi

go: $(BIN)/.ready # that of its wheel, where the machine has none that is new enough
	@$(BIN)/python tests/prerequisites.py --go >/dev/null || \
	  $(UV) pip install -q --python $(BIN)/python --target $(VENV)/go --require-hashes -r tests/subscribers/go.lock

advised: $(BIN)/.ready # known vulnerabilities, by the local copy, which says its age
	$(BIN)/python tests/advisories.py

advisories: $(BIN)/.ready ## ask the package index what is known to be wrong with what images hold
	$(BIN)/python tests/advisories.py --fetch

generate: $(BIN)/.ready ## make models, schemas and documents from proto/
	$(BIN)/python proto/generate.py
	$(BIN)/python tests/metrics_page.py
	$(BIN)/python tests/settings_page.py
	$(BIN)/python k8s/monitoring/generate.py

chaos: $(BIN)/.ready ## random runs with everything going wrong, judged from outside (MINUTES=20), then a parted bus, a full disk, and so on
	@mkdir -p .demo
	COUNTERSIGN_CHAOS_MINUTES=$(or $(MINUTES),20) \
	  $(BIN)/pytest -q -s -n 0 --basetemp=.demo/chaos tests/e2e/test_random_runs.py tests/chaos

fuzz: $(BIN)/.ready ## feed every parser with what is wrong, then draw other examples for every property (MINUTES=10 each)
	COUNTERSIGN_FUZZ_MINUTES=$(or $(MINUTES),10) $(BIN)/pytest -q -n 0 tests/fuzz
	COUNTERSIGN_FUZZ_MINUTES=$(or $(MINUTES),10) $(BIN)/python tests/fuzz

bench: $(BIN)/.ready ## print the figures of docs/performance.md
	$(BIN)/python tests/bench

lock: ## resolve dependencies anew
	$(UV) lock --upgrade
	@$(MAKE) -s locks

EXPORT := $(UV) export -q --frozen --no-emit-workspace --format requirements-txt --no-annotate --no-header

locks: # what is installed, from what was resolved: here, in images, and to build those with
	$(EXPORT) --all-packages --all-extras -o requirements.lock
	$(EXPORT) --only-group images -o images.lock
	@for image in $(IMAGES); do $(EXPORT) --no-dev --package countersign-$$image -o $$(ls -d services/$$image libs/$$image 2>/dev/null)/requirements.lock; done

images: ## build the images (PYTHON_IMAGE=, VERSION=, PIP_CA=)
	@for image in $(IMAGES); do docker build -q $(if $(PIP_CA),--secret id=pip-ca$(comma)src=$(PIP_CA)) --build-arg SERVICE=$$image $(if $(PYTHON_IMAGE),--build-arg PYTHON_IMAGE=$(PYTHON_IMAGE)) --build-arg SOURCE_DATE_EPOCH=0 --build-arg REVISION=$$(git rev-parse HEAD) -t countersign/$$image:$(VERSION) . || exit 1; done

clean: ## remove what was installed and what demonstrations left
	rm -rf $(VENV) .demo
