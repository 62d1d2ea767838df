# SPDX-License-Identifier: MIT
#
# make help lists the targets. Configurations live beside each other, each in its own BUILD:
#
#	make BUILD=build/clang CC=clang
#	make BUILD=build/asan SANITIZE=address,undefined

BUILD ?= build
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
UNITDIR ?= $(PREFIX)/lib/systemd/system

CFLAGS ?= -O2 -g
LDLIBS ?= -luring
OBJCOPY ?= $(shell $(CC) -print-prog-name=objcopy)
ifeq ($(origin AR),default)
AR = $(shell $(CC) -print-prog-name=ar)
endif
CLANG_FORMAT ?= clang-format-14
DOCKER ?= docker
IMAGE ?= rollcall

# supported(OPTION...): those of them that the compiler has.
supported = $(foreach option,$(1),$(shell $(CC) $(CFLAGS) $(option) -Wno-error -c -x c \
	    /dev/null -o /dev/null 2>/dev/null && echo ' $(option)'))

# HARDENING= turns it off. _FORTIFY_SOURCE needs optimization and hides calls from sanitizers; one that
# the compiler or a distribution defines stays.
ifeq ($(origin HARDENING),undefined)
PREDEFINED := $(shell $(CC) $(CPPFLAGS) $(CFLAGS) -dM -E -x c /dev/null 2>/dev/null | \
	      grep -Eo '__OPTIMIZE__|_FORTIFY_SOURCE')
HARDENING := $(call supported,-fstack-protector-strong -fcf-protection) \
	     $(if $(SANITIZE)$(findstring -fsanitize=,$(CFLAGS)),,$(if $(filter \
	     __OPTIMIZE__,$(PREDEFINED)),$(if $(filter _FORTIFY_SOURCE,$(PREDEFINED)),, \
	     -D_FORTIFY_SOURCE=2)))
endif
ifneq ($(strip $(HARDENING)),)
HARDENING_LINK ?= -Wl,-z,relro,-z,now
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion
SANITIZER := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
INCLUDES = -Iinclude -Isrc
COMPILE = $(CC) -std=gnu11 -D_GNU_SOURCE= $(WARNINGS) -fPIC -fvisibility=hidden $(SANITIZER) \
	  $(HARDENING) $(INCLUDES) -MMD -MP $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(SANITIZER) $(HARDENING_LINK) $(CFLAGS) $(LDFLAGS)
# With LTO the machine code is made here: in LTO's own form no name can be hidden from others. Groups
# of sections end here too: of i386's there would be one in other objects, and ours be discarded.
LINK_OBJECT = $(CC) $(CFLAGS) -r -nostdlib -Wl,--force-group-allocation \
	      $(call supported,-flinker-output=nolto-rel)

VERSION := $(shell sed -n 's/^.define ROLLCALL_VERSION "\(.*\)"/\1/p' include/rollcall.h)
# Before 1.0 a minor version may break the ABI, so the soname has it too (include/rollcall.h).
SONAME := librollcall.so.$(if $(filter 0.%,$(VERSION)),$(basename $(VERSION)),$(firstword \
	  $(subst ., ,$(VERSION))))

SIM_WRAPS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=memory_reserve

objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
LIBRARY_OBJECTS := $(call objects,$(patsubst %,src/%/*.c,base ring client tcp udp server))
PROGRAM_OBJECTS := $(call objects,src/service/*.c src/program/*.c)
SIM_KERNEL_OBJECTS := $(call objects,tests/lib/sim*.c)
TEST_LIB_OBJECTS := $(filter-out $(SIM_KERNEL_OBJECTS),$(call objects,tests/lib/*.c))
SIM_OBJECTS := $(SIM_KERNEL_OBJECTS) $(call objects,tests/sim/*.c)
FUZZ_OBJECTS := $(call objects,tests/fuzz/*.c)
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS := $(FUZZ_TARGETS:%=$(BUILD)/fuzz-%)
REPLAYS := $(FUZZ_TARGETS:%=$(BUILD)/replay-%)
BENCH_LIB_OBJECTS := $(call objects,bench/lib/*.c)
LOAD_OBJECTS := $(call objects,bench/load/*.c)
EPOLL_BARE_OBJECTS := $(call objects,bench/epoll-bare/*.c)
EPOLL_ROLLCALL_OBJECTS := $(call objects,bench/epoll-rollcall/*.c)
PEERS := libuv libevent go
PEERS_FOUND := $(shell for name in libuv libevent; do pkg-config --exists $$name && echo $$name; \
	done 2>/dev/null; command -v go >/dev/null && echo go)
PEERS_MISSING := $(filter-out $(PEERS_FOUND),$(PEERS))
TESTS := $(patsubst %.o,%,$(call objects,$(patsubst %,tests/%/test_*.c,unit contract kernels)))
SIM_TESTS := $(patsubst tests/contract/%.c,$(BUILD)/tests/contract-sim/%,$(filter-out \
	%/test_thread.c tests/contract/test_library%,$(wildcard tests/contract/test_*.c)))

# Quiet, unless V=1.
ifneq ($(V),1)
say = @printf '  %-7s %s\n' $(1) $(2);
endif

all: $(BUILD)/rollcall $(BUILD)/librollcall.a $(BUILD)/librollcall.so

run:
	@tests/install-packages build
	@$(MAKE) --no-print-directory all
	@exec $(BUILD)/rollcall $(ARGS)

test:
	@tests/install-packages build test
	@[ "$$(id -u)" != 0 ] || tests/install-packages image || :
	@$(if $(filter packaging,$(PARTS)),tests/install-packages packaging || :)
	@exec tests/run $(PARTS)

bench-tools: $(BUILD)/rollcall-load $(BUILD)/epoll-bare $(BUILD)/epoll-rollcall \
		$(BUILD)/uring-bare $(PEERS_FOUND:%=$(BUILD)/peer-%)
	$(if $(PEERS_MISSING),@echo 'not found here and so left out: $(PEERS_MISSING)')

# ARGS="--cells REGEX" and the like; bench/README.md tells more. What cannot be had is left out.
bench bench-full:
	@tests/install-packages build
	@tests/install-packages bench || :
	@[ $@ = bench ] || tests/install-packages peers || :
	@$(MAKE) --no-print-directory all bench-tools
	@exec bench/run --build $(BUILD) $(if $(filter %-full,$@),--full) $(ARGS)

# Measures known differences; its deterministic tests are a part of make test.
bench-test:
	@tests/install-packages build test
	@exec tests/run bench-measured

# As many idle clients as the limit of open files allows; ARGS=--emulate: a million, in qemu.
bench-idle:
	@tests/install-packages build
	@$(if $(findstring --emulate,$(ARGS)),tests/install-packages kernels || :)
	@$(MAKE) --no-print-directory $(BUILD)/rollcall $(BUILD)/rollcall-load $(BUILD)/epoll-bare
	@exec bench/idle --build $(BUILD) $(ARGS)

tests: $(TESTS) $(SIM_TESTS) $(BUILD)/rollcall-sim $(REPLAYS) $(BUILD)/epoll-rollcall \
		$(BUILD)/rollcall-load $(BUILD)/epoll-bare $(BUILD)/uring-bare $(BUILD)/faulty

# On and on, with seeds that were never run before.
soak: $(BUILD)/rollcall-sim
	@first=$$(date +%s)000000; while $(BUILD)/rollcall-sim --seeds $$first-$$((first + 9999)); do \
		first=$$((first + 10000)); done

# Each target for a while, from the corpus and earlier finds on. What fails is left in build/fuzz.
FUZZ_SECONDS ?= 60
fuzz:
	@tests/install-packages build fuzz
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
	@tests/install-packages build test
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

$(BUILD)/rollcall: $(PROGRAM_OBJECTS) $(BUILD)/librollcall.a
	$(call say,LINK,$@)$(LINK) -o $@ $^ $(LDLIBS)

# One object in which only the public names are left, so that no name inside meets one of a user's.
$(BUILD)/librollcall.a: $(LIBRARY_OBJECTS)
	$(call say,AR,$@)$(LINK_OBJECT) -o $(BUILD)/librollcall.o $^ && \
		$(OBJCOPY) --localize-hidden $(BUILD)/librollcall.o && \
		rm -f $@ && $(AR) rcs $@ $(BUILD)/librollcall.o

$(BUILD)/librollcall.so: $(BUILD)/$(SONAME)
	@ln -sf $(SONAME) $@

$(BUILD)/$(SONAME): $(BUILD)/librollcall.so.$(VERSION)
	@ln -sf librollcall.so.$(VERSION) $@

$(BUILD)/librollcall.so.$(VERSION): $(LIBRARY_OBJECTS) src/librollcall.map
	$(call say,LINK,$@)$(LINK) -shared -Wl,-soname,$(SONAME) -o $@ $(LIBRARY_OBJECTS) \
		-Wl,--version-script=src/librollcall.map $(LDLIBS)

# Tests see every module, and get from an archive only what they do not define themselves. They have
# the real ring; the simulator brings a simulated one.
$(BUILD)/objects.a: $(LIBRARY_OBJECTS) $(filter-out %/main.o,$(PROGRAM_OBJECTS))
$(BUILD)/tests/lib.a: $(TEST_LIB_OBJECTS)
$(BUILD)/objects.a $(BUILD)/tests/lib.a:
	$(call say,AR,$@)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^

# Wrapped calls must stay calls, with link-time optimization too.
$(BUILD)/src/base/memory.o: private COMPILE += -fno-lto
$(BUILD)/tests/unit/test_scripted_memory: private LINK += $(SIM_WRAPS)
$(TESTS): %: %.o $(BUILD)/objects.a $(BUILD)/tests/lib.a
	$(call say,LINK,$@)$(LINK) -o $@ $^ $(BUILD)/objects.a $(LDLIBS) -lcmocka

# Contract tests also run on the simulated ring.
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

# The benchmark's own programs, which know nothing of the library.
$(BUILD)/rollcall-load: $(LOAD_OBJECTS) $(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ -lm

$(BUILD)/epoll-bare: $(EPOLL_BARE_OBJECTS) $(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ -lm

$(BUILD)/uring-bare: $(BUILD)/bench/uring-bare/main.o $(BUILD)/bench/peers/peer.o \
		$(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ -lm $(LDLIBS)

# An echo server with faults of known size, for the tests of the benchmark.
$(BUILD)/faulty: $(BUILD)/tests/bench/faulty.o $(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ -lm

# The services, and of the library what is left without a ring, over epoll.
$(BUILD)/epoll-rollcall: $(EPOLL_ROLLCALL_OBJECTS) $(BUILD)/objects.a
	$(call say,LINK,$@)$(LINK) -o $@ $^

# Echo servers as people write them, where what they are built on is found.
$(BUILD)/peer-libuv $(BUILD)/peer-libevent: $(BUILD)/peer-%: $(BUILD)/bench/peers/%.o \
		$(BUILD)/bench/peers/peer.o $(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ $$(pkg-config --libs $*) -lm

$(BUILD)/peer-go: bench/peers/go/main.go
	$(call say,GO,$@)mkdir -p $(@D) && GOCACHE=$(abspath $(BUILD))/go GOTOOLCHAIN=local \
		go build -o $@ $<

$(BUILD)/tests/unit/test_histogram: $(BUILD)/bench/load/histogram.o
$(BUILD)/tests/unit/test_histogram: private LDLIBS += -lm

$(BUILD)/bench/%.o: private INCLUDES = -Ibench
$(BUILD)/bench/epoll-rollcall/%.o: private INCLUDES = -Iinclude -Isrc -Ibench
$(BUILD)/tests/unit/test_histogram.o: private INCLUDES += -Ibench
$(BUILD)/tests/%.o: private INCLUDES += -Itests
$(BUILD)/tests/bench/%.o: private INCLUDES = -Ibench

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)mkdir -p $(@D) && $(COMPILE) -c -o $@ $<

# Changed when the command is: then everything is compiled anew.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); echo '$(COMPILE) $(LINK) $(LDLIBS)' | cmp -s - $@ || \
		echo '$(COMPILE) $(LINK) $(LDLIBS)' >$@

UNITS := rollcall.socket rollcall-udp.socket rollcall.service

install: all
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR) $(INCLUDEDIR) $(PKGCONFIGDIR) $(UNITDIR))
	install -m 755 $(BUILD)/rollcall $(DESTDIR)$(BINDIR)/
	install -m 644 include/rollcall.h $(DESTDIR)$(INCLUDEDIR)/
	install -m 644 $(BUILD)/librollcall.a $(BUILD)/librollcall.so.$(VERSION) $(DESTDIR)$(LIBDIR)/
	ln -sf librollcall.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/librollcall.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' \
		src/rollcall.pc.in >$(DESTDIR)$(PKGCONFIGDIR)/rollcall.pc
	sed 's|@BINDIR@|$(BINDIR)|' src/program/rollcall.service.in >$(DESTDIR)$(UNITDIR)/rollcall.service
	install -m 644 src/program/rollcall.socket src/program/rollcall-udp.socket $(DESTDIR)$(UNITDIR)/
	[ -n "$(DESTDIR)" ] || ldconfig || :

# Directories that are common to all software stay. /etc/default/rollcall is the administrator's.
uninstall:
	[ -n "$(DESTDIR)" ] || systemctl disable --now $(UNITS) 2>/dev/null || :
	rm -f $(DESTDIR)$(BINDIR)/rollcall $(DESTDIR)$(INCLUDEDIR)/rollcall.h \
		$(DESTDIR)$(LIBDIR)/librollcall.* $(DESTDIR)$(PKGCONFIGDIR)/rollcall.pc \
		$(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS))
	rmdir --ignore-fail-on-non-empty $(addprefix $(DESTDIR),$(UNITDIR) $(dir $(UNITDIR)) \
		$(PKGCONFIGDIR)) 2>/dev/null || :
	[ -n "$(DESTDIR)" ] || ldconfig || :

format:
	@$(CLANG_FORMAT) -i include/*.h $(wildcard src/*/*.[ch] tests/*/*.[ch] bench/*/*.[ch])

clean:
	rm -rf $(BUILD)

help:
	@echo 'make            build the program and the libraries in $(BUILD)/'
	@echo 'make run        install what the build needs (Debian), build and start; ARGS="--help"'
	@echo 'make test       install what the tests need (Debian) and run them; PARTS="unit e2e"'
	@echo 'make soak       run the server on a simulated kernel until a seed fails'
	@echo 'make fuzz       make up inputs for FUZZ_SECONDS=$(FUZZ_SECONDS) a target; needs clang'
	@echo 'make test-kernels   test on other kernels of Debian, in qemu; KERNELS="6.1 newest"'
	@echo 'make image      build the Docker image $(IMAGE) (IMAGE=, BASE=); make image-test tests it'
	@echo 'make bench      compare with epoll in 4 minutes, make bench-full in 25; ARGS="--list"'
	@echo 'make bench-test     test that known differences are measured as what they are'
	@echo 'make bench-idle     hold idle clients: 20,000, or a million in qemu with ARGS=--emulate'
	@echo 'make bench-tools    build the load generator and the servers to compare with'
	@echo 'make coverage   print which lines and branches the tests do not reach'
	@echo 'make install    to PREFIX=$(PREFIX), under DESTDIR=; make uninstall'
	@echo 'make format     lay out all sources with $(CLANG_FORMAT)'
	@echo 'make clean      remove $(BUILD)/'
	@echo 'Variables: V=1 BUILD= CC= CFLAGS= SANITIZE=address,undefined HARDENING='

.PHONY: all run test tests bench bench-full bench-idle bench-test bench-tools soak fuzz fuzzers \
	coverage test-kernels image image-test install uninstall format clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:

-include $(patsubst %.o,%.d,$(LIBRARY_OBJECTS) $(PROGRAM_OBJECTS) $(TEST_LIB_OBJECTS) $(SIM_OBJECTS) \
	$(FUZZ_OBJECTS) $(LOAD_OBJECTS) $(EPOLL_BARE_OBJECTS) $(EPOLL_ROLLCALL_OBJECTS) \
	$(BENCH_LIB_OBJECTS) $(call objects,bench/uring-bare/*.c bench/peers/*.c tests/bench/*.c) \
	$(addsuffix .o,$(TESTS)))
