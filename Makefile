# Two commands for everybody: `make run` and `make test`. Each sets up what it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := setup.cfg pyproject.toml

.PHONY: run test bench bench-quick explore explore-bites chaos docs lint clean

SEEDS ?= 0:200

run: $(VENV)/.run-ready
	@$(BIN)/perps-actors run $(ARGS)

test: $(VENV)/.test-ready
	$(BIN)/pytest $(ARGS)

bench: $(VENV)/.test-ready
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick: $(VENV)/.test-ready
	@$(BIN)/python -m benchmarks --quick $(ARGS)

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
$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
		$(PYTHON) -m virtualenv --quiet $(VENV) 2>/dev/null || { \
		$(PYTHON) -m pip install --quiet --user --break-system-packages virtualenv && $(PYTHON) -m virtualenv --quiet $(VENV); }; }

$(VENV)/.run-ready: $(SOURCES) | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,sim]'
	@touch $@

$(VENV)/.test-ready: $(SOURCES) | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,sim,test]'
	@touch $@

$(VENV)/.tools-ready: $(SOURCES) | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,sim,test,tools]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
