# SPDX-License-Identifier: MIT
#
# The tests, the simulator, the fuzz targets, the image and the format. tests/run builds and runs
# the tests.

DOCKER ?= docker
IMAGE ?= rollcall
FUZZ_SECONDS ?= 60
CLANG_FORMAT ?= clang-format-14

# What is tested without PARTS=; by name only: bench-measured packaging.
TESTED := $(or $(PARTS),checks unit contract simulator e2e bench fuzz sanitizers valgrind image)

SIM_WRAPS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=memory_reserve
SIM_KERNEL_OBJECTS := $(call objects,tests/lib/sim*.c)
TEST_LIB_OBJECTS := $(filter-out $(SIM_KERNEL_OBJECTS),$(call objects,tests/lib/*.c))
SIM_OBJECTS := $(SIM_KERNEL_OBJECTS) $(call objects,tests/sim/*.c)
FUZZ_OBJECTS := $(call objects,tests/fuzz/*.c)
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS := $(FUZZ_TARGETS:%=$(BUILD)/fuzz-%)
REPLAYS := $(FUZZ_TARGETS:%=$(BUILD)/replay-%)
TESTS := $(patsubst %.o,%,$(call objects,$(patsubst %,tests/%/test_*.c,unit contract kernels)))
SIM_TESTS := $(patsubst tests/contract/%.c,$(BUILD)/tests/contract-sim/%,$(filter-out \
	%/test_thread.c tests/contract/test_library%,$(wildcard tests/contract/test_*.c)))
EPOLL_TESTS := $(patsubst tests/contract/%.c,$(BUILD)/tests/contract-epoll/%, \
	$(wildcard tests/contract/test_*.c))

# Without Docker or cross compilers, what needs them is skipped. Only root can run an engine.
test:
	@tests/install-packages build $(filter-out image packaging,$(TESTED))
	@$(if $(filter image,$(TESTED)),[ "$$(id -u)" != 0 ] || tests/install-packages image || :)
	@$(if $(filter packaging,$(TESTED)),tests/install-packages packaging || :)
	@exec tests/run $(TESTED)

tests: $(TESTS) $(EPOLL_TESTS) $(SIM_TESTS) $(BUILD)/rollcall-sim $(REPLAYS) \
		$(BUILD)/rollcall-load $(BUILD)/rollcall-crowd $(BUILD)/epoll-bare \
		$(BUILD)/uring-bare $(BUILD)/faulty $(BUILD)/instructions

# On and on, with seeds that were never run before.
soak: $(BUILD)/rollcall-sim
	@first=$$(date +%s)000000; while $(BUILD)/rollcall-sim --seeds $$first-$$((first + 9999)); do \
		first=$$((first + 10000)); done

# Each target for a while, from the corpus and earlier finds on. What fails is left in build/fuzz.
fuzz:
	@tests/install-packages build fuzzers
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang CFLAGS='-O1 -g' \
		SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@for name in $(FUZZ_TARGETS); do \
		mkdir -p build/fuzz/corpus/$$name && echo "$$name:" && \
		build/fuzz/fuzz-$$name -max_total_time=$(FUZZ_SECONDS) -timeout=20 -verbosity=0 \
			-print_final_stats=1 -artifact_prefix=build/fuzz/$$name- \
			build/fuzz/corpus/$$name tests/fuzz/corpus/$$name || exit 1; \
	done

fuzzers: $(FUZZERS)

# Fails if a branch is not reached that tests/COVERAGE.md does not explain.
coverage:
	@tests/install-packages build coverage
	@exec tests/coverage

# Where qemu cannot be had it says so, and skips what needs it.
test-kernels:
	@tests/install-packages build kernels || :
	@exec tests/kernels/run $(KERNELS)

# BASE= is what to build on, in the place of debian:trixie-slim. An IMAGE without a tag gets two.
image:
	$(DOCKER) build $(if $(BASE),--build-arg BASE=$(BASE)) -t $(IMAGE) \
		$(if $(findstring :,$(notdir $(IMAGE))),,-t $(IMAGE):$(VERSION)) -f docker/Dockerfile .

# Where no engine runs and none can be started it says so, and skips what needs one.
image-test:
	@tests/install-packages build image || :
	@exec tests/run image

format:
	@$(CLANG_FORMAT) -i include/*.h $(wildcard src/*/*.[ch] tests/*/*.[ch] bench/*/*.[ch])

$(BUILD)/tests/lib.a: $(TEST_LIB_OBJECTS)
	$(call say,AR,$@)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^

# Wrapped calls must stay calls, with link-time optimization too.
$(BUILD)/src/base/memory.o: private COMPILE += -fno-lto
$(BUILD)/tests/unit/test_scripted_memory: private LINK += $(SIM_WRAPS)
$(TESTS): %: %.o $(BUILD)/objects.a $(BUILD)/tests/lib.a
	$(call say,LINK,$@)$(LINK) -o $@ $^ $(BUILD)/objects.a $(LDLIBS) -lcmocka

# Contract tests run on the engine io_uring, on epoll, and on the simulated ring.
$(filter $(BUILD)/tests/contract/%,$(TESTS)) $(SIM_TESTS): $(BUILD)/tests/contract/engine_io_uring.o
$(EPOLL_TESTS): $(BUILD)/tests/contract-epoll/%: $(BUILD)/tests/contract/%.o \
		$(BUILD)/tests/contract/engine_epoll.o $(BUILD)/tests/lib.a $(BUILD)/objects.a
	$(call say,LINK,$@)mkdir -p $(@D) && $(LINK) -o $@ $^ $(LDLIBS) -lcmocka

$(SIM_TESTS): $(BUILD)/tests/contract-sim/%: $(BUILD)/tests/contract/%.o $(SIM_KERNEL_OBJECTS) \
		$(BUILD)/objects.a
	$(call say,LINK,$@)mkdir -p $(@D) && $(LINK) -o $@ $^ $(LDLIBS) -lcmocka $(SIM_WRAPS)

$(BUILD)/rollcall-sim: $(SIM_OBJECTS) $(BUILD)/objects.a
	$(call say,LINK,$@)$(LINK) -o $@ $^ $(LDLIBS) $(SIM_WRAPS)

# A fuzz target with libFuzzer, or with files. It has a kernel of its own (tests/fuzz/hostile.h).
$(FUZZERS) $(REPLAYS): $(call objects,tests/fuzz/hostile_*.c) $(BUILD)/objects.a
$(FUZZERS): $(BUILD)/fuzz-%: $(BUILD)/tests/fuzz/fuzz_%.o
	$(call say,LINK,$@)$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(BUILD)/objects.a \
		$(LDLIBS)
$(REPLAYS): $(BUILD)/replay-%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o
	$(call say,LINK,$@)$(LINK) -o $@ $(filter %.o,$^) $(BUILD)/objects.a $(LDLIBS)

# A server with a load that is the same in each run, and no kernel (tests/checks/instructions).
$(BUILD)/instructions: $(call objects,tests/instructions/*.c) $(BUILD)/objects.a
	$(call say,LINK,$@)$(LINK) -o $@ $^ $(LDLIBS)

# An echo server with faults of known size, for the tests of the benchmark.
$(BUILD)/faulty: $(BUILD)/tests/bench/faulty.o $(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ -lm

$(BUILD)/tests/unit/test_histogram: $(BUILD)/bench/load/histogram.o
$(BUILD)/tests/unit/test_histogram: private LDLIBS += -lm

$(BUILD)/tests/%.o: private INCLUDES += -Itests
$(BUILD)/tests/unit/test_histogram.o: private INCLUDES += -Ibench
$(BUILD)/tests/bench/%.o: private INCLUDES = -Ibench

.PHONY: test tests soak fuzz fuzzers coverage test-kernels image image-test format
