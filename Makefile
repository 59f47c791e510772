# SPDX-License-Identifier: GPL-2.0
#
# XenVMC. "make help" names the targets.

BUILD := $(abspath $(or $(XENVMC_BUILD),build))
export XENVMC_BUILD := $(BUILD)
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr
DESTDIR ?=
SUITES ?=

# Kbuild writes beside its sources: they are copied first, for each kernel
RELEASE = $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
MODULES = $(BUILD)/modules/$(or $(RELEASE),$(error \
	no kernel headers in $(KDIR): install them or say KDIR=))
PACKAGES := $(wildcard selftests/host-packages selftests/*/host-packages \
	userspace/host-packages userspace/*/host-packages)

all: modules tools

help:
	@sed -n 's/^#= \?//p' $(firstword $(MAKEFILE_LIST))

#= make demo       boot Xen and two guests here, compare TCP with XenVMC
#= make test       all tests, in Xen too (SUITES="NAME...": only those)
#= make test-matrix the tests in Xen, on each kernel and Xen that we know
#= make test-debug the tests without Xen, on a kernel with sanitizers
#= make test-debug-kernels the same on Linux 6.1 and on the newest
#= make test-debug-xen the tests in Xen, in guests with sanitizers (2 hours)
#= make test-migrate guests are saved, restored and migrated while bytes flow
#= make test-faults every call that can fail does, in turn, in Xen too (2 hours)
#= make test-applications Debian's programs, hook off and on (an hour)
#= make soak       random calls on sockets until SECONDS have passed, or for ever
#= make soak-hostile a lying peer until SECONDS have passed, or for ever
#= make soak-migrate random suspends until SECONDS have passed, or for ever
#= make soak-leaks modules load and unload 100 times, 10,000 connections
#= make check      rules of the source only, the kernel's checkpatch, pylint
#= make unit       tests of the portable core only
#= make fuzz       fuzz the decoders for longer (SECONDS_EACH=600)
#= make bench      what a byte costs, on each way between two programs
#= make bench-smp  the same on two processors, also by the clock
#= make bench-tax  what connections that cannot move pay for the modules
#= make bench-migrate what a guest's absence costs its connections
#= make bench-check only what the stored baseline has: is anything slower?
#= make bench-core the ring against pipe and AF_UNIX, natively
#= make modules    xenvmc.ko, xenvmc_inet.ko, xenvmc_tap.ko for KDIR (this kernel)
#= make modules-all they build for all kernels that we know, without a warning
#= make tools      xenvmc and xenvmcd
#= make install    install-modules, -tools and -headers (DESTDIR= PREFIX=)
#= make clean      remove build/
#=
#= SUITES= is for all test-... of several suites, too. make packages: Debian's
#= packages that demo and test need, which install them, by sudo if need be.
#= Everything else goes to build/ and to XENVMC_CACHE (~/.cache/xenvmc).

packages:
	@selftests/install-packages $(PACKAGES)

demo: packages
	@selftests/demo/demo.py

test: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/run $(SUITES)

test-matrix: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/run \
		-f selftests/guests/matrix $(SUITES)

test-debug: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/run debug

test-debug-kernels: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/run \
		-f selftests/debug/kernels $(SUITES)

test-debug-xen: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/run \
		-f selftests/guests/debug $(SUITES)

test-migrate: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/run \
		-f selftests/guests/migration $(SUITES)

test-faults: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/run \
		-f selftests/faults/suites $(SUITES)

test-applications: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/applications/applications.py

# Half an hour: what is left each time is told from what is there for later
soak-leaks: packages
	@unset MAKEFLAGS MAKELEVEL; \
	export XENVMC_TEST_CYCLES=100 XENVMC_TEST_CHURN=10000 && \
	selftests/xen/lab --name leaks build && \
	selftests/xen/lab --name leaks run --fresh --guests 3 \
		selftests/guests/trouble.py test_04_modules_go_and_come \
		test_09_many_connections_leave_nothing \
		test_99_nothing_is_left

soak: packages
	@XENVMC_SOAK=$(or $(SECONDS),0) selftests/debug/debug.py soak

soak-hostile: packages
	@XENVMC_SOAK=$(or $(SECONDS),0) selftests/debug/debug.py soak-hostile

soak-migrate: packages
	@unset MAKEFLAGS MAKELEVEL; \
	export XENVMC_TEST_CYCLES=0 XENVMC_SOAK=$(or $(SECONDS),0) && \
	selftests/xen/lab --name migrate build && \
	selftests/xen/lab --name migrate run --fresh selftests/guests/cycles.py

bench: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/bench/bench.py

bench-smp: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/bench/bench.py --smp

bench-tax: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/bench/bench.py --tax

bench-migrate: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/bench/bench.py --migrate

bench-check: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/bench/bench.py --check

check: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/run check checkpatch names

unit: packages
	@unset MAKEFLAGS MAKELEVEL; exec selftests/run unit

fuzz bench-core: packages
	$(MAKE) -C selftests/unit $@ O=$(BUILD)/unit

modules:
	@mkdir -p $(MODULES)/net
	@cp -ru include $(MODULES)/
	@cp -ru net/xenvmc $(MODULES)/net/
	$(MAKE) -C $(KDIR) M=$(MODULES)/net/xenvmc modules

modules-all: packages
	@selftests/check/modules.py

tools:
	$(MAKE) -C userspace O=$(BUILD)/userspace PREFIX=$(PREFIX) all

install: install-modules install-tools install-headers

# Not signed, nor compressed: keys and programs for that may not be there. Kbuild
# skips depmod where only a kernel's headers are
install-modules: modules
	$(MAKE) -C $(KDIR) M=$(MODULES)/net/xenvmc INSTALL_MOD_PATH=$(DESTDIR) \
		CONFIG_MODULE_SIG_ALL= CONFIG_MODULE_COMPRESS_GZIP= \
		CONFIG_MODULE_COMPRESS_XZ= CONFIG_MODULE_COMPRESS_ZSTD= \
		modules_install
	$(if $(DESTDIR),,PATH="$$PATH:/usr/sbin:/sbin" depmod -a $(RELEASE))

install-tools: tools
	$(MAKE) -C userspace O=$(BUILD)/userspace PREFIX=$(PREFIX) \
		DESTDIR=$(DESTDIR) install

install-headers:
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/linux \
		include/uapi/linux/xenvmc.h include/uapi/linux/xenvmc_netlink.h

clean:
	rm -rf $(BUILD)

.PHONY: all help packages demo test test-matrix test-debug test-debug-kernels \
	test-debug-xen test-migrate test-faults test-applications soak \
	soak-hostile soak-leaks soak-migrate bench bench-smp bench-tax \
	bench-migrate bench-check check unit fuzz bench-core modules modules-all \
	tools install install-modules install-tools install-headers clean
