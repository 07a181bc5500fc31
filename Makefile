# Two commands do everything on a machine that has Python 3.11 or later and make: `make demo`, `make test`.
# They work in a virtual environment of their own, .venv, with the pinned packages of requirements/dev.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PARALLEL := -n auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test test-pgbouncer check bench chaos format lock wheel clean

help:  ## Say what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

demo: $(INSTALLED)  ## Run the main job on the embedded PostgreSQL: migrate, import, post, report.
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo.py

test: $(INSTALLED)  ## Run the tests on real PostgreSQL: the wheel's 18 and 16, and Debian's 15 where it is.
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-pgbouncer: $(INSTALLED)  ## Run the tests through Debian's PgBouncer in transaction mode.
	FINANCE_TEST_PGBOUNCER=1 $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

check: $(INSTALLED)  ## Check format, lint, types, import floors and the examples of the documentation.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q $(PARALLEL) tests/test_documentation.py

bench: $(INSTALLED)  ## Measure against peers; NAME=P1 measures one. Writes benchmarks/results.json.
	$(BIN)/python -m benchmarks $(NAME)

chaos: $(INSTALLED)  ## Inject faults and count; NAME=C1 runs one scenario. Writes benchmarks/chaos.json.
	$(BIN)/python -m benchmarks.chaos $(NAME)

format: $(INSTALLED)  ## Format the code, and mend what the linter can mend.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:  ## Pin the newest packages that fit, with their hashes.
	uv pip compile pyproject.toml requirements/dev.in --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --upgrade --quiet --output-file requirements/dev.txt

wheel: $(INSTALLED)  ## Build the wheel into dist/.
	$(BIN)/python -m hatchling build --target wheel

clean:  ## Remove the virtual environment and everything that was built.
	rm -rf $(VENV) dist build .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("finance needs Python 3.11 or later; say which with `make PYTHON=python3.13`" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
