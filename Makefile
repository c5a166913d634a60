# `make` proves and builds, `sluice` operates.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
FOLDERS := app charts model monitoring quality release rollouts
SCENARIOS ?= tests/e2e/scenarios
export SLUICE_CACHE ?= $(shell [ $$(id -u) = 0 ] && echo /var/cache/sluice || echo $$HOME/.cache/sluice)
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help check test e2e $(FOLDERS) perf bench engine demo lab lab-down lab-status tools bases image gates environment

help: ## List the targets
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' Makefile

##@ prove
check: environment ## Lint, types, schemas and generated files, in under a minute
	ruff check . && ruff format --check . && mypy
	$(PYTHON) -m rollouts.generate --check

test: environment ## Everything that needs no engine and no cluster
	$(PYTHON) -m lab tools helm
	$(PYTHON) -m pytest -n 2 tests

$(FOLDERS): environment
	$(PYTHON) -m pytest tests/$@

perf: environment engine ## The candidate's engine against the live one's: BASELINE=v1.2.0 (or image@sha256:…), CANDIDATE=…, PROOF=1
	$(PYTHON) -m perf.gate $(if $(BASELINE),--baseline "$(BASELINE)") $(if $(CANDIDATE),--candidate "$(CANDIDATE)") $(if $(PROOF),--proof)

bench: environment engine ## What the gateway costs: against no gateway, a byte splice, and in front of the real vLLM
	$(PYTHON) -m perf.bench

e2e: lab ## The scenarios on the lab: ALL=1 runs the long ones too, SCENARIOS=dir runs yours
	$(PYTHON) -m lab.e2e $(SCENARIOS) $(if $(ALL),--all)

##@ lab
demo: ## A good release promoted and a bad one stopped, on a real cluster with a real vLLM
	@lab/install lab && $(PYTHON) -m lab.demo

lab: tools ## Start a one-node Kubernetes with Argo Rollouts, Prometheus, Alertmanager and a registry
	$(PYTHON) -m lab up

lab-down: ## End the lab and take back all that it changed on this machine
	$(PYTHON) -m lab down

lab-status: ## What runs, where its logs are, how to reach it with kubectl
	$(PYTHON) -m lab status

tools: ## Install and build what the lab needs: once, cached outside the tree
	@lab/install lab
	$(PYTHON) -m lab tools

bases: ## Build the images that a site would pull: Python and vLLM for the CPU, cached outside the tree
	$(PYTHON) -m lab bases

##@ ship
image: environment ## Build this commit's images, push them and print their digests: REGISTRY=host/path VERSION=v1.2.0
	sluice image --registry "$(or $(REGISTRY),$(error say where to push: make image REGISTRY=host/path VERSION=v1.2.0))" --version "$(or $(VERSION),$(error say which version: make image REGISTRY=host/path VERSION=v1.2.0))"

gates: environment ## Write the AnalysisTemplates, rules and alerts that rollouts/gates.yaml asks for
	$(PYTHON) -m rollouts.generate

engine:
	@lab/install engine

environment:
	@lab/install test
