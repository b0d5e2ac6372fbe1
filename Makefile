# make run      set everything up, then serve on loopback
# make test     set everything up, then lint and run all tests
# make build    the set-up alone; at once when nothing changed
# make lint     ruff and mypy            make bench   the benchmarks
# make fuzz     N=1000000 inputs through both codecs, other ones each time; SEED=number repeats a run
# make fuzz-guided SECONDS=60 for each format, or FORMAT=dc09: libFuzzer looks for what the others do not reach
# make simulate N=1000 worlds in which everything fails, other ones each time; SEED=number alone shows one of them
# make sanitize the codec's, admit's and listen's tests under AddressSanitizer and UndefinedBehaviorSanitizer
# make sanitize-threads  the tests of what threads do beside the loop, under ThreadSanitizer
# make break    MINUTES=10: the engine killed, its database killed, hung and full, its disk failing, all under load; then
#               whether an alarm was lost; SEED=number repeats a run
# make day      a scripted day of a small province on the real engine, and a table that says how each scene ended
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

.PHONY: build run test lint bench simulate break day fuzz fuzz-guided sanitize sanitize-threads clean
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

MINUTES ?= 10

break: $(VENV)/with-tests $(COMPILED)
	@$(IN)/python -m tests.breaking --minutes $(MINUTES) $(if $(filter file,$(origin SEED)),,--seed $(SEED))

day: $(VENV)/with-tests $(COMPILED)
	@$(IN)/python -m tests.day

N ?= 1000000
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')

fuzz: $(VENV)/with-tests $(COMPILED)
	@seed=$(SEED); echo "$(N) inputs from seed $$seed"; \
	N=$(N) SEED=$$seed $(IN)/python -m pytest --no-header -q --tb=short tests/fuzz/test_twins.py

simulate: $(VENV)/with-tests $(COMPILED)
ifeq ($(origin SEED)$(origin N),command linefile)
	@$(IN)/python -m tests.simulation $(SEED)
else
	@$(IN)/python -m tests.simulation $(SEED) $(if $(filter file,$(origin N)),1000,$(N))
endif

# A copy, so that the release build of this checkout stays as it is. Its sources are replaced each time, what was
# compiled from unchanged ones is not compiled again. Not run: the peers, whose libraries no sanitizer can load.
# --capture=sys: a report goes to stderr itself, and the process ends with it.
SANITIZE := build/sanitize
SANITIZE_INPUTS ?= 20000
SANITIZE_TESTS := batch civil codes copy_bytes dc09 dc09_content dc09_encrypted gbt26875* gb18030 aes json_text formats \
	tocsin* blake2s* admit* intake receiver* tcp udp enrolment refused paths path_rows explain
SANITIZED := LD_PRELOAD=$$(gcc -print-file-name=libasan.so) PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

sanitize: $(VENV)/with-tests
	@mkdir -p $(SANITIZE)
	@find $(SANITIZE) -name build -prune -o -type f ! -name '*.c' ! -name '*.so' ! -name '*.lis' -exec rm {} +
	@tar --create --exclude='*.c' --exclude='*.so' --exclude='*.lis' --exclude=__pycache__ \
		codec docs engine loadgen benchmarks tests setup.py pyproject.toml README.md LICENSE | \
		tar --extract --directory $(SANITIZE)
	@echo "compiling the extensions (BUILD=sanitize) in $(SANITIZE)"
	@cd $(SANITIZE) && BUILD=sanitize $(CURDIR)/$(IN)/python setup.py -q build_ext >/dev/null
	@echo "running the tests under the sanitizers"
	@cd $(SANITIZE) && $(SANITIZED) $(CURDIR)/$(IN)/python -m tests.sanitize.planted
	@cd $(SANITIZE) && N=$(SANITIZE_INPUTS) $(SANITIZED) $(CURDIR)/$(IN)/python -m pytest --no-header -q --capture=sys \
		-p no:cacheprovider tests/fuzz $(wildcard $(SANITIZE_TESTS:%=tests/unit/test_%.py))

# The same for threads, in a copy of its own. Exit 66 is a race. What it is not to report stands in a file, with reasons.
THREADS := build/threads
THREADED := LD_PRELOAD=$$(gcc -print-file-name=libtsan.so) \
	TSAN_OPTIONS=io_sync=0:suppressions=$(CURDIR)/tests/sanitize/threads.txt:report_signal_unsafe=0

sanitize-threads: $(VENV)/with-tests
	@mkdir -p $(THREADS)
	@find $(THREADS) -name build -prune -o -type f ! -name '*.c' ! -name '*.so' ! -name '*.lis' -exec rm {} +
	@tar --create --exclude='*.c' --exclude='*.so' --exclude='*.lis' --exclude=__pycache__ \
		codec docs engine loadgen benchmarks tests setup.py pyproject.toml README.md LICENSE | \
		tar --extract --directory $(THREADS)
	@echo "compiling the extensions (BUILD=threads) in $(THREADS)"
	@cd $(THREADS) && BUILD=threads $(CURDIR)/$(IN)/python setup.py -q build_ext >/dev/null
	@echo "running the tests under ThreadSanitizer"
	@cd $(THREADS) && $(THREADED) $(CURDIR)/$(IN)/python -m tests.sanitize.planted_threads
	@cd $(THREADS) && $(THREADED) $(CURDIR)/$(IN)/python -m pytest --no-header -q --capture=sys -p no:cacheprovider \
		tests/unit/test_receivers.py tests/unit/test_listening.py tests/unit/test_heartbeats.py

# Coverage-guided: libFuzzer (clang's) around the codec; a finding is left in build/guided and printed.
GUIDED := build/guided
FORMATS = $(or $(FORMAT),dc09 dc09-encrypted gbt26875 tocsin)
SECONDS ?= 60

fuzz-guided: $(VENV)/with-tests $(COMPILED)
	@command -v clang >/dev/null || \
		{ echo "make fuzz-guided needs clang and its runtime: apt install clang libclang-rt-14-dev"; exit 1; }
	@mkdir -p $(GUIDED)/corpus
	@tar --create --exclude='*.c' --exclude='*.so' --exclude='*.lis' --exclude=__pycache__ codec tests/fuzz tests/vectors \
		setup.py pyproject.toml README.md LICENSE | tar --extract --directory $(GUIDED)
	@mkdir -p $(GUIDED)/tests/guided && cp tests/guided/* $(GUIDED)/tests/guided
	@echo "compiling the codec (BUILD=guided) in $(GUIDED)"
	@cd $(GUIDED) && CC=clang BUILD=guided $(CURDIR)/$(IN)/python setup.py -q build_ext
	@config=$$($(IN)/python -c 'import sys; print(sys.base_prefix + "/bin/python3-config")'); \
	clang -O1 -g -fsanitize=fuzzer,address,undefined tests/guided/driver.c -o $(GUIDED)/driver \
		$$($$config --includes) $$($$config --ldflags --embed)
	@for format in $(FORMATS); do FORMAT=$$format $(IN)/python -m tests.guided.target $(GUIDED)/corpus || exit 1; done
	@cd $(GUIDED) && for format in $(FORMATS); do \
		echo "fuzzing $$format for $(SECONDS) s"; export FORMAT=$$format PROGRAM=$(CURDIR)/$(IN)/python; \
		PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 ./driver -max_total_time=$(SECONDS) -max_len=4200 \
			-timeout=10 -print_final_stats=1 -dict=corpus/dictionary corpus/$$format || exit 1; done

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
