# Every command a contributor needs. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin

# Tools that tools/test-tools.sh had to fetch. What the machine already has comes first.
export PATH := $(PATH):$(CURDIR)/.cache/debian/usr/bin:$(CURDIR)/.cache/podman-compose/bin:$(CURDIR)/.cache/deploy-tools:$(CURDIR)/.cache/fake-gcs-server

# Otherwise each of the many programs that tests start compiles the package again.
unexport PYTHONDONTWRITEBYTECODE

PROMETHEUS_3 := $(CURDIR)/.cache/prometheus-3.16.0
# What the version of Prometheus can change: how it scrapes, stores, queries and evaluates. Longer runs of the same are left out.
WITH_PROMETHEUS = $(filter-out %/test_board_ranges.py %/test_incident.py %/test_quiet_demo_week.py, \
  $(shell grep -lE 'which\("(prometheus|promtool)"\)' -r tests/integration --include='test_*.py'))

# One more than processors: much of the time one of them waits, for a program that it started or for an answer.
PROCESSES := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

# Files in the order of tests/conftest.py.
WHOLE_FILES := -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

# No quick test uses schemathesis, and each process would load it.
QUICK := -p no:schemathesis -n $(PROCESSES) --dist worksteal --hypothesis-profile quick -m "not integration and not slow"

.PHONY: help demo test prometheus-3 lint types rules dashboards dashboard-pictures unit coverage integration faults fuzz benchmark \
  benchmark-short benchmark-tools test-tools deploy-tools test-lowest test-newest lock release clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed ## Run the exporter on a simulated company's bill; Ctrl-C stops it
	@$(BIN)/spend-exporter demo $(ARGS)

test: lint types rules ## Run every check and every test
	@echo "== tests"
	@$(BIN)/pytest $(WHOLE_FILES)
	@$(MAKE) --no-print-directory prometheus-3

prometheus-3: .venv/.installed-test test-tools ## Run the tests that start Prometheus against Prometheus 3 as well
	@if [ -x $(PROMETHEUS_3)/prometheus ]; then \
	  echo "== tests against Prometheus 3"; \
	  PATH="$(PROMETHEUS_3):$$PATH" $(BIN)/pytest $(WHOLE_FILES) $(WITH_PROMETHEUS); \
	else echo "Prometheus 3 is not built: its tests are skipped"; fi

lint: .venv/.installed-test ## Check style, formatting and the direction of imports
	@echo "== lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: .venv/.installed-test ## Check types
	@echo "== types"
	@$(BIN)/mypy

rules: test-tools ## Check the Prometheus and Alertmanager configuration
	@echo "== rules"
	@if command -v promtool >/dev/null; then \
	  promtool check config prometheus/prometheus.yml; \
	else echo "promtool not found: not checked"; fi
	@if command -v amtool >/dev/null; then \
	  amtool check-config prometheus/alertmanager/alertmanager.yml; \
	else echo "amtool not found: not checked"; fi

dashboards: .venv/.installed-test ## Write grafana/dashboards from grafana/source
	@$(BIN)/python -m grafana.source.generate

dashboard-pictures: .venv/.installed-test ## Take docs/images from a running Grafana (GRAFANA=address)
	@$(BIN)/python -m grafana.screenshots --grafana $(or $(GRAFANA),http://localhost:3000)

unit: .venv/.installed-test ## Run the quick tests, which start no other servers
	@$(BIN)/pytest $(QUICK)

coverage: .venv/.installed-test ## Show which lines and branches the tests reach that start no other servers
	@$(BIN)/pytest -n $(PROCESSES) --dist worksteal -m "not integration" --cov=exporter --cov-branch --cov-report=term:skip-covered

integration: .venv/.installed-test test-tools ## Run the tests against real Prometheus and containers
	@$(BIN)/pytest -m integration

faults: .venv/.installed-test test-tools ## Try every fault of docs/faults.md on the real program, and write that page
	@$(BIN)/python -m tests.faults.matrix

benchmark: .venv/.installed-test benchmark-tools ## Compare with what people use instead; tables and pictures in build/benchmark
	@$(BIN)/python benchmarks/compare.py --output build/benchmark $(ARGS)

benchmark-short: .venv/.installed-test benchmark-tools ## The same with small sizes, to see that it runs
	@$(BIN)/python benchmarks/compare.py --short $(ARGS)

benchmark-tools: ## Fetch what the benchmarks compare with
	@tools/benchmark-tools.sh

fuzz: .venv/.installed-test ## Try hostile input on every parser for a while: MINUTES=10
	@$(BIN)/python -m tests.fuzz.longer $(or $(MINUTES),10)

test-tools: ## Fetch the programs that the integration tests need
	@tools/test-tools.sh

deploy-tools: ## Build helm and kustomize, for the tests of deploy/
	@tools/deploy-tools.sh

test-lowest: .cache/release/.installed ## Run the quick tests with the lowest versions that pyproject.toml allows
	@tools/test-versions.sh lowest $(QUICK)

test-newest: .cache/release/.installed ## Run the quick tests with the newest versions that pyproject.toml allows
	@tools/test-versions.sh newest $(QUICK)

lock: .cache/release/.installed ## Renew the locked packages of the image, and docs/licences.md
	@tools/lock.sh

release: .cache/release/.installed ## Make a release: VERSION=x.y.z; nothing is pushed. DRY_RUN=1 shows what would be done
	@.cache/release/bin/python tools/release.py "$(or $(VERSION),$(error name it: make release VERSION=1.2.3))" $(if $(DRY_RUN),--dry-run)

clean: ## Remove the environment, fetched tools and caches
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

.venv/.installed: pyproject.toml tools/environment.sh
	@tools/environment.sh .venv
	@touch $@

.venv/.installed-test: pyproject.toml tools/environment.sh
	@tools/environment.sh .venv test
	@touch .venv/.installed $@

# The tools of a release, beside the environment of the tests.
.cache/release/.installed: pyproject.toml tools/environment.sh
	@tools/environment.sh .cache/release release
	@touch $@
