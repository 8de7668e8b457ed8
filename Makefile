# Two commands for everybody: `make run` and `make test`. Each sets up what it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
COMPILED := .venv-compiled
SOURCES := setup.cfg pyproject.toml

.PHONY: run test bench bench-quick bench-full explore explore-bites chaos docs lint clean

SEEDS ?= 0:200

run: $(VENV)/.run-ready
	@$(BIN)/perps-actors run $(ARGS)

test: $(VENV)/.test-ready
	$(BIN)/pytest $(ARGS)

bench: $(VENV)/.test-ready
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick: $(VENV)/.test-ready
	@$(BIN)/python -m benchmarks --quick $(ARGS)

bench-full: $(VENV)/.test-ready $(PEERS)/.ready $(COMPILED)/.ready
	@$(BIN)/python -m benchmarks --peers $(PEERS)/bin/python --compiled $(COMPILED)/bin/python $(ARGS)

explore: $(VENV)/.test-ready
	@$(BIN)/python -m exploration $(SEEDS) $(ARGS)

explore-bites: $(VENV)/.test-ready
	@$(BIN)/python -m exploration.bites $(ARGS)

chaos: $(VENV)/.test-ready
	@$(BIN)/python -m chaos $(ARGS)

docs: $(VENV)/.run-ready
	@$(BIN)/python -m docs.make_reference
	@$(BIN)/python -m docs.make_venues

lint: $(VENV)/.tools-ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Debian's python3 may come without ensurepip; virtualenv needs none.
$(BIN)/python $(PEERS)/bin/python $(COMPILED)/bin/python: %/bin/python:
	@$(PYTHON) -m venv $* 2>/dev/null || { rm -rf $*; \
		$(PYTHON) -m virtualenv --quiet $* 2>/dev/null || { \
		$(PYTHON) -m pip install --quiet --user --break-system-packages virtualenv && $(PYTHON) -m virtualenv --quiet $*; }; }

$(VENV)/.run-ready: $(SOURCES) | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,sim]'
	@touch $@

$(VENV)/.test-ready: $(SOURCES) | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,sim,test]'
	@touch $@

$(VENV)/.tools-ready: $(SOURCES) | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,sim,test,tools]'
	@touch $@

# cryptofeed comes as source alone: it takes a C compiler and Python's headers.
$(PEERS)/.ready: benchmarks/peers-build.txt benchmarks/peers.txt | $(PEERS)/bin/python
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers-build.txt
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --requirement benchmarks/peers.txt
	@touch $@

# Without a build of its own, for mypyc must see what the package needs. The benchmarks are found beside the installed package.
$(COMPILED)/.ready: setup.py benchmarks/compiler.txt $(SOURCES) $(shell find perps_actors -name '*.py') | $(COMPILED)/bin/python
	@$(COMPILED)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/compiler.txt
	@$(COMPILED)/bin/python -m pip install --quiet --disable-pip-version-check .
	@PERPS_ACTORS_COMPILE=1 $(COMPILED)/bin/python -m pip install --quiet --disable-pip-version-check \
		--no-build-isolation --no-deps --force-reinstall .
	@echo "$(CURDIR)" >"$$($(COMPILED)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/benchmarks.pth"
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) $(COMPILED) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
