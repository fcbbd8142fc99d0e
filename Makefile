# Every target sets up what it needs; `make demo` and `make test` each work alone and first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export TOKENIZERS_PARALLELISM := false
PLURES_VLLM_ENV ?= .venv-vllm

.PHONY: setup demo test test-vllm test-dashboard test-smollm2 test-slow screenshots lint bench bench-vllm chromium clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	command -v $(PYTHON) >/dev/null || { echo "Plures needs Python 3.11: install it or call make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -q -c constraints.txt torch
	$(BIN)/pip install --disable-pip-version-check -q -c constraints.txt -e '.[test]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/plures run scenarios/quickstart.yaml --out runs/quickstart --resume

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -q

test-vllm: $(STAMP)
	$(BIN)/plures serve install --env $(PLURES_VLLM_ENV)
	PLURES_VLLM_ENV=$(PLURES_VLLM_ENV) $(BIN)/pytest -q -m vllm

test-smollm2: $(STAMP)
	$(BIN)/plures base show smollm2 >/dev/null 2>&1 || $(BIN)/plures base fetch smollm2
	$(BIN)/pytest -q -m smollm2

test-dashboard: $(STAMP) chromium
	$(BIN)/pytest -q -m browser

chromium:
	command -v chromium || command -v chromium-browser || command -v google-chrome || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -q && apt-get install -qy --no-install-recommends chromium; } || { \
	  echo "The browser tests need Chromium: install it, on Debian with: sudo apt-get install chromium"; exit 1; }

screenshots: $(STAMP) chromium
	$(BIN)/python -m dashboards.screenshots

test-slow: $(STAMP)
	$(BIN)/pytest -q -m slow

bench: $(STAMP)
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.platform
	$(BIN)/python -m benchmarks.graph
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.dashboard

bench-vllm: $(STAMP)
	$(BIN)/plures serve install --env $(PLURES_VLLM_ENV)
	PLURES_VLLM_ENV=$(PLURES_VLLM_ENV) $(BIN)/python -m benchmarks.serving_vllm

clean:
	rm -rf $(VENV) runs out build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis log
