# SPDX-License-Identifier: MIT
#
# What depends on the compiler: tools of its version, options for hardening, and how the objects of
# the static library are linked.

OBJCOPY ?= $(shell $(CC) -print-prog-name=objcopy)
ifeq ($(origin AR),default)
AR = $(shell $(CC) -print-prog-name=ar)
endif

# supported(OPTION...): those of them that the compiler has.
supported = $(foreach option,$(1),$(shell $(CC) $(CFLAGS) $(option) -Wno-error -c -x c \
	    /dev/null -o /dev/null 2>/dev/null && echo ' $(option)'))

# HARDENING= turns it off. _FORTIFY_SOURCE needs optimization and hides calls from sanitizers; one
# that the compiler or a distribution defines stays.
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

# With LTO the machine code is made here: in LTO's own form no name can be hidden from others.
# Groups of sections end here too: one of i386's would be in other objects too, and ours be
# discarded.
LINK_OBJECT = $(CC) $(CFLAGS) -r -nostdlib -Wl,--force-group-allocation \
	      $(call supported,-flinker-output=nolto-rel)
