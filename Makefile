# `make run` and `make test` are all that most people need. Each first installs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
# An installation is made again when one of these files changes.
SOURCES := setup.cfg setup.py pyproject.toml perps_actors/market/_native.pyx

.PHONY: run test bench bench-quick bench-full explore explore-bites chaos docs lint clean

SEEDS ?= 0:200

# Ctrl-C reaches this shell too. The trap keeps it alive, so that make sees the exit code of `run`,
# which is 130 after a clean stop and no error.
run: $(VENV)/.run-ready
	@trap : INT; $(BIN)/perps-actors run $(ARGS) || [ $$? -eq 130 ]

test: $(VENV)/.test-ready
	$(BIN)/pytest --timeout 60 $(ARGS)

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

# Debian's python3 may lack ensurepip; virtualenv does not need it.
$(BIN)/python $(PEERS)/bin/python: %/bin/python:
	@echo "Creating $*" >&2
	@$(PYTHON) -m venv $* 2>/dev/null || { rm -rf $*; \
		$(PYTHON) -m virtualenv --quiet $* 2>/dev/null || { \
		$(PYTHON) -m pip install --quiet --user --break-system-packages virtualenv \
		&& $(PYTHON) -m virtualenv --quiet $*; }; }

# pip shows its progress on standard error, so that `make run ARGS=--json` can be piped.
$(VENV)/.run-ready: EXTRAS := cli,sim
$(VENV)/.test-ready: EXTRAS := cli,sim,test
$(VENV)/.tools-ready: EXTRAS := cli,sim,test,tools
$(VENV)/.run-ready $(VENV)/.test-ready $(VENV)/.tools-ready: $(SOURCES) | $(BIN)/python
	@echo "Installing perps-actors[$(EXTRAS)] into $(VENV)" >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --editable '.[$(EXTRAS)]' >&2
	@touch $@

# cryptofeed is published as source only, so it needs a C compiler and Python's headers.
$(PEERS)/.ready: PIP := $(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check
$(PEERS)/.ready: benchmarks/peers-build.txt benchmarks/peers.txt | $(PEERS)/bin/python
	@$(PIP) --requirement benchmarks/peers-build.txt
	@$(PIP) --no-build-isolation --requirement benchmarks/peers.txt
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) build perps_actors/market/*.so *.egg-info \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis
