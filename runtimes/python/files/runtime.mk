HANDLER := $(subst -,_,$(FUNCTION)).handler.handle
INSTALLS := .venv
# Amazon Linux 2023, on which it runs, has glibc 2.34: https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
PLATFORM := aarch64-manylinux_2_34

LOCK := .venv/bin/uv pip compile --quiet --upgrade --generate-hashes --no-annotate --custom-compile-command 'make lock' pyproject.toml

# For Lambda alone, so that no condition is left on which pip and uv, or two machines, could differ.
# Lambda brings boto3 and what it is made of.
LOCK_FOR_LAMBDA := --python-version $(RUNTIME:python%=%) --python-platform $(PLATFORM) --only-binary :all: \
	--no-emit-package boto3 --no-emit-package botocore --no-emit-package s3transfer

.PHONY: install test lint format package local lock

install: .venv/installed ## Install into .venv what the other targets need

.venv/installed: requirements-dev.txt
	$(PYTHON) -m venv --clear .venv
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
	.venv/bin/python scripts/package.py $(RUNTIME) $(PLATFORM) $(if $(STANDBY),--standby)

local: install $(INSTALLED) ## Call the handler on this machine, without AWS; EVENT=FILE
	@.venv/bin/python -c 'import importlib.util as found, sys; sys.exit(not found.find_spec("awslambdaric"))' || \
		{ echo "AWS's runtime interface client runs on Linux alone; use make test or a sandbox" >&2; exit 1; }
	@PYTHONPATH=src $(TOOL) local "$(EVENT)" .venv/bin/python -m awslambdaric $(HANDLER)

lock: install ## Take newer dependencies, as pyproject.toml allows
	$(LOCK) $(LOCK_FOR_LAMBDA) --output-file requirements.txt
	$(LOCK) --universal --python-version 3.11 --group dev --constraints requirements.txt --output-file requirements-dev.txt
