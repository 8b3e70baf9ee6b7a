# yaos: `make` builds everything under out/, `make qemu` boots it; `make help` lists the rest. Whatever is
# missing is set up first (build/setup.sh). The steps from kernel/ to out/yaos.img are in build/kernel.ts.

# The machine (build/qemu/options.ts says what each may be). DISK=none leaves the disk away. TIMEOUT passes as it is given.
DISK ?= out/usr.img
ACCEL ?= auto
MACHINE ?= pc
SMP ?= 2
MEM ?= 512M
BLK ?=
APPEND ?=
QEMUEXTRA ?=
GDBFLAGS ?=
export DISK ACCEL MACHINE SMP MEM BLK APPEND QEMUEXTRA GDBFLAGS

CC = gcc
CFLAGS = -std=gnu11 -O2 -Wall -Wextra
.DEFAULT_GOAL = all
.DELETE_ON_ERROR:
.PHONY: all help qemu qemu-kernel shell gdb profile trace listing watch test fuzz fuzz-drivers fuzz-wasm matrix cuts spec check bench clean FORCE

ARTEFACTS = out/kernel.wasm out/kernel.wasm.map out/kernel.o out/kernel.elf out/yaos.img
TOOLCHAIN = $(shell find build -name '*.ts')
MODEL = $(shell find machine -name '*.ts')
KERNEL = $(shell find kernel asm boot -type f)
HOSTED = $(if $(filter Linux x86_64,$(shell uname -sm)),out/libyaosrt.a)
NODE_MODULES = node_modules/.package-lock.json

# What has to be installed for the goals asked for, and is not.
RUNS = $(filter qemu qemu-kernel gdb profile trace watch test matrix cuts bench,$(MAKECMDGOALS))
NEEDS = npm as $(if $(HOSTED),gcc) $(if $(RUNS),qemu) $(if $(filter test matrix cuts,$(RUNS)),qemu-img) $(if $(filter test gdb,$(RUNS)),gdb)
ifneq ($(MAKECMDGOALS),clean)
MISSING := $(shell sh build/setup.sh missing $(NEEDS))
endif
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
SETUP = $(if $(MISSING),setup)
.PHONY: setup
setup:
	@sh build/setup.sh install $(MISSING)

# A file that went away makes the old list differ.
SOURCES := $(sort $(TOOLCHAIN) $(KERNEL))
ifneq ($(SOURCES),$(shell cat out/.sources 2>/dev/null))
CHANGED = FORCE
endif

all: $(ARTEFACTS) $(HOSTED) out/kernel.machine.wasm

help:
	@echo 'make              build everything under out/'
	@echo 'make qemu         boot out/yaos.img from disk; qemu-kernel: out/kernel.elf with -kernel'
	@echo '                  DISK=FILE ACCEL=auto|kvm|tcg MACHINE=pc|q35|microvm SMP=N MEM=512M TIMEOUT=SECONDS'
	@echo '                  BLK=prop=value,... APPEND="word=value ..." QEMUEXTRA="..."'
	@echo 'make shell        the kernel'\''s monitor: type help'
	@echo 'make gdb          boot paused and attach gdb with the symbols of the kernel (GDBFLAGS=...)'
	@echo 'make profile      sample the running kernel: out/profile.html, a flame graph, and a file for speedscope'
	@echo 'make trace        record what happens on each CPU and in the boot, for Perfetto: out/trace.json'
	@echo 'make listing      a page with TypeScript, WebAssembly and machine code side by side: out/listing.html'
	@echo 'make watch        build, not optimised, and boot again after each change of a source'
	@echo 'make test         run every test; check: type-check, lint, and what is proved of stacks and interrupts'
	@echo 'make fuzz         random programs against Node'"'"'s engine: N=10000 of them, from SEED=... on (QUICK=1)'
	@echo 'make fuzz-drivers the kernel'"'"'s drivers against hostile devices: N=10000 runs, from SEED=... on'
	@echo 'make matrix       boot every configuration of QEMU, JOBS=n at once (FILTER=TEXT, SEED=...)'
	@echo 'make spec         the official WebAssembly test suite, of which wast2json made WASM_TESTSUITE=DIR'
	@echo 'make cuts         N=1000 power cuts while records are written, from SEED=... on: what was flushed must be there'
	@echo 'make fuzz-wasm    damaged and hostile WebAssembly files against yaos compile, for SECONDS=600, from SEED=... on'
	@echo 'make bench        the kernel'\''s figures, and a suite of programs against other compilers (FILTER=TEXT, ABLATE=1)'
	@echo 'make clean        remove out/'

$(NODE_MODULES): package-lock.json | $(SETUP)
	@sh build/setup.sh npm

# The toolchain, as JavaScript in out/build, and its launcher. A stamp's time is that of its recipe's start, so
# that a source which changes meanwhile, or in the same tick of the clock as the end, is newer.
out/build/.stamp: $(TOOLCHAIN) build/tsconfig.json $(NODE_MODULES)
	@mkdir -p $(@D) && touch $@.new
	node_modules/.bin/tsc -p build
	node_modules/.bin/tsc -p build/profile/page
	@mv $@.new $@

# All of it in one file, which loads in a fraction of the time (build/launch.ts).
out/yaos: out/build/.stamp
	@node_modules/.bin/rolldown out/build/cli.js --platform node --format cjs --no-codeSplitting \
		--file out/yaos.cjs >/dev/null
	@printf '#!/usr/bin/env node\nimport("./build/launch.js");\n' >$@
	@chmod +x $@

