# dnsguard: one Makefile, everything it makes lands in build/.
#
# Sources are found by wildcards, so a new file needs no line here. `make help` prints the targets from the
# lines below that carry two hashes. Settings: V=1 (show commands), SAN=address,undefined (sanitizers, own
# build directory), CC=clang, BPF_CLANG=clang-14|clang-19, WERROR= (warnings stay warnings), DESTDIR, PREFIX.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/dnsguard
SYSCONFDIR ?= /etc
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/dnsguard
UNITDIR ?= $(PREFIX)/lib/systemd/system
ZSHDIR ?= $(PREFIX)/share/zsh/vendor-completions
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

BUILD ?= build$(if $(SAN),/san)
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
# The newer one makes the faster walk; the oldest that is supported is 14.
BPF_CLANG ?= $(if $(shell which clang-19 2>/dev/null),clang-19,clang)
FUZZ_CC ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PYTHON ?= /usr/bin/python3
# What tests/kernels takes into its guests is built with each of these, in a build directory of its own.
BPF_CLANGS := clang-14 clang-19

# ---- how things are said and compiled -----------------------------------------------------------

# $(call run,WORD) opens a recipe line: quiet it prints "  WORD target", with V=1 make shows the command.
run = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' $(1) $(@:$(CURDIR)/%=%) &&) mkdir -p $(@D) &&

# A tag, else the version under way (the first in the changelog) and the commit. Unpacked from an archive, the commit stands
# in a file that git filled in; whatever repository it lies in is somebody else's.
VERSION := $(or $(if $(wildcard .git),$(shell git describe --tags --dirty 2>/dev/null)),$(shell \
	sed -nE '/^## ([0-9.]+).*/{s//\1/p;q}' CHANGELOG.md)$(addprefix +g,$(if $(wildcard .git),$(shell \
	git describe --always --dirty --exclude '*' 2>/dev/null),$(shell grep -xE '[0-9a-f]+' deploy/commit))))
LIBRARIES := libbpf libelf zlib libuv libmicrohttpd yaml-0.1 jansson libmnl libcap-ng nettle libknot libdnssec libzscanner sqlite3
LIBRARY_CFLAGS := $(shell pkg-config --cflags $(LIBRARIES) 2>/dev/null)
LIBRARY_LIBS := $(shell for l in $(LIBRARIES); do pkg-config --libs $$l 2>/dev/null; done)
# What only the daemon is linked with.
DAEMON_LIBS := $(shell pkg-config --libs gnutls 2>/dev/null) -lcrypt
# What only the command line is linked with.
CLI_LIBS := $(shell pkg-config --libs ncursesw gnutls 2>/dev/null)
# What only the unprivileged compiler of lists is linked with.
COMPILE_LIBRARIES := libzscanner libidn2
COMPILE_LIBS := $(shell for l in $(COMPILE_LIBRARIES); do pkg-config --libs $$l 2>/dev/null; done)
# What only the unprivileged downloader is linked with.
FETCH_LIBRARIES := libcurl
FETCH_LIBS := $(shell for l in $(FETCH_LIBRARIES); do pkg-config --libs $$l 2>/dev/null; done)
CMOCKA_LIBS := $(or $(shell pkg-config --libs cmocka 2>/dev/null),-lcmocka)
MULTIARCH := $(shell gcc -print-multiarch 2>/dev/null)

WERROR ?= -Werror
WARNINGS := -Wall -Wextra $(WERROR) -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wpointer-arith
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
HARDENING := $(if $(SAN),-O1,-O2 -D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
INCLUDES := -I. -I$(BUILD)
DEFINES := -D_GNU_SOURCE -DDG_LIBEXECDIR='"$(LIBEXECDIR)"' -DDG_SYSCONFDIR='"$(SYSCONFDIR)"'
DEPENDENCIES = -MMD -MP -MF $(@:.o=.d) -MT $@

CFLAGS ?= -g
C_FLAGS = -std=gnu11 $(WARNINGS) $(HARDENING) $(SAN_FLAGS) $(DEFINES) $(INCLUDES) $(LIBRARY_CFLAGS) $(CFLAGS)
LD_FLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN_FLAGS) $(LDFLAGS)
FUZZ_FLAGS := -std=gnu11 $(WARNINGS) -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all $(DEFINES) \
	-DDG_VERSION='"fuzz"' $(INCLUDES) $(LIBRARY_CFLAGS)
