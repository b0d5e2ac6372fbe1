# make run      set everything up, then serve on loopback
# make test     set everything up, then lint and run all tests
# make build    the set-up alone; at once when nothing changed
# make lint     ruff and mypy            make bench   the benchmarks
# make fuzz     N=1000000 inputs through both codecs, other ones each time; SEED=number repeats a run
# make clean    remove what the build made; .venv stays
# BUILD=release|debug|trace|sanitize and ANNOTATE=1 (see setup.py) rebuild everything that they change

BUILD ?= release
ANNOTATE ?= 0
VENV := .venv
IN := $(VENV)/bin
PIP := $(IN)/python -m pip install -qq --disable-pip-version-check --no-input --no-compile
MAKEFLAGS += --jobs=2 --no-print-directory

# The stamp's name tells the switches and the set of sources, so that a removed file counts as a change too.
SOURCES := $(shell find codec engine loadgen benchmarks \( -name '*.pyx' -o -name '*.pxd' \) 2>/dev/null | LC_ALL=C sort)
SET := $(firstword $(shell echo $(SOURCES) | cksum))
COMPILED := build/compiled-$(BUILD)-$(ANNOTATE)-$(SET)

.PHONY: build run test lint bench fuzz clean
.DELETE_ON_ERROR:

build: $(VENV)/with-tocsin $(COMPILED)
	@:

run: build
	@echo "starting tocsin; when it is ready, try in another terminal:"
	@echo "  curl -N http://127.0.0.1:8914/v1/alarms/stream"
	@echo "  $(IN)/tocsin send --to 127.0.0.1:10914 --account 1234 --event fire"
	@# On a terminal tocsin gets Ctrl-C alone, so that make ends with its exit code and not with an interrupt of its own.
	@if [ -t 0 ]; then set -m; $(IN)/tocsin serve; else exec $(IN)/tocsin serve; fi

test: $(VENV)/with-tests $(COMPILED)
	@$(MAKE) lint
	@echo "running the tests"
	@$(IN)/python -m pytest --no-header

lint: $(VENV)/with-tests
	@echo "checking style (ruff) and types (mypy)"
	@$(IN)/ruff check --quiet --no-cache .
	@$(IN)/mypy --no-error-summary

bench: $(VENV)/with-tests $(COMPILED)
	@$(IN)/python -m benchmarks

N ?= 1000000
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')

fuzz: $(VENV)/with-tests $(COMPILED)
	@seed=$(SEED); echo "$(N) inputs from seed $$seed"; \
	N=$(N) SEED=$$seed $(IN)/python -m pytest --no-header -q --tb=short tests/fuzz/test_twins.py

clean:
	@echo "removing what the build made"
	@rm -rf build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	@find codec engine loadgen benchmarks \( -name '*.so' -o -name '*.lis' \) -delete
	@for pyx in $(filter %.pyx,$(SOURCES)); do rm -f $${pyx%.pyx}.c $${pyx%.pyx}.html; done

$(VENV)/with-compiler:
	@python=$$(deploy/check-build-tools) && echo "making $(VENV) with $$python" && "$$python" -m venv $(VENV)
	@echo "installing Cython"
	@$(PIP) 'setuptools>=80' 'Cython>=3.1,<4'
	@touch $@

# Downloads and compiling run side by side; BUILD=none keeps pip from compiling everything a second time.
$(VENV)/with-tocsin: pyproject.toml | $(VENV)/with-compiler
	@echo "installing what tocsin needs to run"
	@BUILD=none $(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/with-tests: pyproject.toml | $(VENV)/with-compiler
	@echo "installing what tocsin and its tests need"
	@BUILD=none $(PIP) --no-build-isolation --editable '.[test]'
	@touch $(VENV)/with-tocsin $@

$(COMPILED): pyproject.toml setup.py $(SOURCES) $(wildcard codec/*.h engine/*/*.h) | $(VENV)/with-compiler
	@mkdir -p build
	@echo "compiling the extensions (BUILD=$(BUILD))"
	@rm -f build/compiled-*
	@BUILD=$(BUILD) ANNOTATE=$(ANNOTATE) $(IN)/python setup.py -q build_ext
	@touch $@
