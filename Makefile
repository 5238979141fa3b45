# squall: one Makefile, no recursion, out of tree. `make help` lists the targets.
# SPDX-License-Identifier: GPL-3.0-or-later
-include config.mk
# Else make takes a .d file that it includes for a program, and links it.
MAKEFLAGS += --no-builtin-rules

MODE ?= release
BUILD ?= build
CC ?= cc
PREFIX ?= /usr/local
OUT := $(BUILD)/$(MODE)
SQUALL := $(OUT)/squall
Q := $(if $(V),,@)

PACKAGES := gcc make pkg-config libc6-dev libyaml-dev libgsl-dev libsqlite3-dev gnuplot-nox libcunit1-dev libraft-dev \
  libxxhash-dev
PACKAGES_CHECK := clang libclang-rt-14-dev sqlite3 python3

HAVE_RAFT := $(shell pkg-config --exists raft 2>/dev/null && echo yes)
RAFT_VERSION := $(if $(HAVE_RAFT),$(shell pkg-config --modversion raft),)
GIT_COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null)

STRICT := -std=c17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
  -Wvla -Wcast-qual -Wundef -Wformat=2 $(if $(WERROR),-Werror)
MODE_release := -O2
MODE_debug := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
MODE_plain := -O0
CFLAGS_ALL := $(STRICT) -g -D_GNU_SOURCE= -ffp-contract=off -fvisibility=hidden -ffile-prefix-map=$(CURDIR)/= \
  $(MODE_$(MODE)) $(CFLAGS) -MMD -MP
INCLUDE_ENGINE := -iquote . -Isim/include
INCLUDE_MODELS := -Isim/include
LIBS := -lyaml -lgsl -lgslcblas -lsqlite3 -lxxhash -ldl -lm $(if $(HAVE_RAFT),-lraft)
DEFINES_MODELS := $(if $(HAVE_RAFT),-DHAVE_RAFT -DRAFT_VERSION='"$(RAFT_VERSION)"')
DEFINES_CLI := -DSQUALL_COMMIT='"$(GIT_COMMIT)"' -DSQUALL_FLAGS='"$(MODE_$(MODE))"'