# -mcpu=v3: 32-bit ALU and fetching atomics, the highest that the oldest supported kernel (6.1) knows.
# The target has no multiarch include path of its own; asm/types.h lives there.
BPF_FLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra $(WERROR) -Wno-unused-parameter \
	-fno-stack-protector -I. $(if $(MULTIARCH),-idirafter /usr/include/$(MULTIARCH))

# A change of compiler or flags rebuilds everything, a change of version only the files that print it.
stamp = $(shell mkdir -p $(dir $(1)); printf '%s\n' '$(subst ','\'',$(2))' >$(1).new; \
	cmp -s $(1).new $(1) && rm $(1).new || mv $(1).new $(1))
ifeq (,$(filter help clean,$(MAKECMDGOALS)))
$(call stamp,$(BUILD)/.flags,$(CC) $(C_FLAGS) $(LD_FLAGS) $(FUZZ_CC) $(FUZZ_FLAGS))
$(call stamp,$(BUILD)/.flags-bpf,$(BPF_CLANG) $(BPF_FLAGS))
$(call stamp,$(BUILD)/.version,$(VERSION))
endif
# These install first what they need; the others only say so.
ifeq (,$(filter help clean style run test bench deb pictures,$(MAKECMDGOALS)))
$(foreach tool,$(CC) $(BPF_CLANG) $(BPFTOOL) pkg-config,$(if $(shell command -v $(firstword $(tool))),,\
	$(error $(firstword $(tool)) is missing; as root, "deploy/deps build" installs what building needs)))
endif

# ---- what there is ------------------------------------------------------------------------------

