HANDLER := index.handler
INSTALLS := node_modules

# Without npm and npx, which take longer to start than what they would start.
BIN := node_modules/.bin

.PHONY: install test lint format package local verify-install lock

##@ Your code

install: node_modules/.package-lock.json ## Install into node_modules what the other targets need

node_modules/.package-lock.json: package.json package-lock.json
	@command -v npm >/dev/null || { echo "Node.js 22.18 or later is needed, with npm" >&2; exit 1; }
	npm ci --no-progress --include=dev --include=optional >&2
	touch $@

test: install ## Run the unit tests
	@mkdir -p build
	node --disable-warning=ExperimentalWarning --env-file=tests/environment --test --test-reporter=dot --test-reporter-destination=stdout \
		--test-reporter=junit --test-reporter-destination=build/tests.xml 'tests/*.test.ts'

lint: install ## Check style and types
	$(BIN)/biome check
	$(BIN)/tsc

format: install ## Format the code
	$(BIN)/biome check --write

package: install ## Build build/package.zip, as Lambda takes it
	$(PYTHON) scripts/package.py $(if $(STANDBY),--standby)

local: install $(INSTALLED) ## Call the handler on this machine, without AWS; EVENT=FILE
	@$(PYTHON) scripts/package.py >&2
	@$(TOOL) local "$(EVENT)" env _HANDLER=$(HANDLER) LAMBDA_TASK_ROOT=build/code NODE_OPTIONS=--enable-source-maps \
		node scripts/runtime-client.cjs node_modules/aws-lambda-ric

VERIFY := sh tests/deployed/run.sh

verify-install: # what make verify needs
	@sh tests/deployed/install.sh

lock: ## Take newer dependencies, as package.json allows
	@rm -rf build/lock && mkdir -p build/lock && cp package.json package-lock.json .npmrc build/lock
	npm --prefix build/lock update --package-lock-only || { echo "lock: nothing is changed; see above" >&2; exit 1; }
	@node scripts/lock.mjs build/lock/package-lock.json
	mv build/lock/package-lock.json .
