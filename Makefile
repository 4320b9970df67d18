# What a person types. Nothing is needed beforehand but make and Python 3.11 or newer; all else goes into .venv.

PYTHONS = python3 python3.14 python3.13 python3.12 python3.11
VENV = .venv
BIN = $(VENV)/bin
PEERS = tests/bench/peers
SBOM = build/sbom
PIP_INSTALL = $(BIN)/python -m pip install -qq --no-input --disable-pip-version-check
# `compat` is a line in a .pth; without it each start of Python would import a finder first.
INSTALL_SELF = $(PIP_INSTALL) --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
# Where Python is told to write no bytecode (PYTHONDONTWRITEBYTECODE, as in many containers), each start of the program
# would compile all of it anew, and the tests start it some hundred times.
COMPILE_SELF = $(BIN)/python -m compileall -q worker schemas
# Each stamp says: this lock is installed.
CREATED = $(VENV)/.stamp-created
INSTALLED = $(VENV)/.stamp-installed
INSTALLED_DEV = $(VENV)/.stamp-installed-dev
COMPILE = $(BIN)/uv pip compile -q --no-header --no-emit-index-url --no-annotate --generate-hashes --universal \
	--python-version 3.11 $(LOCK_OPTIONS) pyproject.toml
COMPILE_PEERS = $(COMPILE:pyproject.toml=$(PEERS)/requirements.in) -o $(PEERS)/requirements.txt

# Much of the time goes into waiting for servers that were killed: two processes, each with servers of its own, file by
# file in the order of the folders, so that what takes long comes first.
SIDE_BY_SIDE = -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test lint unit bench soak drill lock wheel sbom scan clean
.DELETE_ON_ERROR:

help: ## Show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## One school morning, end to end; leaves the file and says where
	@$(BIN)/writeback demo

test: lint ## Everything CI runs: lint, then all tests, on a real RabbitMQ and a real PostgreSQL
	@$(COMPILE_SELF)
	$(BIN)/python -m pytest --ignore=tests/bench --ignore=tests/soak $(SIDE_BY_SIDE) $(ARGS)

lint: $(INSTALLED_DEV) ## Style, types, and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(INSTALLED_DEV) ## The tests that need no server
	$(BIN)/python -m pytest tests/unit $(ARGS)

bench: $(INSTALLED_DEV) ## Measure how fast it is (ARGS=… are handed on)
	$(BIN)/python -m tests.bench $(ARGS)

soak: $(INSTALLED_DEV) ## Run it for long under load and faults (ARGS=… are handed on)
	$(BIN)/python -m tests.soak $(ARGS)

drill: $(INSTALLED_DEV) ## Cause each alert on real servers, follow the runbook, write docs/drill.md (five minutes)
	$(BIN)/python -m tests.drill $(ARGS)

lock: $(CREATED) ## Compile the locks anew (LOCK_OPTIONS=--upgrade: with the newest versions)
	$(PIP_INSTALL) uv
	$(COMPILE) --extra build -o requirements.lock
	$(COMPILE) --extra build --extra dev -o requirements-dev.lock
	$(COMPILE_PEERS)

wheel: $(INSTALLED_DEV) ## The wheel of the last commit, in dist: the same bytes whoever builds it
	@$(BIN)/python .ci/wheel.py dist

# Of an environment that holds the program and what it needs, and nothing of the tests.
sbom: $(INSTALLED_DEV) ## A bill of what is installed with the program (CycloneDX), in dist
	@rm -rf $(SBOM) && $(BIN)/python -m venv --without-pip $(SBOM) && mkdir -p dist
	@$(BIN)/python -m pip --python $(SBOM)/bin/python install -qq --require-hashes -r requirements.lock
	@$(BIN)/python -m pip --python $(SBOM)/bin/python install -qq --no-deps "$$($(BIN)/python .ci/wheel.py build/wheel | head -1)"
	@$(BIN)/python -m pip --python $(SBOM)/bin/python uninstall -qq --yes setuptools
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-format JSON \
		--output-file dist/tardy-writeback.cdx.json $(SBOM)/bin/python
	@echo dist/tardy-writeback.cdx.json

scan: $(INSTALLED_DEV) ## Is a vulnerability known in a library? Says so where nobody can be asked
	@$(BIN)/python .ci/scan.py

clean: ## Remove what was built and installed (not var: that may hold tardies)
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache .test-*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(CREATED):
	@if ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		for python in $(PYTHONS); do \
			if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "Python 3.11 or newer is not here; on Debian 12 or Ubuntu 24.04 and later: sudo apt-get install -y python3 python3-venv" >&2; exit 1; \
		fi; \
		version=$$($$found -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		if ! $$found -c 'import venv, ensurepip' 2>/dev/null; then \
			echo "Python's venv is not here: sudo apt-get install -y python$$version-venv" >&2; exit 1; \
		fi; \
		$$found -m venv --clear $(VENV); \
	fi
	@touch $@

$(INSTALLED): requirements.lock pyproject.toml | $(CREATED)
	@echo "Installing into $(VENV), once…" >&2
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL_SELF)
	@$(COMPILE_SELF)
	@touch $@

# Holds everything of the other lock as well, in the same versions.
$(INSTALLED_DEV): requirements-dev.lock requirements.lock pyproject.toml | $(CREATED)
	@echo "Installing into $(VENV), with what the tests need, once…" >&2
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	@$(INSTALL_SELF)
	@$(COMPILE_SELF)
	@touch $(INSTALLED) $@
