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

include src/toolchain.mk

WARNINGS := -Wall -Wextra -Wshadow -Wconversion
SANITIZER := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	     -fno-omit-frame-pointer)
INCLUDES = -Iinclude -Isrc
COMPILE = $(CC) -std=gnu11 -D_GNU_SOURCE= $(WARNINGS) -fPIC -fvisibility=hidden $(SANITIZER) \
	  $(HARDENING) $(INCLUDES) -MMD -MP $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(SANITIZER) $(HARDENING_LINK) $(CFLAGS) $(LDFLAGS)
VERSION := $(shell sed -n 's/^.define ROLLCALL_VERSION "\(.*\)"/\1/p' include/rollcall.h)
# Before 1.0 a minor version may break the ABI, so the soname has it too (include/rollcall.h).
SONAME := librollcall.so.$(if $(filter 0.%,$(VERSION)),$(basename $(VERSION)),$(firstword \
	  $(subst ., ,$(VERSION))))

objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
LIBRARY_OBJECTS := $(call objects,$(patsubst %,src/%/*.c,base ring client tcp udp server))
PROGRAM_OBJECTS := $(call objects,src/service/*.c src/program/*.c)
# Quiet, unless V=1.
ifneq ($(V),1)
say = @printf '  %-7s %s\n' $(1) $(2);
endif

all: $(BUILD)/rollcall $(BUILD)/librollcall.a $(BUILD)/librollcall.so

# Installs with apt-get what building needs, and the parts of the tests named in PARTS.
deps:
	@tests/install-packages build $(PARTS)

run:
	@tests/install-packages build
	@$(MAKE) --no-print-directory all
	@exec $(BUILD)/rollcall $(ARGS)

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

# For tests and the benchmark, which see every module and take what they do not define themselves.
$(BUILD)/objects.a: $(LIBRARY_OBJECTS) $(filter-out %/main.o,$(PROGRAM_OBJECTS))
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)mkdir -p $(@D) && $(COMPILE) -c -o $@ $<

# Changes when the command does: then everything is compiled again.
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
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' \
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

clean:
	rm -rf $(BUILD)

help:
	@echo 'make            build the program and the libraries in $(BUILD)/'
	@echo 'make run        install what the build needs (Debian), build and start; ARGS="--help"'
	@echo 'make deps       install what the build needs; PARTS="unit e2e" what these need too'
	@echo 'make test       install what the tests need (Debian) and run them; PARTS="unit e2e"'
	@echo 'make soak       run the server on a simulated kernel until a seed fails'
	@echo 'make fuzz       make up inputs for FUZZ_SECONDS=$(FUZZ_SECONDS) a target; needs clang'
	@echo 'make test-kernels   test on other kernels of Debian, in qemu; KERNELS="6.1 newest"'
	@echo 'make image      build the Docker image $(IMAGE) (IMAGE=, BASE=); make image-test tests it'
	@echo 'make bench      compare with epoll in 4 minutes, make bench-full in 25; ARGS="--list"'
	@echo 'make bench-test     test that known differences are measured as what they are'
	@echo 'make bench-idle     hold idle clients: 20,000, or a million in qemu with ARGS=--emulate'
	@echo 'make bench-crowds   measure a steady client beside crowds of others, in 6 minutes'
	@echo 'make bench-tools    build the load generator and the servers to compare with'
	@echo 'make coverage   print which lines and branches the tests do not reach'
	@echo 'make install    to PREFIX=$(PREFIX), under DESTDIR=; make uninstall'
	@echo 'make format     lay out all sources with $(CLANG_FORMAT)'
	@echo 'make clean      remove $(BUILD)/'
	@echo 'Variables: V=1 BUILD= CC= CFLAGS= SANITIZE=address,undefined HARDENING='

.PHONY: all deps run install uninstall clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:

-include $(wildcard $(patsubst %,$(BUILD)/%/*.d,src/* tests/* bench/* bench/*/*))

# Not in a tree that only builds, such as that of the image.
-include bench/bench.mk tests/tests.mk
