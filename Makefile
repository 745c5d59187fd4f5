# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every target does its own set-up and may be run again at any time.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := $(CURDIR)/.venv/bin
LAB := tests/lab/lab
# what narrows a test run: make hosts HOSTS="trixie bullseye" PYTEST="-k unit_file -x"
HOSTS ?=
HOST ?= bookworm
PYTEST ?=

export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
export ANSIBLE_HOME := $(CURDIR)/build/ansible
export PYTHONDONTWRITEBYTECODE := 1
# a virtual environment's activation and a stranger's settings must not leak in
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV ANSIBLE_CONFIG

##@ The two commands

.PHONY: demo
demo: prerequisites venv ## boot a systemd host and run an example playbook on it over SSH
	@demo/run

.PHONY: test
test: prerequisites venv ## everything: lint, sanity, unit tests, tests on real hosts, molecule
	@tests/tools/run-all.sh

.PHONY: test-full
test-full: prerequisites venv ## the same on every version of systemd, with all kill points (test takes a tenth, PIDONE_SEED=N: which), and the fuzzer
	@PIDONE_FULL=1 FUZZ="$(or $(FUZZ),--inputs 1000000)" tests/tools/run-all.sh lint unit sanity hosts molecule fuzz

##@ Checks and tests

.PHONY: lint
lint: venv ## static quality gates (GATES="ruff mypy" for some of them)
	@tests/tools/lint.sh $(GATES)

.PHONY: sanity
sanity: venv ## ansible-test sanity, without ignore entries
	@tests/tools/sanity.sh $(SANITY)

.PHONY: unit
unit: venv ## unit tests, no host needed (PYTEST="-k names")
	@$(BIN)/pytest tests/unit -q -n 2 $(PYTEST)

.PHONY: fuzz
fuzz: venv ## feed parsers with nonsense (FUZZ="--inputs 1000000 --seed 7 calendars", FUZZ="--minutes 10")
	@$(BIN)/python -m tests.attacks.fuzz $(FUZZ)

.PHONY: hosts
hosts: prerequisites venv ## tests on real hosts (HOSTS="bullseye trixie", PYTEST="-k unit_file -x")
	@tests/tools/hosts.sh "$(HOSTS)" $(PYTEST)

.PHONY: molecule
molecule: prerequisites venv ## molecule scenarios, on lab hosts
	@tests/tools/molecule.sh $(SCENARIOS)

.PHONY: bench
bench: prerequisites venv ## speed against ansible.builtin.systemd_service and systemctl; writes build/bench.json
	@tests/bench/run

##@ Documentation

.PHONY: docs
docs: venv ## HTML documentation in build/docs
	@tests/tools/docs.sh

##@ Test hosts (HOST=bullseye, bookworm, trixie, vm, machines, runit, runit-only, runit-run or sysvinit)

.PHONY: lab-images lab-up lab-enter lab-exec lab-list lab-down
lab-images: prerequisites venv ## build the images of the test hosts that are not cached yet
	@$(LAB) images $(IMAGES)
lab-up: prerequisites venv ## boot a host and keep it up
	@$(LAB) up $(HOST)
lab-enter: prerequisites venv ## open a shell on it
	@$(LAB) enter $(HOST)
lab-exec: prerequisites venv ## run CMD="..." on it
	@$(LAB) exec $(HOST) -- $(CMD)
lab-list: prerequisites venv ## hosts that are up, with their addresses
	@$(LAB) list
lab-down: prerequisites venv ## take it down (HOST=all: every one of this checkout)
	@$(LAB) down $(if $(filter all,$(HOST)),--all,$(HOST))

##@ Set-up and clean-up (other targets call these themselves)

.PHONY: prerequisites
prerequisites: ## install the Debian packages that booting test hosts takes (as root)
	@tests/tools/prerequisites.sh

.PHONY: venv
venv: ## virtual environment with all tools, and the collection's import path
	@tests/tools/prerequisites.sh git python3-venv shellcheck
	@tests/tools/venv.sh

.PHONY: clean
clean: ## take test hosts down and remove what was built, except the cached host images and .venv
	@if [ -x $(LAB) ] && [ -x $(BIN)/python ]; then $(LAB) down --all; fi
	@rm -rf .ansible .ruff_cache .mypy_cache .pytest_cache
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 -not -name lab -exec rm -rf {} +; fi
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	    /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
