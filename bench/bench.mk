# SPDX-License-Identifier: MIT
#
# The benchmark: the load generator, the servers that are compared, and the runs. bench/README.md
# tells how to read them.

BENCH_LIB_OBJECTS := $(call objects,bench/lib/*.c)
LOAD_OBJECTS := $(call objects,bench/load/*.c)
CROWD_OBJECTS := $(call objects,bench/crowd/*.c)
EPOLL_BARE_OBJECTS := $(call objects,bench/epoll-bare/*.c)
PEERS := libuv libevent go
PEERS_FOUND := $(shell for name in libuv libevent; do pkg-config --exists $$name && echo $$name; \
	done 2>/dev/null; command -v go >/dev/null && echo go; :)
PEERS_MISSING := $(filter-out $(PEERS_FOUND),$(PEERS))

bench-tools: $(BUILD)/rollcall-load $(BUILD)/rollcall-crowd $(BUILD)/epoll-bare \
		$(BUILD)/uring-bare $(PEERS_FOUND:%=$(BUILD)/peer-%)
	$(if $(PEERS_MISSING),@echo 'not found here and so left out: $(PEERS_MISSING)')

# ARGS="--cells REGEX" and the like; bench/README.md tells more. What cannot be had is left out.
bench bench-full:
	@tests/install-packages build
	@tests/install-packages benchmark || :
	@[ $@ = bench ] || tests/install-packages peers || :
	@$(MAKE) --no-print-directory all bench-tools
	@exec bench/run --build $(BUILD) $(if $(filter %-full,$@),--full) $(ARGS)

# Measures known differences; its deterministic tests are a part of make test.
bench-test:
	@tests/install-packages build bench-measured
	@exec tests/run bench-measured

# As many idle clients as the limit of open files allows; ARGS=--emulate: a million, in qemu.
bench-idle:
	@tests/install-packages build
	@$(if $(findstring --emulate,$(ARGS)),tests/install-packages kernels || :)
	@$(MAKE) --no-print-directory $(BUILD)/rollcall $(BUILD)/rollcall-load $(BUILD)/epoll-bare
	@exec bench/idle --build $(BUILD) $(ARGS)

# A steady client beside crowds of others.
bench-crowds:
	@tests/install-packages build
	@tests/install-packages crowds || :
	@$(MAKE) --no-print-directory all bench-tools
	@exec bench/crowds --build $(BUILD) $(ARGS)

# The benchmark's own programs, which know nothing of the library.
$(BUILD)/rollcall-load: $(LOAD_OBJECTS) $(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ -lm

$(BUILD)/rollcall-crowd: $(CROWD_OBJECTS) $(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ -lm

$(BUILD)/epoll-bare: $(EPOLL_BARE_OBJECTS) $(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ -lm

$(BUILD)/uring-bare: $(BUILD)/bench/uring-bare/main.o $(BUILD)/bench/peers/peer.o \
		$(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ -lm $(LDLIBS)

# Echo servers as people write them, where what they are built on is found.
$(BUILD)/peer-libuv $(BUILD)/peer-libevent: $(BUILD)/peer-%: $(BUILD)/bench/peers/%.o \
		$(BUILD)/bench/peers/peer.o $(BENCH_LIB_OBJECTS)
	$(call say,LINK,$@)$(LINK) -o $@ $^ $$(pkg-config --libs $*) -lm

$(BUILD)/peer-go: bench/peers/go/main.go
	$(call say,GO,$@)mkdir -p $(@D) && GOCACHE=$(abspath $(BUILD))/go GOTOOLCHAIN=local \
		go build -o $@ $<

$(BUILD)/bench/%.o: private INCLUDES = -Ibench

.PHONY: bench bench-crowds bench-full bench-idle bench-test bench-tools
