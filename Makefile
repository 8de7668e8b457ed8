# Two commands for everybody: `make run` and `make test`. Each sets up what it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
# What an installation is made of, besides the Python that it finds in place.
SOURCES := setup.cfg setup.py pyproject.toml perps_actors/market/_native.pyx

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

bench-full: $(VENV)/.test-ready $(PEERS)/.ready
	@$(BIN)/python -m benchmarks --peers $(PEERS)/bin/python $(ARGS)

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
$(BIN)/python $(PEERS)/bin/python: %/bin/python:
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

clean:
	rm -rf $(VENV) $(PEERS) build perps_actors/market/*.so *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
