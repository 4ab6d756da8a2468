# Everything a newcomer needs: `make demo`, `make test`. `make help` lists the rest.
# Kept to what both GNU make 4 and the 3.81 of macOS understand.

VENV := .venv
BIN  := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TOOLS     := $(VENV)/.tools
DOCS      := $(VENV)/.docs

# Processes that share the quick tests: most of these wait for something, so one more than a small machine has cores.
WORKERS := 3

.PHONY: help demo test test-all faults lint format bench notebooks docs pictures clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## the main job: break three gRPC modules, and write notebook, report and recording
	$(BIN)/tinypool-nb demo

test: $(TOOLS) ## the quick tests, in a few minutes
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile

test-all: $(TOOLS) $(DOCS) ## every test
	$(BIN)/python -m pytest -n 2 --dist loadfile

faults: $(TOOLS) ## forty ways to go wrong, each made to happen, and what was seen of it
	$(BIN)/python tests/faults/fault_table.py

lint: $(TOOLS) ## style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(TOOLS) ## lay the code out as `make lint` wants it
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(TOOLS) ## measure, and print the figures beside their bars
	$(BIN)/python tests/benchmarks/run.py

notebooks: $(INSTALLED) ## execute the course into dist/notebooks
	$(BIN)/tinypool-nb course --executed --out dist/notebooks

docs: $(DOCS) ## build the documentation into dist/docs; a warning is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -d dist/doctrees tinypool_nb/docs dist/docs
	@echo "open dist/docs/index.html"

pictures: $(TOOLS) ## draw the pictures of the README and of the documentation anew
	$(BIN)/python tests/browser/pictures.py

clean: ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find tinypool_nb tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say what is installed; they are older than pyproject.toml when something has to be installed again.
$(INSTALLED): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(TOOLS): pyproject.toml $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

$(DOCS): pyproject.toml $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable . --group docs
	@touch $@

# A candidate must run: version managers leave commands behind that only print an error, and some systems ship Python without venv.
$(BIN)/python:
	@for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$("$$candidate" --version)"; exec "$$candidate" -m venv --clear $(VENV); \
	  fi; \
	done; \
	echo 'This needs Python 3.11 or newer with its venv module, and found none.' >&2; \
	echo 'Debian and Ubuntu: apt install python3-venv. macOS: brew install python@3.13. Or name one: make PYTHON=/path/to/python3 ...' >&2; \
	exit 1
