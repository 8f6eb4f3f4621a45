# `make run` and `make test` work on a fresh machine with git, make and Python >= 3.11. `make help` lists the rest.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2

PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt \
       --build-constraint constraints.txt
PINS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run setup test check lint types imports wheel installed figures docs bench heavy studies train-tiny clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

run: .venv/.run ## evaluate the embedded student on SAT; more options in ARGS="--limit 20"
	.venv/bin/aletheia-bench run --task sat --model aletheia-tiny $(ARGS)

setup: .venv/.dev ## install everything into .venv, for run and for test

# A worker has one core: threads that wait for each other would take three times as long.
test: .venv/.dev ## all tests but the heavy ones, with branch coverage
	OMP_NUM_THREADS=1 $(PY) -m pytest -q -n $(WORKERS) --cov --cov-report=term

check: lint types imports wheel installed figures docs ## all but the tests themselves: CI runs `make test check`

lint: .venv/.dev ## ruff: format and rules
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

types: .venv/.dev ## mypy, strict
	$(PY) -m mypy
	MYPYPATH=tests/external/aletheia-nqueens $(PY) -m mypy tests/external/aletheia-nqueens/aletheia_nqueens

imports: .venv/.dev ## who may import whom
	.venv/bin/lint-imports --no-logo

wheel: .venv/.dev ## build the wheel and look into it
	rm -rf dist
	$(PY) -m hatchling build -t wheel
	.venv/bin/check-wheel-contents dist/*.whl

installed: wheel ## tests against the installed wheel, from an empty folder
	rm -rf build/installed build/empty
	mkdir -p build/empty
	$(PIP) --no-deps --no-compile --target build/installed dist/*.whl
	cd build/empty && PYTHONPATH=$(CURDIR)/build/installed $(CURDIR)/$(PY) -m pytest -q -p no:cacheprovider \
		--installed=$(CURDIR)/build/installed $(CURDIR)/tests/house $(CURDIR)/tests/plugins

figures: .venv/.dev ## how long functions and files are
	$(PY) tools/figures.py

docs: .venv/.dev ## build the documentation into build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

bench: .venv/.dev ## time the hot paths (pytest-benchmark)
	$(PY) -m pytest -q benchmarks -m "not heavy" --benchmark-enable --benchmark-only

heavy: .venv/.dev ## the tests that take minutes or need a real model
	$(PY) -m pytest -q -m heavy

studies: .venv/.run ## conduct both studies into reports/: five hours on 2 cores
	@echo "Ten students of half an hour each, two at a time, and their runs. It can be interrupted; the same command goes on."
	.venv/bin/aletheia-bench study studies/paper.toml
	.venv/bin/aletheia-bench study studies/arms.toml

train-tiny: .venv/.run ## train both embedded students anew, in their stages, into trained/: a day on a CPU with AMX
	$(PY) tools/stages.py aletheia-tiny trained/aletheia-tiny
	$(PY) tools/stages.py aletheia-tiny-linearized trained/aletheia-tiny-linearized

clean: ## remove what was built; the environment and the runs stay
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is older: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

# The pinned pip first: an older one knows no dependency groups.
.venv/.pip: .venv/bin/python constraints.txt
	$(PY) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt pip
	@touch $@

.venv/.run: .venv/.pip $(PINS)
	@echo "Installing into .venv: this takes a few minutes the first time."
	$(PIP) --editable '.[hf]'
	@touch $@

.venv/.dev: .venv/.run
	$(PIP) --group dev
	@echo "llama.cpp is compiled the first time: about 7 minutes on 2 cores."
	$(PIP) --editable '.[all]' || echo "llama.cpp cannot be compiled here, so what needs it is not tested."
	@touch $@