BPF_SRCS := $(wildcard bpf/*.bpf.c)
BPF_OBJS := $(BPF_SRCS:%.c=$(BUILD)/%.o)
SKELETONS := $(BPF_SRCS:%.bpf.c=$(BUILD)/%.skel.h)

LIB_SRCS := $(wildcard loader/*.c userspace/lib/*.c userspace/tcp/*.c userspace/config/*.c userspace/history/*.c userspace/lists/*.c userspace/view/*.c userspace/web/*.c userspace/pressure/*.c userspace/alert/*.c)
CLI_SRCS := $(wildcard userspace/dnsguard/*.c userspace/doctor/*.c)
DAEMON_SRCS := $(wildcard userspace/dnsguardd/*.c)
COMPILE_SRCS := $(wildcard userspace/compile/*.c)
TRANSFER_SRCS := $(wildcard userspace/transfer/*.c)
FETCH_SRCS := $(wildcard userspace/fetch/*.c)
NOTIFY_SRCS := $(wildcard userspace/notify/*.c)
LOAD_SRCS := $(filter-out %.bpf.c,$(wildcard userspace/lab/*.c))
LAB_BPF_OBJS := $(patsubst userspace/lab/%.c,$(BUILD)/lab/%.o,$(wildcard userspace/lab/*.bpf.c))
LIB := $(BUILD)/libdnsguard.a
# The daemon without its main(): what its unit tests call.
DAEMON_LIB := $(BUILD)/libdnsguardd.a
CLI_LIB := $(BUILD)/libdnsguard-cli.a
COMPILE_LIB := $(BUILD)/libdnsguard-compile.a
TRANSFER_LIB := $(BUILD)/libdnsguard-transfer.a
FETCH_LIB := $(BUILD)/libdnsguard-fetch.a

PROGRAMS := $(if $(CLI_SRCS),$(BUILD)/dnsguard) $(if $(DAEMON_SRCS),$(BUILD)/dnsguardd) \
	$(if $(COMPILE_SRCS),$(BUILD)/dnsguard-compile) $(if $(TRANSFER_SRCS),$(BUILD)/dnsguard-transfer) \
	$(if $(FETCH_SRCS),$(BUILD)/dnsguard-fetch) $(if $(NOTIFY_SRCS),$(BUILD)/dnsguard-notify) $(if $(LOAD_SRCS),$(BUILD)/dnsguard-load)
DOCS_SRCS := $(wildcard userspace/docs/*.c)
DOCS := $(BUILD)/dnsguard-docs
MANUALS := $(BUILD)/man/dnsguard.8 $(BUILD)/man/dnsguardd.8 $(BUILD)/man/dnsguard.yaml.5
COMPLETIONS := $(BUILD)/completion/dnsguard.bash $(BUILD)/completion/_dnsguard
LAB := $(if $(wildcard userspace/lab/lab.sh),$(BUILD)/lab.sh) $(LAB_BPF_OBJS)

UNIT_SRCS := $(wildcard tests/unit/test_*.c)
UNIT_HELPERS := $(filter-out $(UNIT_SRCS),$(wildcard tests/unit/*.c))
UNITS := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/tests/%)
# A test program in BPF has its own object and skeleton; every other C file in these rooms is a tool of its own.
TEST_ROOMS := bpf diff net kernels bench loader
TEST_BPF_SRCS := $(wildcard $(TEST_ROOMS:%=tests/%/*.bpf.c))
TEST_BPF_OBJS := $(TEST_BPF_SRCS:%.c=$(BUILD)/%.o)
TEST_SKELETONS := $(TEST_BPF_SRCS:%.bpf.c=$(BUILD)/%.skel.h)
TOOL_SRCS := $(filter-out $(TEST_BPF_SRCS),$(wildcard $(TEST_ROOMS:%=tests/%/*.c)))
TOOLS := $(TOOL_SRCS:%.c=$(BUILD)/%)

FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_HELPERS := $(filter-out $(FUZZ_SRCS),$(wildcard tests/fuzz/*.c))
FUZZERS := $(FUZZ_SRCS:tests/fuzz/%.c=$(BUILD)/fuzz/%)
# A fuzzer may call everything but a main(): library, loader, the verbs of the command line, the daemon.
FUZZ_LIB_SRCS := $(LIB_SRCS) $(filter-out %/main.c,$(CLI_SRCS) $(DAEMON_SRCS) $(TRANSFER_SRCS) $(COMPILE_SRCS)) $(FUZZ_HELPERS)
FUZZ_LIB := $(BUILD)/fuzz/libfuzz.a

object = $(1:%.c=$(BUILD)/obj/%.o)
C_SRCS := $(LIB_SRCS) $(DOCS_SRCS) $(CLI_SRCS) $(DAEMON_SRCS) $(COMPILE_SRCS) $(TRANSFER_SRCS) $(FETCH_SRCS) $(NOTIFY_SRCS) $(LOAD_SRCS) $(UNIT_SRCS) $(UNIT_HELPERS) $(TOOL_SRCS)
C_OBJS := $(call object,$(C_SRCS))
FUZZ_OBJS := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(FUZZ_LIB_SRCS) $(FUZZ_SRCS))
VERSIONED := $(if $(C_SRCS),$(shell grep -l DG_VERSION $(C_SRCS)))

# ---- targets for people -------------------------------------------------------------------------

all: $(BPF_OBJS) $(SKELETONS) $(PROGRAMS) $(LAB) $(MANUALS) $(COMPLETIONS) ## build the programs (the default)

run: ## show the guard at work in a lab of namespaces; IFACE=eth0 guards that device instead
	@deploy/deps build && deploy/deps run
	@$(MAKE) all
	$(if $(IFACE),$(BUILD)/dnsguard attach $(IFACE) && exec $(BUILD)/dnsguardd --interface $(IFACE),$(BUILD)/dnsguard lab run)

test: ## install what tests need, build, run all tests; SUITES="unit bpf" runs some
	@deploy/deps build && deploy/deps run && deploy/deps test
	@$(MAKE) everything
	@DG_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/run $(SUITES)

bench: ## measure; prints a table and writes build/bench.json
	@deploy/deps build && deploy/deps run && deploy/deps test
	@$(MAKE) all tools
	@DG_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/run

fuzz: ## build the fuzzers and run each for a short while; FUZZ_SECONDS=600 for longer
	@$(MAKE) fuzzers
	@DG_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/run fuzz

style: ## check the house rules (floors, function length, formatting)
	@DG_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/run style

everything: all tests tools fuzzers matrix ## build programs, tests, fuzzers, and the objects of every compiler
tests: $(UNITS) ## build the unit tests
tools: $(TOOLS) $(TEST_BPF_OBJS) ## build the test tools
fuzzers: $(FUZZERS) ## build the fuzzers
matrix: $(BPF_CLANGS:%=matrix-%) ## build what the test guests run, with every supported clang
matrix-%:
	@$(MAKE) BUILD=$(BUILD)/$* BPF_CLANG=$* SAN= guest
guest: $(BPF_OBJS) $(filter %/bpf/replay %/kernels/guestkit,$(TOOLS))

install: all ## install below DESTDIR; PREFIX is /usr unless told otherwise
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR)
	$(if $(CLI_SRCS)$(DAEMON_SRCS),install -m 755 $(filter %/dnsguard %/dnsguardd,$(PROGRAMS)) $(DESTDIR)$(SBINDIR))
	$(if $(COMPILE_SRCS)$(LOAD_SRCS),install -m 755 $(filter %-compile %-transfer %-fetch %-notify %-load,$(PROGRAMS)) $(DESTDIR)$(LIBEXECDIR))
	$(if $(LAB),install -m 755 $(filter %.sh,$(LAB)) $(DESTDIR)$(LIBEXECDIR))
	$(if $(LAB_BPF_OBJS),install -m 644 $(LAB_BPF_OBJS) $(DESTDIR)$(LIBEXECDIR))
	$(if $(wildcard deploy/*.service),install -D -m 644 -t $(DESTDIR)$(UNITDIR) $(wildcard deploy/*.service))
	$(if $(wildcard deploy/dnsguard.yaml),install -D -m 644 -t $(DESTDIR)$(SYSCONFDIR)/dnsguard deploy/dnsguard.yaml)
	$(if $(wildcard deploy/prometheus/*),install -D -m 644 -t $(DESTDIR)$(DATADIR)/prometheus $(wildcard deploy/prometheus/*))
	$(if $(wildcard deploy/grafana/*),install -D -m 644 -t $(DESTDIR)$(DATADIR)/grafana $(wildcard deploy/grafana/*))
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man8 $(filter %.8,$(MANUALS))
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man5 $(filter %.5,$(MANUALS))
	install -D -m 644 $(filter %.bash,$(COMPLETIONS)) $(DESTDIR)$(COMPLETIONDIR)/dnsguard
	install -D -m 644 $(filter %/_dnsguard,$(COMPLETIONS)) $(DESTDIR)$(ZSHDIR)/_dnsguard

uninstall: all ## remove what install put there, with the same settings; configuration and state stay
	@rm -rf $(BUILD)/installed && $(MAKE) -s install DESTDIR=$(abspath $(BUILD))/installed
	@cd $(BUILD)/installed && find . ! -type d ! -path '.$(SYSCONFDIR)/*' | while read -r file; do rm -f "$(DESTDIR)/$$file"; done
	@cd $(BUILD)/installed && find . -depth -type d -path '*/dnsguard*' ! -path '.$(SYSCONFDIR)/*' | while read -r dir; do \
		[ ! -d "$(DESTDIR)/$$dir" ] || rmdir --ignore-fail-on-non-empty "$(DESTDIR)/$$dir"; done
	@rm -rf $(BUILD)/installed
	$(if $(DESTDIR),,@[ -z "$$(ls /sys/fs/bpf/dnsguard/links 2>/dev/null)" ] || \
		echo "still filtering on: $$(ls -C /sys/fs/bpf/dnsguard/links). To end that: $(BUILD)/dnsguard detach --all --purge")

deb: ## build the Debian package into build/deb
	@deploy/deps build && deploy/deps package
	@deploy/deb $(abspath $(BUILD)) '$(VERSION)'

documents: $(DOCS) ## write deploy/dnsguard.yaml and the list of panels in deploy/docs anew
	$(DOCS) dnsguard.yaml >deploy/dnsguard.yaml
	$(PYTHON) deploy/docs/panels

pictures: ## take the pictures of deploy/docs/views.md anew, from five minutes of real traffic in the lab
	@deploy/deps build && deploy/deps run && deploy/deps picture
	@$(MAKE) all
	@DG_BUILD=$(abspath $(BUILD)) $(PYTHON) deploy/docs/pictures

clean: ## remove build/
	rm -rf build

help: ## this text
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/\1@\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F@ '{ printf "  make %-11s %s\n", $$1, $$2 }'

# ---- rules --------------------------------------------------------------------------------------

$(BPF_OBJS) $(TEST_BPF_OBJS): $(BUILD)/%.bpf.o: %.bpf.c $(BUILD)/.flags-bpf
	$(call run,BPF) $(BPF_CLANG) $(BPF_FLAGS) $(DEPENDENCIES) -c $< -o $@

$(LAB_BPF_OBJS): $(BUILD)/lab/%.bpf.o: userspace/lab/%.bpf.c $(BUILD)/.flags-bpf
	$(call run,BPF) $(BPF_CLANG) $(BPF_FLAGS) $(DEPENDENCIES) -c $< -o $@

# The skeleton's name is the program's: ingress.bpf.o -> struct ingress_bpf.
$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call run,SKEL) $(BPFTOOL) gen skeleton $< >$@.new && mv $@.new $@

# Skeletons first, order only: afterwards the dependency files say who includes which.
$(C_OBJS): $(BUILD)/obj/%.o: %.c $(BUILD)/.flags | $(SKELETONS) $(TEST_SKELETONS)
	$(call run,CC) $(CC) $(C_FLAGS) -DDG_VERSION='"$(VERSION)"' $(DEPENDENCIES) -c $< -o $@
$(call object,$(VERSIONED)): $(BUILD)/.version
# An assembler reads it, whose reading no dependency file tells.
$(BUILD)/obj/userspace/dnsguardd/web.o $(BUILD)/fuzz/obj/userspace/dnsguardd/web.o: userspace/dnsguardd/web/page.html

$(LIB): $(call object,$(LIB_SRCS))
	$(call run,AR) rm -f $@ && ar rcs $@ $^

$(CLI_LIB): $(call object,$(filter-out %/main.c,$(CLI_SRCS)))
	$(call run,AR) rm -f $@ && ar rcs $@ $^

$(TRANSFER_LIB): $(call object,$(filter-out %/main.c,$(TRANSFER_SRCS)))
	$(call run,AR) rm -f $@ && ar rcs $@ $^

$(DAEMON_LIB): $(call object,$(filter-out %/main.c,$(DAEMON_SRCS)))
	$(call run,AR) rm -f $@ && ar rcs $@ $^

$(COMPILE_LIB): $(call object,$(filter-out %/main.c,$(COMPILE_SRCS)))
	$(call run,AR) rm -f $@ && ar rcs $@ $^

$(FETCH_LIB): $(call object,$(filter-out %/main.c,$(FETCH_SRCS)))
	$(call run,AR) rm -f $@ && ar rcs $@ $^

link = $(call run,LINK) $(CC) $(LD_FLAGS) -o $@ $(filter %.o,$^) $(filter-out $(LIB),$(filter %.a,$^)) $(LIB) $(LIBRARY_LIBS) -lm
$(BUILD)/dnsguard: $(call object,$(CLI_SRCS)) $(LIB)
	$(link) $(CLI_LIBS)
$(BUILD)/dnsguardd: $(call object,$(DAEMON_SRCS)) $(LIB)
	$(link) $(DAEMON_LIBS)
$(BUILD)/dnsguard-compile: $(call object,$(COMPILE_SRCS)) $(LIB)
	$(link) $(COMPILE_LIBS)
$(BUILD)/dnsguard-transfer: $(call object,$(filter %/main.c,$(TRANSFER_SRCS))) $(TRANSFER_LIB) $(LIB)
	$(link)
$(BUILD)/dnsguard-fetch: $(call object,$(filter %/main.c,$(FETCH_SRCS))) $(FETCH_LIB) $(LIB)
	$(link) $(FETCH_LIBS)
$(BUILD)/dnsguard-notify: $(call object,$(NOTIFY_SRCS)) $(FETCH_LIB) $(LIB)
	$(link) $(FETCH_LIBS)
$(BUILD)/dnsguard-load: $(call object,$(LOAD_SRCS)) $(LIB)
	$(link) -lpthread -lm
$(DOCS): $(call object,$(DOCS_SRCS)) $(CLI_LIB) $(DAEMON_LIB) $(LIB)
	$(link) $(CLI_LIBS) $(DAEMON_LIBS)
$(MANUALS): $(BUILD)/man/%: $(DOCS)
	$(call run,MAN) $(DOCS) $* >$@
$(BUILD)/completion/dnsguard.bash: $(BUILD)/dnsguard
	$(call run,SHELL) $(BUILD)/dnsguard completion bash >$@
$(BUILD)/completion/_dnsguard: $(BUILD)/dnsguard
	$(call run,SHELL) $(BUILD)/dnsguard completion zsh >$@
$(BUILD)/lab.sh: userspace/lab/lab.sh
	$(call run,COPY) install -m 755 $< $@

$(UNITS): $(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(call object,$(UNIT_HELPERS)) $(DAEMON_LIB) $(CLI_LIB) $(TRANSFER_LIB) $(COMPILE_LIB) $(FETCH_LIB) $(LIB)
	$(link) $(CLI_LIBS) $(DAEMON_LIBS) $(COMPILE_LIBS) $(FETCH_LIBS) $(CMOCKA_LIBS) -lm
$(TOOLS): $(BUILD)/%: $(BUILD)/obj/%.o $(LIB)
	$(link) -lpthread -lm

$(FUZZ_OBJS): $(BUILD)/fuzz/obj/%.o: %.c $(BUILD)/.flags | $(SKELETONS) $(TEST_SKELETONS)
	$(call run,FUZZCC) $(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined $(DEPENDENCIES) -c $< -o $@
$(FUZZ_LIB): $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(FUZZ_LIB_SRCS))
	$(call run,AR) rm -f $@ && ar rcs $@ $^
$(FUZZERS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/%.o $(FUZZ_LIB)
	$(call run,LINK) $(FUZZ_CC) -fsanitize=fuzzer,address,undefined -Wl,--as-needed -o $@ $^ $(LIBRARY_LIBS) $(CLI_LIBS) $(DAEMON_LIBS) $(COMPILE_LIBS)

$(BUILD)/.flags $(BUILD)/.flags-bpf $(BUILD)/.version: ;

.PHONY: all documents pictures run test bench fuzz style everything tests tools fuzzers matrix guest install uninstall deb clean help
.SECONDARY:

-include $(C_OBJS:.o=.d) $(FUZZ_OBJS:.o=.d) $(BPF_OBJS:.o=.d) $(LAB_BPF_OBJS:.o=.d) $(TEST_BPF_OBJS:.o=.d)