out/.kernel: out/yaos $(KERNEL) package.json $(CHANGED) $(if $(filter-out $(wildcard $(ARTEFACTS)),$(ARTEFACTS)),FORCE) | $(SETUP)
	@touch $@.new
	out/yaos build
	@echo '$(SOURCES)' >out/.sources
	@mv $@.new $@

$(ARTEFACTS): out/.kernel ;

# The machine in Node, as JavaScript in out/machine, and the kernel made ready for it.
out/machine/.stamp: $(MODEL) machine/tsconfig.json build/tsconfig.json $(NODE_MODULES)
	@mkdir -p $(@D) && touch $@.new
	node_modules/.bin/tsc -p machine
	@mv $@.new $@

out/kernel.machine.wasm: out/.kernel out/machine/.stamp
	node out/machine/kernel/prepare.js out/kernel.wasm
	@touch $@

# The runtime that hosted programs are linked with.
RUNTIME = $(patsubst runtime/%.c,out/runtime/%.o,$(wildcard runtime/*.c))

out/runtime/%.o: runtime/%.c $(wildcard runtime/*.h) | $(SETUP)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

out/libyaosrt.a: $(RUNTIME)
	@mkdir -p out
	@rm -f $@
	ar rcs $@ $^

qemu: $(ARTEFACTS) $(HOSTED)
	@out/yaos run

qemu-kernel: $(ARTEFACTS) $(HOSTED)
	@out/yaos run --kernel

shell: $(ARTEFACTS) $(HOSTED)
	@out/yaos run --shell $(DIRECT)

gdb: $(ARTEFACTS) $(HOSTED)
	@out/yaos run --gdb $(DIRECT)

# With what has been sampled of this very kernel.
PROFILE = $(shell [ out/profile.json -nt out/kernel.elf ] && echo out/profile.json)

listing: $(ARTEFACTS) $(HOSTED)
	@out/yaos listing out/kernel.wasm --memory fixed $(if $(PROFILE),--profile $(PROFILE) --linked out/kernel.elf) -o out/listing.html
	@echo 'listing: out/listing.html'

watch: out/yaos | $(SETUP)
	@exec out/yaos watch $(DIRECT)

# microvm has no firmware that boots from a disk.
DIRECT = $(if $(filter microvm%,$(MACHINE)),--kernel)

profile: $(ARTEFACTS) $(HOSTED)
	@out/yaos run --profile $(DIRECT)

trace: $(ARTEFACTS) $(HOSTED)
	@out/yaos run --trace $(DIRECT)

check: $(NODE_MODULES) out/.kernel
	node_modules/.bin/tsc -p build --noEmit
	node_modules/.bin/tsc -p build/profile/page --noEmit
	node_modules/.bin/tsc -p machine --noEmit
	node_modules/.bin/tsc -p tests
	node_modules/.bin/tsc -p kernel
	node_modules/.bin/tsc -p bench
	node_modules/.bin/biome check --error-on-warnings .
	@sed '/^Chains in full/,$$d' out/proofs.txt; echo 'All functions of the chains, with their frames: out/proofs.txt'

test: all check
	node_modules/.bin/vitest run

# Another seed each time, which is printed.
N ?= $(if $(filter cuts,$(MAKECMDGOALS)),1000,10000)
QUICK ?=
SEED ?= $(shell date +%s)
fuzz fuzz-drivers cuts: export N := $(N)
fuzz fuzz-drivers cuts matrix: export SEED := $(SEED)
fuzz: all
	node_modules/.bin/vitest run --disable-console-intercept --reporter=dot --bail=1 tests/fuzz/fuzz.test.ts

fuzz-drivers: all
	node_modules/.bin/vitest run --disable-console-intercept --reporter=dot --bail=1 tests/machine/hostile/fuzz.test.ts

matrix: all
	@node out/build/matrix/main.js

# WASM_TESTSUITE=DIR: what wast2json made of the official test suite.
spec: all
	@[ -n "$(WASM_TESTSUITE)" ] || { echo 'spec: set WASM_TESTSUITE to the folder with the JSON files that wast2json made of the official test suite' >&2; exit 1; }
	WASM_TESTSUITE='$(WASM_TESTSUITE)' node_modules/.bin/vitest run --disable-console-intercept --reporter=dot tests/spec/suite.test.ts

cuts: all
	node_modules/.bin/vitest run --disable-console-intercept --reporter=dot --bail=1 tests/qemu/cuts.test.ts

# MODULES: a folder of more modules to damage.
SECONDS ?= 600
fuzz-wasm: export SECONDS := $(SECONDS)
fuzz-wasm: export SEED := $(SEED)
fuzz-wasm: all
	node_modules/.bin/vitest run --disable-console-intercept --reporter=dot tests/hostile/compile.test.ts

# What is no number would have a campaign do nothing, and pass.
ifneq ($(filter fuzz fuzz-drivers fuzz-wasm cuts,$(MAKECMDGOALS)),)
$(foreach name,N SECONDS,$(if $(shell echo '$($(name))' | grep -xE '[1-9][0-9]{0,8}'),,$(error $(name)=$($(name)): give a number from 1 on)))
$(if $(shell echo '$(SEED)' | grep -xE '[0-9]{1,12}'),,$(error SEED=$(SEED): give a number))
endif

bench: all
	@node out/build/bench/main.js

clean:
	rm -rf out
