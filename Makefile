# Likeness: `make run` is all a user needs; `make help` lists the rest.

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PORT ?= 8000
TESTERS ?= 3
PICTURES ?=

.PHONY: help run test check format messages bench browser

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: .venv/run ## install into .venv and serve on http://127.0.0.1:8000 with everything under ./data
	@$(BIN)/likeness serve --port $(PORT)

test: .venv/develop browser ## every test, the ones in a real browser too
	@$(BIN)/python -m pytest -q -n $(TESTERS) --dist loadfile

check: .venv/develop ## format, lint, types, import rules, and the files for containers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file bench/mypy.ini bench
	$(BIN)/lint-imports --no-cache
	$(BIN)/python deploy/check.py

messages: .venv/develop ## bring the catalogues of the languages up to date with the source
	$(BIN)/python deploy/messages.py

format: .venv/develop ## put the code into its form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: .venv/develop ## the benchmarks, peers beside us; PICTURES=folder adds the ones on real pictures
	$(BIN)/python bench/run.py $(PICTURES)

browser:
	@command -v chromium chromium-browser google-chrome >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	|| echo "No Chromium was to be had, so the tests in a browser are skipped. Please install it to run them."

.venv/bin/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(NEW_ENOUGH)' \
	|| { echo "Python 3.11 or newer is needed. Please install it, or set PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --upgrade pip # dependency groups need pip 25.1

.venv/run: .venv/bin/python pyproject.toml
	@echo "Installing Likeness into .venv. This takes a minute or two, once."
	@$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/develop: .venv/run
	@$(BIN)/pip install --quiet --group test --group check
	@touch $@
