HANDLER := $(subst -,_,$(FUNCTION)).handler.handle
INSTALLS := .venv .mypy_cache .pytest_cache .ruff_cache
# Amazon Linux 2023, on which it runs, has glibc 2.34: https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
PLATFORM := aarch64-manylinux_2_34

LOCK := .venv/bin/uv pip compile --quiet --python .venv --upgrade --generate-hashes --no-annotate --custom-compile-command 'make lock' pyproject.toml
DRAFTS := build/requirements.txt build/requirements-dev.txt build/requirements-deployed.txt
OR_SAY := || { echo "lock: nothing is changed; README.md tells how uv is told of an index of your own" >&2; exit 1; }
# What comes from Git or a folder has no hash, and other machines do not have this one's files.
INSTALLABLE := awk '/^[^ \#]/ && !/^[^ ]+(==| @ https:).*\\$$/ { print "lock: nothing is changed, since no hash holds this everywhere: " $$0 \
	"; have it in src/, or as a wheel in an index of your own, as README.md tells" | "cat >&2"; exit 1 }'

# For Lambda alone, so that no condition is left on which pip and uv, or two machines, could differ.
# Lambda brings boto3 and what it is made of.
LOCK_FOR_LAMBDA := --python-version $(RUNTIME:python%=%) --python-platform $(PLATFORM) --only-binary :all: \
	--no-emit-package boto3 --no-emit-package botocore --no-emit-package s3transfer

# What says where packages come from, and how to get there, stays; the others of pip and uv would change what they do.
SOURCE := CACHE CERT CONFIG_FILE CREDENTIAL FEATURE FIND_LINKS HOST INDEX KEYRING OFFLINE PROXY RETRIES TIMEOUT TLS
unexport $(foreach name,$(filter PIP_% UV_%,$(.VARIABLES)),$(if $(strip $(foreach word,$(SOURCE),$(findstring $(word),$(name)))),,$(name)))
# What pip is told, uv is told too.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_CERT
.venv/installed .venv/deployed lock package: export SSL_CERT_FILE ?= $(PIP_CERT)
endif

.PHONY: install test lint format package local verify-install lock

##@ Your code

install: .venv/installed ## Install into .venv what the other targets need

.venv/installed: requirements-dev.txt | .venv/uv
	.venv/bin/uv pip sync --quiet --python .venv --require-hashes requirements-dev.txt
	touch $@

# By pip, at the version and with the hashes of the lock; uv then installs all else.
.venv/uv:
	$(PYTHON) -m venv --clear .venv
	sed -n '/^uv==/,/[^\]$$/p' requirements-dev.txt > .venv/uv.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
	@test -x .venv/bin/uv || { echo "pip has not installed into .venv; a line of .venv/bin/python -m pip config list says why" >&2; exit 1; }
	touch $@

test: install ## Run the unit tests
	.venv/bin/python -m pytest --junit-xml=build/tests.xml

lint: install ## Check style and types
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check
	.venv/bin/python -m mypy

format: install ## Format the code
	.venv/bin/python -m ruff check --fix
	.venv/bin/python -m ruff format

package: install ## Build build/package.zip, as Lambda takes it
	.venv/bin/python scripts/package.py $(RUNTIME) $(PLATFORM) $(if $(STANDBY),--standby)

local: install $(INSTALLED) ## Call the handler on this machine, without AWS; EVENT=FILE
	@.venv/bin/python -c 'import importlib.util as found, sys; sys.exit(not found.find_spec("awslambdaric"))' || \
		{ echo "AWS's runtime interface client runs on Linux alone; use make test or a sandbox" >&2; exit 1; }
	@$(TOOL) local "$(EVENT)" env PYTHONPATH=src .venv/bin/python -m awslambdaric $(HANDLER)

VERIFY := .venv/bin/python -m pytest tests/deployed

verify-install: .venv/deployed # what make verify needs

.venv/deployed: .venv/installed tests/deployed/requirements.txt
	.venv/bin/uv pip install --quiet --python .venv --require-hashes --requirement tests/deployed/requirements.txt
	touch $@

lock: .venv/uv ## Take newer dependencies, as pyproject.toml allows
	@mkdir -p build && rm -f $(DRAFTS)
	$(LOCK) $(LOCK_FOR_LAMBDA) --output-file build/requirements.txt $(OR_SAY)
	@$(INSTALLABLE) build/requirements.txt
	$(LOCK) --universal --python-version 3.11 --group dev --constraints build/requirements.txt --output-file build/requirements-dev.txt $(OR_SAY)
	@$(INSTALLABLE) build/requirements-dev.txt
	$(filter-out pyproject.toml,$(LOCK)) --universal --python-version 3.11 --group deployed --constraints build/requirements-dev.txt \
		--output-file build/requirements-deployed.txt $(OR_SAY)
	@$(INSTALLABLE) build/requirements-deployed.txt
	mv build/requirements.txt build/requirements-dev.txt .
	mv build/requirements-deployed.txt tests/deployed/requirements.txt
