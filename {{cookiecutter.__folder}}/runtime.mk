# Amazon Linux 2023, on which it runs, has glibc 2.34: https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
PLATFORM := aarch64-manylinux_2_34

# The first that runs and is recent enough to work with.
PYTHON = $(shell for python in $(RUNTIME) python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

LOCK := .venv/bin/uv pip compile --quiet --upgrade --generate-hashes --no-annotate --custom-compile-command 'make lock' pyproject.toml

# For Lambda alone, so that no condition is left on which pip and uv, or two machines, could differ.
# Lambda brings boto3 and what it is made of.
LOCK_FOR_LAMBDA := --python-version $(RUNTIME:python%=%) --python-platform $(PLATFORM) --only-binary :all: \
	--no-emit-package boto3 --no-emit-package botocore --no-emit-package s3transfer

.PHONY: install test lint format package sync watch local lock

install: .venv/installed ## Install into .venv what the other targets need

.venv/installed: requirements-dev.txt
	$(or $(PYTHON),$(error Python 3.11 or later is needed, as $(RUNTIME) or python3)) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --require-hashes --requirement requirements-dev.txt
	touch $@

test: install ## Run the unit tests
	.venv/bin/python -m pytest --junit-xml=build/tests.xml

lint: install ## Check style and types
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check
	.venv/bin/python -m mypy

format: install ## Put the code into shape
	.venv/bin/python -m ruff check --fix
	.venv/bin/python -m ruff format

package: install ## Build build/package.zip, as Lambda takes it
	.venv/bin/python scripts/package.py $(RUNTIME) $(PLATFORM)

sync: install ## Put the code on disk into your sandbox
	@.venv/bin/python scripts/sync.py $(FUNCTION) "$(NAME)" $(RUNTIME) $(PLATFORM)

watch: install ## At each save, run the unit tests, then sync; show your sandbox's log meanwhile
	@.venv/bin/python scripts/watch.py $(FUNCTION) "$(NAME)" $(RUNTIME) $(PLATFORM)

local: install ## Call the handler on this machine, without AWS; EVENT=FILE
	@.venv/bin/python scripts/local.py $(HANDLER) "$(EVENT)"

lock: install ## Take newer dependencies, as pyproject.toml allows
	$(LOCK) $(LOCK_FOR_LAMBDA) --output-file requirements.txt
	$(LOCK) --universal --python-version 3.11 --group dev --constraints requirements.txt --output-file requirements-dev.txt
