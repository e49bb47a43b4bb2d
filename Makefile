# Each target does all the set-up it needs, once, with plain Python, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS = README.md $(wildcard docs/*.md) $(wildcard docs/adapters/*.md)

.DEFAULT_GOAL := help
.PHONY: help report test slow fuzz spark lab check docs format lock wheel clean

help:  ## what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

report: $(READY)  ## take in data/sample and render the fleet page and each client's page
	$(BIN)/aftershock ingest data/sample
	$(BIN)/aftershock report

test: $(READY)  ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

slow: $(READY)  ## the long forms of the tests that search at random, and the benchmark of big ledgers (an hour, some 15 GB)
	AFTERSHOCK_LONG=1 $(BIN)/python -m pytest --timeout=3600 tests/ledger
	$(BIN)/python benchmarks/reingest.py

fuzz: $(READY)  ## damage every adapter's samples for longer, and take them in in more orders (an hour)
	AFTERSHOCK_LONG=1 $(BIN)/python -m pytest -n 2 --dist loadfile --timeout=3600 tests/adapters/test_fuzz.py tests/adapters/test_any_order.py

spark: $(READY)  ## hold every table metric on Spark equal to DuckDB (installs pyspark, 0.5 GB, beside Ibis; needs Java 17)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-spark.lock
	$(BIN)/python -m pytest --timeout=1800 tests/metrics/test_spark.py

lab: $(READY)  ## JupyterLab in this folder
	$(BIN)/aftershock lab

check: $(READY)  ## formatting, lint, types, and documents that are generated from the code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/cog --check $(DOCS)

docs: $(READY)  ## write the generated parts of the documents anew
	$(BIN)/python -m aftershock.workshop.pages docs/adapters
	$(BIN)/cog -r $(DOCS)

format: $(READY)  ## format and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(READY)  ## dist/aftershock-*.whl
	$(BIN)/python -m build --wheel --no-isolation

lock: $(READY)  ## resolve requirements.lock and requirements-spark.lock anew
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['dependency-groups']['dev'], sep='\n')" \
	  | CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet pyproject.toml - -o requirements.lock
	echo "pyspark>=4.3,<5" | CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet - -o requirements-spark.lock

clean:  ## remove what was installed, taken in and rendered
	rm -rf $(VENV) dist data/ledger data/landing reports/*

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "aftershock needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