ENGINE_SOURCES := $(sort $(wildcard sim/*.c sim/base/*.c sim/input/*.c analysis/*.c reports/*.c))
CLI_SOURCES := $(sort $(wildcard sim/cli/*.c))
MODEL_SOURCES := $(sort $(filter-out models/example/% models/raft/%,$(wildcard models/*.c models/*/*.c)) \
  $(if $(HAVE_RAFT),$(wildcard models/raft/*.c)))
UNIT_SOURCES := $(sort $(wildcard tests/unit/*.c))
BENCH_SOURCES := $(sort $(wildcard tests/bench/*.c))
UNIT_SOURCES := $(if $(HAVE_RAFT),$(UNIT_SOURCES),$(filter-out tests/unit/test_raft%,$(UNIT_SOURCES)))

OBJECTS = $(patsubst %.c,$(OUT)/%.o,$(1))
LIBRARY := $(call OBJECTS,$(ENGINE_SOURCES) $(MODEL_SOURCES))
MAIN := $(call OBJECTS,$(CLI_SOURCES))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: help deps deps-check all demo check unit tidy golden bugs planted bench bench-peers replay format fuzz soak \
  install uninstall clean

all: $(SQUALL) $(OUT)/mine.so ## build the release binary (MODE=debug: with sanitizers)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install the Debian packages that building and running need
	$(Q)tests/deps.sh $(PACKAGES)

deps-check: deps
	$(Q)tests/deps.sh $(PACKAGES_CHECK)

$(OUT)/models/%.o: models/%.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC $<")
	$(Q)$(CC) $(CFLAGS_ALL) $(INCLUDE_MODELS) $(DEFINES_MODELS) -c -o $@ $<

$(OUT)/sim/cli/%.o: sim/cli/%.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC $<")
	$(Q)$(CC) $(CFLAGS_ALL) $(INCLUDE_ENGINE) $(DEFINES_CLI) -c -o $@ $<

$(OUT)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC $<")
	$(Q)$(CC) $(CFLAGS_ALL) $(INCLUDE_ENGINE) $(DEFINES_MODELS) -c -o $@ $<

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC $<")
	$(Q)$(CC) $(CFLAGS_ALL) $(INCLUDE_ENGINE) -c -o $@ $<

$(SQUALL): $(MAIN) $(LIBRARY)
	$(if $(Q),@echo "  LD $@")
	$(Q)$(CC) $(MODE_$(MODE)) -rdynamic -o $@ $^ $(LDFLAGS) $(LIBS)

$(OUT)/unit: $(call OBJECTS,$(UNIT_SOURCES)) $(LIBRARY)
	$(if $(Q),@echo "  LD $@")
	$(Q)$(CC) $(MODE_$(MODE)) -rdynamic -o $@ $^ $(LDFLAGS) $(LIBS) -lcunit

$(OUT)/bench: $(call OBJECTS,$(BENCH_SOURCES) sim/cli/common.c sim/cli/runner.c) $(LIBRARY)
	$(if $(Q),@echo "  LD $@")
	$(Q)$(CC) $(MODE_$(MODE)) -rdynamic -o $@ $^ $(LDFLAGS) $(LIBS)

$(OUT)/fuzz: $(OUT)/tests/fuzz/fuzz_scenario.o $(LIBRARY)
	$(if $(Q),@echo "  LD $@")
	$(Q)$(CC) $(MODE_$(MODE)) -rdynamic -o $@ $^ $(LDFLAGS) $(LIBS)

$(OUT)/mine.so: models/example/echo.c sim/include/squall.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(STRICT) -O2 -fPIC -shared -Isim/include -o $@ $<

# The models once more, as plug-ins that bugs can be planted in (tests/bugs).
PLANTED_NAMES := sqlite-single primary-backup quorum $(if $(HAVE_RAFT),raft raft-sqlite)
PLANTED_OBJECTS := $(patsubst %.c,$(OUT)/planted/%.o,$(filter-out models/models.c,$(MODEL_SOURCES)))
PLANTED_FLAGS := -fPIC $(INCLUDE_MODELS) -Itests/bugs $(DEFINES_MODELS) -include plants.h
PLUGINS := $(patsubst %,$(OUT)/planted-%.so,$(PLANTED_NAMES))

$(OUT)/planted/models/%.o: models/%.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC $< (planted)")
	$(Q)$(CC) $(CFLAGS_ALL) $(PLANTED_FLAGS) -c -o $@ $<

$(OUT)/planted/%.o: tests/bugs/plugin.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(PLANTED_FLAGS) -DPLANTED_MODEL=model_$(subst -,_,$*) -c -o $@ $<

$(OUT)/planted-%.so: $(OUT)/planted/%.o $(PLANTED_OBJECTS)
	$(if $(Q),@echo "  LD $@")
	$(Q)$(CC) $(MODE_$(MODE)) -shared -o $@ $^ $(LDFLAGS) -lsqlite3 $(if $(HAVE_RAFT),-lraft)

planted: $(PLUGINS)

bugs: $(SQUALL) ## plant bugs and see each one found by the check that is there for it
	$(Q)tests/bugs/bugs.sh $(SQUALL)

demo: deps ## install what is missing, build, run the flagship scenarios, write a report
	$(Q)$(MAKE) --no-print-directory -j2 all
	$(Q)tests/demo.sh $(SQUALL)

check: deps-check ## install what is missing, build and run every test
	$(Q)tests/check.sh

unit: $(OUT)/unit ## run the unit tests (T=module or T=module.name)
	$(Q)$(OUT)/unit $(T)

tidy: ## layers, banned symbols, line and function length
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/tidy/tidy.sh $(OUT)

golden: $(SQUALL) ## record the golden digests anew (review the difference!)
	$(Q)tests/golden/golden.sh record $(SQUALL)

bench: $(OUT)/bench $(SQUALL) ## measure (B=name for one)
	$(Q)$(OUT)/bench $(B)

bench-peers: $(OUT)/bench ## the same PHOLD on ns-3, SimGrid and SimPy, side by side
	$(Q)tests/bench/peers.sh $(OUT)/bench

replay: $(SQUALL) ## replay the golden seeds and compare digests
	$(Q)tests/golden/golden.sh check $(SQUALL)

fuzz: $(OUT)/fuzz ## mutate scenarios at the parser (N=iterations)
	$(Q)$(OUT)/fuzz $(or $(N),20000) 1 scenarios

soak: $(SQUALL) $(OUT)/bench ## longer campaigns: a thousand seeds of leader-crash and the real defects
	$(Q)tests/soak.sh $(SQUALL)

format: ## reformat all sources
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

install: $(SQUALL) ## install into PREFIX (DESTDIR is honoured)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/squall $(DESTDIR)$(PREFIX)/share/squall
	install -m 755 $(SQUALL) $(DESTDIR)$(PREFIX)/bin/squall
	install -m 644 sim/include/squall.h sim/include/squall_check.h $(DESTDIR)$(PREFIX)/include/squall
	cp -R scenarios $(DESTDIR)$(PREFIX)/share/squall/

uninstall: ## remove what install put there
	rm -rf $(DESTDIR)$(PREFIX)/bin/squall $(DESTDIR)$(PREFIX)/include/squall $(DESTDIR)$(PREFIX)/share/squall

clean: ## remove everything built
	rm -rf $(BUILD)

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
