# `make` proves and builds, `sluice` operates.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
FOLDERS := app charts model monitoring quality release rollouts
REST := docs infrastructure lab perf
WORKERS ?= 3
SCENARIOS ?= tests/e2e/scenarios
export SLUICE_CACHE ?= $(shell [ $$(id -u) = 0 ] && echo /var/cache/sluice || echo $$HOME/.cache/sluice)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONDONTWRITEBYTECODE # each of the many processes would compile all that it imports

.PHONY: help check test contract e2e existing summary infrastructure $(FOLDERS) demo lab lab-down lab-status tools bases image gates environment rest perf bench clients engine test-tools

help: ## List the targets
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' Makefile

##@ prove
check: environment ## Lint, types, schemas and generated files, in under a minute
	ruff check . && ruff format --check . && mypy
	$(PYTHON) -m rollouts.generate --check
	$(PYTHON) -m lab.linters

test: test-tools ## Everything that needs no engine and no cluster, in so many processes: WORKERS=n
	$(PYTHON) -m pytest -n $(WORKERS) tests

contract: environment ## What Sluice relies on in an engine, held against the real vLLM, alone and behind the gateway
	lab/install engine && $(PYTHON) -m lab tools otelcol && $(PYTHON) -m pytest tests/lab/real.py

gitops: environment ## The workflows, executed on a real forge and the lab: PART=forge|gates|e2e|cluster|engine
	@lab/install lab && $(PYTHON) -m lab.gitops $(PART)

$(filter-out model quality,$(FOLDERS)): environment
	$(PYTHON) -m pytest tests/$@

app charts: test-tools

rest: test-tools ## The tests of the folders whose own target does something else, or that have none
	$(PYTHON) -m lab tools actionlint cosign gitea kubeconform
	$(PYTHON) -m pytest -n $(WORKERS) $(REST:%=tests/%)

model: environment $(if $(GITHUB_ACTIONS),engine) ## The model is the pinned one; TRAIN=1 trains it anew, SEED=n another one
	$(if $(TRAIN),lab/install engine && $(PYTHON) -m quality.versions --seed $(or $(SEED),1))
	sluice model verify && $(PYTHON) -m pytest tests/model

quality: environment ## The quality gate on a real engine; PROOF=1 shows on known models that it works, RECORD=1 keeps the spread of seeds
	$(PYTHON) -m pytest tests/quality && lab/install engine && $(PYTHON) -m quality.proof $(if $(PROOF),--all) $(if $(RECORD),--record)

perf: environment $(if $(findstring @sha256:,$(CANDIDATE)),,engine) ## The candidate's engine against the live release's: CANDIDATE=v1.2.0 (or image@sha256:…), BASELINE=…, PROOF=1
	$(PYTHON) -m perf.gate $(if $(BASELINE),--baseline "$(BASELINE)") $(if $(CANDIDATE),--candidate "$(CANDIDATE)") $(if $(PROOF),--proof)

infrastructure: environment ## Terraform: formatted, linted, policies kept; PLAN=1 (PLAN=cluster): valid, and applied to an API server, PLUGINS=dir
	lab/install checkov && $(PYTHON) -m lab.terraform
	$(if $(PLAN),$(PYTHON) -m lab.plan $(filter cluster,$(PLAN)))

summary: environment ## The tables of what quality and perf measured, on the workflow's page too
	sluice summary

bench: environment $(if $(ABUSE),,engine) ## What the gateway costs, and with a real vLLM; ABUSE=1 [SOAK=600]: what clients that mean harm can do
	$(PYTHON) -m perf.bench$(if $(ABUSE),.abuse $(if $(SOAK),--soak "$(SOAK)"))

clients: environment ## openai, curl, guidellm and lm-eval, unchanged, against the gateway; REAL=1: before the real vLLM
	@lab/install clients $(if $(REAL),&& lab/install engine)
	$(PYTHON) -m lab.clients $(if $(REAL),--real)

e2e: lab ## The scenarios on the lab: ALL=1 runs the long ones too, SCENARIOS=dir runs yours
	$(PYTHON) -m lab.e2e $(SCENARIOS) $(if $(ALL),--all)

existing: tools ## LAB=existing on a bare cluster of the lab's own, which must be as before afterwards
	$(PYTHON) -m lab.bare

