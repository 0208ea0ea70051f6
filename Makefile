# Everything a clean machine with Python ≥ 3.11 and make needs. Each target sets itself up.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow fuzz check format lint types imports bench bench-online bench-soak lock clean

demo: .venv/run
	$(BIN)/truetrade simulate --out demo/input --orders 50000 --days 90 --seed 7
	$(BIN)/truetrade scan demo/input/market --out demo/output
	$(BIN)/truetrade evaluate demo/input/market --truth demo/input/truth

test: .venv/dev
	$(BIN)/pytest -q -n 2 -m "not slow and not fuzz"

test-slow: .venv/spark
	$(BIN)/pytest -q -m slow

fuzz: .venv/dev
	$(BIN)/pytest -q -m fuzz

check: format lint types imports test

format: .venv/dev
	$(BIN)/ruff format --check .

lint: .venv/dev
	$(BIN)/ruff check .

types: .venv/dev
	$(BIN)/mypy

imports: .venv/dev
	$(BIN)/lint-imports

bench: .venv/dev
	$(BIN)/python -m benchmarks

bench-online: .venv/dev
	$(BIN)/python -m benchmarks.online main

bench-soak: .venv/dev
	$(BIN)/python -m benchmarks.soak

.venv/run: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/dev: .venv/run requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

.venv/spark: .venv/dev requirements-spark.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	touch $@

# Names, versions and hashes only. hatchling and editables build the package itself.
LOCK = $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-annotate --no-header
lock: .venv/dev
	printf 'hatchling\neditables\n' | $(LOCK) pyproject.toml - -o requirements.lock
	$(LOCK) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) pyproject.toml --extra spark -c requirements.lock -o requirements-spark.lock

clean:
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