##@ lab
demo: ## A good release promoted and a bad one stopped, on a real cluster with a real vLLM
	@lab/install lab && $(PYTHON) -m lab.demo

lab: tools ## Start a one-node Kubernetes with Argo Rollouts, Prometheus, Alertmanager and a registry
	$(PYTHON) -m lab up $(if $(BARE),--bare)

lab-down: ## End the lab and take back all that it changed on this machine
	$(PYTHON) -m lab down

lab-status: ## What runs, where its logs are, how to reach it with kubectl
	$(PYTHON) -m lab status

tools: ## Install and build what the lab needs: once, cached outside the tree
	@lab/install lab
	$(PYTHON) -m lab tools $(if $(filter existing,$(LAB)),kubectl helm rollouts-controller prometheus)

bases: ## Build the images that a site would pull: Python and vLLM for the CPU, cached outside the tree
	$(PYTHON) -m lab bases

##@ ship
image: environment ## Build this commit's images, push them and print their digests: REGISTRY=host/path VERSION=v1.2.0
	sluice image --registry "$(or $(REGISTRY),$(error say where to push: make image REGISTRY=host/path VERSION=v1.2.0))" --version "$(or $(VERSION),$(error say which version: make image REGISTRY=host/path VERSION=v1.2.0))"

.PHONY: next version candidate login sign record deploy promote verdict rollback tagged drift gitops

next: environment ## The version that this commit would get, by its conventional commits
	sluice version

version: environment ## Give this commit its version: an annotated tag with its changelog
	sluice version --tag

candidate: environment ## Build and push this commit's images under its own name: REGISTRY=host/path VERSION=v1.2.0
	sluice image --registry "$$REGISTRY" --version "$$VERSION" --tag "candidate-$$(git rev-parse --short HEAD)$${GITHUB_RUN_ATTEMPT:+-$$GITHUB_RUN_ATTEMPT}" --engine-base "$$ENGINE_BASE" --python-base "$$PYTHON_BASE" --measured-here

login: ## Log in to the registry with the workflow's token: REGISTRY=host/path
	@echo "$$GITHUB_TOKEN" | docker login "$${REGISTRY%%/*}" --username "$$GITHUB_ACTOR" --password-stdin

sign: environment ## Sign what was tested, attach SBOM and provenance, tag it: VERSION=v1.2.0 GATEWAY=… ENGINE=…
	@$(PYTHON) -m lab tools cosign
	sluice sign --version "$$VERSION" "$$GATEWAY" "$$ENGINE"

record: environment ## Write a release into an environment: ENVIRONMENT=staging VERSION=v1.2.0 GATEWAY=… ENGINE=…
	sluice record "$$ENVIRONMENT" --version "$$VERSION" --gateway "$$GATEWAY" --engine "$$ENGINE"

deploy: environment ## Hand an environment's release over and leave: ENVIRONMENT=staging
	sluice deploy "$${ENVIRONMENT:-staging}" --locked --if-named --no-watch

promote: environment ## Open the pull request from one environment to the next: SOURCE=staging TARGET=prod
	sluice promote "$${SOURCE:-staging}" "$${TARGET:-prod}"

verdict: environment ## Keep a verdict; an abort is reverted in git: ENVIRONMENT=… VERSION=… VERDICT=promoted|aborted
	sluice verdict "$$ENVIRONMENT" "$$VERSION" "$$VERDICT" --reason "$$REASON" --link "$$LINK" --part "$${TOLD_BY:-engine}"

rollback: environment ## Take an environment back to a version: VERSION=v1.2.0 ENVIRONMENT=prod
	sluice rollback "$$VERSION" --env "$${ENVIRONMENT:-prod}" $${WHY:+--why "$$WHY"}

tagged: environment ## Start on main the rollback that a tag asks for: TAG=deploy/prod/v1.2.0
	sluice tagged "$$TAG"

drift: environment ## Compare a cluster with git: ENVIRONMENT=prod
	sluice drift "$${ENVIRONMENT:-staging}" --if-named

gates: environment ## Write the AnalysisTemplates, rules and alerts that rollouts/gates.yaml asks for
	$(PYTHON) -m rollouts.generate

engine:
	@lab/install engine

test-tools: environment
	$(PYTHON) -m lab tools helm otelcol definitions

environment:
	@lab/install test
