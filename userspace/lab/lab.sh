#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lab.sh - a resolver, honest clients and an attacker in network namespaces; `dnsguard lab` runs it.
#
# Owns the namespaces $LAB-{server,clients,attacker,net} and the directory /run/$LAB, and touches nothing else: no
# real device, and a bpffs of its own, so that a guard on this host never notices. Everything in it can be made
# again, so whatever is found half-built (kill -9, Ctrl-C, an older lab) is taken down and built anew.
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C

LAB=${DNSGUARD_LAB:-dnsguard-lab}
RUN=/run/$LAB
SERVER=$LAB-server CLIENTS=$LAB-clients ATTACKER=$LAB-attacker NET=$LAB-net
HERE=$(dirname "$(readlink -f "$0")")

# Addresses. Clients sit in a /18 of their own, 20 to a /24, as customers do.
SERVER4=10.53.0.1 SERVER6=fd53::1
AUTHORITY=127.0.0.1 # beside the resolver; an address of a device, or named would not listen there
CLIENT_NET4=10.53.64.0/18
ATTACKER_NET4=10.66.0.0/16
GATEWAY_MAC=02:53:00:00:00:fe # of the router, on every link
BLOCKED=ads.example BLOCKED_ADDRESS=203.0.113.66
NAMES=1000 # www0.lab.example ...

# What `run` does.
SECONDS_OF_FLOOD=${DNSGUARD_LAB_SECONDS:-15}
HONEST_RATE=1000 HONEST_CLIENTS=200

JSON=${DNSGUARD_LAB_JSON:-}
say() { printf '%s\n' "$*"; }
tell() { [ -n "$JSON" ] || say "$@"; } # for people only
die() { printf 'dnsguard lab: %s\n' "$*" >&2; exit 1; }
in_ns() { nsenter --net="/run/netns/$1" "${@:2}"; }

# ---- what is needed -------------------------------------------------------------------------------

find_tool() { # NAME: our own program or object, built or installed
	local place
	for place in "$HERE/$1" "$HERE/lab/$1" "$HERE/../../build/$1" "$HERE/../../build/lab/$1" \
		"$HERE/../../sbin/$1" "/usr/sbin/$1" "/usr/libexec/dnsguard/$1"; do
		[ -e "$place" ] && { readlink -f "$place"; return; }
	done
	die "$1 is not built: run make"
}

need() { # TOOL PACKAGE
	command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"
}

check_basics() {
	[ "$(id -u)" = 0 ] || die "namespaces need root: run it with sudo"
	case $PATH in *sbin*) ;; *) PATH=$PATH:/usr/sbin:/sbin ;; esac # su leaves them out
	need ip iproute2
	need nsenter util-linux
	need flock util-linux
}

check_tools() {
	need dig bind9-dnsutils
	command -v unbound >/dev/null || command -v named >/dev/null ||
		die "no resolver: apt-get install unbound (or bind9)"
	LOAD=$(find_tool dnsguard-load)
	XDP_PASS=$(find_tool xdp_pass.bpf.o)
	GUARD=${DNSGUARD_PROGRAM:-$(find_tool dnsguard)}
}

guard() { # dnsguard as it would run on the server
	in_ns "$SERVER" "$GUARD" --bpffs "$RUN/bpf" --state-dir "$RUN/state" "$@"
}

# ---- namespaces and devices -----------------------------------------------------------------------

namespaces_make() {
	local ns
	for ns in "$SERVER" "$CLIENTS" "$ATTACKER" "$NET"; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
		in_ns "$ns" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
			net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \
			net.ipv4.icmp_ratelimit=1000
	done
	in_ns "$NET" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

link_make() { # NAMESPACE PORT MAC NUMBER: eth0 there, PORT on the router, 10.53.NUMBER.0/24 and fd53:0:0:NUMBER::/64
	local queues
	queues=$(nproc)
	ip link add name eth0 address "$3" netns "$1" numtxqueues "$queues" numrxqueues "$queues" type veth \
		peer name "$2" address "$GATEWAY_MAC" netns "$NET" numtxqueues "$queues" numrxqueues "$queues"
	ip -n "$NET" addr add "10.53.$4.254/24" dev "$2"
	ip -n "$NET" addr add "fd53:0:0:$4::fe/64" dev "$2"
	ip -n "$1" addr add "10.53.$4.1/24" dev eth0
	ip -n "$1" addr add "fd53:0:0:$4::1/64" dev eth0
	ip -n "$NET" link set "$2" up
	ip -n "$1" link set eth0 up
	ip -n "$1" route add default via "10.53.$4.254"
	ip -n "$1" route add default via "fd53:0:0:$4::fe"
}

links_make() {
	link_make "$SERVER" server0 02:53:00:00:00:01 0
	link_make "$CLIENTS" clients0 02:53:00:00:00:02 1
	link_make "$ATTACKER" attacker0 02:53:00:00:00:03 2
	# A whole network of clients, without one address configured.
	ip -n "$CLIENTS" route add local "$CLIENT_NET4" dev lo
	ip -n "$NET" route add "$CLIENT_NET4" via 10.53.1.1
	# Answers to sources that somebody else claimed end here.
	ip -n "$NET" route add blackhole default
	ip -n "$NET" -6 route add blackhole default
	# veth delivers what XDP sends back only to a device that has a native program itself.
	# ip would use the host's bpffs for its own directories.
	TC_BPF_MNT=$RUN/bpf ip -n "$NET" link set dev server0 xdpdrv obj "$XDP_PASS" sec xdp.frags
}

# ---- resolver -------------------------------------------------------------------------------------

zone_write() {
	local i
	say "\$TTL 3600"
	say '. SOA ns.example. hostmaster.example. 1 3600 600 86400 60'
	say '. NS ns.example.'
	say "ns.example. A $AUTHORITY"
	say "$BLOCKED. A $BLOCKED_ADDRESS"
	say 'allowed.example. A 192.0.2.80'
	for ((i = 0; i < NAMES; i++)); do say "www$i.lab.example. A 192.0.2.$((i % 250 + 1))"; done
}

unbound_config() { # NAME ADDRESS...
	cat <<-END
		server:
		  directory: "$RUN"
		  chroot: ""
		  username: ""
		  use-syslog: no
		  logfile: "$RUN/$1.log"
		  pidfile: "$RUN/$1.pid"
		  module-config: "iterator"
		  access-control: 0.0.0.0/0 allow
		  access-control: ::0/0 allow
		  do-not-query-localhost: no
		$(printf '  interface: %s\n' "${@:2}")
		remote-control:
		  control-enable: no
	END
}

unbound_start() {
	unbound_config authority $AUTHORITY >"$RUN/authority.conf"
	cat >>"$RUN/authority.conf" <<-END
		auth-zone:
		  name: "."
		  zonefile: "$RUN/zone"
		  for-upstream: no
	END
	unbound_config resolver "$SERVER4" "$SERVER6" >"$RUN/resolver.conf"
	cat >>"$RUN/resolver.conf" <<-END
		stub-zone:
		  name: "."
		  stub-addr: $AUTHORITY
	END
	in_ns "$SERVER" unbound -c "$RUN/authority.conf" 9>&-
	in_ns "$SERVER" unbound -c "$RUN/resolver.conf" 9>&-
}

named_config() { # NAME ADDRESS
	cat <<-END
		controls { };
		options {
		  directory "$RUN";
		  pid-file "$RUN/$1.pid";
		  session-keyfile "$RUN/$1.key";
		  listen-on { $2; };
		  dnssec-validation no;
		  allow-query { any; };
		  allow-query-cache { any; };
		  allow-recursion { any; };
		  empty-zones-enable no;
	END
}

named_start() {
	{ named_config authority $AUTHORITY
	  say 'listen-on-v6 { none; }; recursion no; };'
	  say "zone \".\" { type primary; file \"$RUN/zone\"; };"; } >"$RUN/authority.conf"
	{ named_config resolver "$SERVER4"
	  say "listen-on-v6 { $SERVER6; }; recursion yes; };"
	  say "zone \".\" { type static-stub; server-addresses { $AUTHORITY; }; };"; } >"$RUN/resolver.conf"
	in_ns "$SERVER" named -c "$RUN/authority.conf" -L "$RUN/authority.log" 9>&-
	in_ns "$SERVER" named -c "$RUN/resolver.conf" -L "$RUN/resolver.log" 9>&-
}

ask() { # NAME: dig's answer, as a client of the lab sees it
	in_ns "$CLIENTS" dig +time=5 +tries=1 "@$SERVER4" "$1" A
}

resolver_start() {
	local until=$((SECONDS + 30))
	zone_write >"$RUN/zone"
	if command -v unbound >/dev/null; then
		RESOLVER=unbound
		unbound_start
	else
		RESOLVER=named
		named_start
	fi
	until ask www0.lab.example | grep -q 'status: NOERROR'; do
		[ "$SECONDS" -lt "$until" ] || die "$RESOLVER does not answer: $(tail -n 3 "$RUN/resolver.log" | tr '\n' ' ')"
		sleep 0.1
	done
}

# ---- up and down ----------------------------------------------------------------------------------

is_up() {
	[ -e "$RUN/up" ] && [ -e "/run/netns/$SERVER" ] && ask www0.lab.example | grep -q 'status: NOERROR'
}

processes_end() { # whoever still lives in a namespace of the lab; it is the lab's own by definition
	local ns pid
	for ns in "$SERVER" "$CLIENTS" "$ATTACKER" "$NET"; do
		[ -e "/run/netns/$ns" ] || continue
		for pid in $(ip netns pids "$ns" 2>/dev/null); do
			[ "$pid" = $$ ] || kill -9 "$pid" 2>/dev/null || true
		done
	done
}

lab_down() {
	local ns
	processes_end
	for ns in "$SERVER" "$CLIENTS" "$ATTACKER" "$NET"; do
		if [ -e "/run/netns/$ns" ]; then ip netns del "$ns"; fi
	done
	# With its bpffs the pins go, and with them the programs.
	while mountpoint -q "$RUN/bpf"; do umount -l "$RUN/bpf"; done
	rm -rf "$RUN"
}

lab_up() {
	if is_up; then
		tell "The lab is up already."
		return
	fi
	lab_down
	trap 'lab_down; exit 130' INT TERM HUP
	trap 'lab_down' EXIT
	mkdir -p "$RUN/bpf" "$RUN/state"
	mount -t bpf bpf "$RUN/bpf"
	namespaces_make
	links_make
	resolver_start
	touch "$RUN/up"
	trap - INT TERM HUP EXIT
}

# ---- measuring ------------------------------------------------------------------------------------

json_number() { # KEY < JSON: the first number of that name
	tr -d ' \n' | grep -o "\"$1\":[0-9.]*" | head -n 1 | cut -d: -f2
}

verdicts() { # "label frames" a line
	guard status --json | tr -d ' \n' | grep -o '"[a-z_0-9]*":{"frames":[0-9]*' | tr -d '"{' |
		sed 's/:frames:/ /'
}

meaning() { # LABEL: what the verdict means, as the guard itself says
	guard status --json | tr '\n' ' ' |
		sed -n "s/.*\"verdict\": *\"$1\"[^}]*\"meaning\": *\"\([^\"]*\)\".*/\1/p"
}

flood() { # SECONDS [OPTION...]: random names under one domain from one source, so that every one misses the cache
	in_ns "$ATTACKER" "$LOAD" flood --interface eth0 --to-mac "$GATEWAY_MAC" --to "$SERVER4" \
		--from "${ATTACKER_NET4%/*}" --names '*.lab.example' --cpu 0 --seconds "$@"
}

honest() { # SECONDS
	in_ns "$CLIENTS" "$LOAD" ask --to "$SERVER4" --from "$CLIENT_NET4" --sources "$HONEST_CLIENTS" --stride 13 \
		--rate "$HONEST_RATE" --names 'www#.lab.example' --numbers "$NAMES" --seconds "$1" --json
}

flood_and_ask() { # TAG: leaves $RUN/TAG.flood and $RUN/TAG.honest
	local flooder
	honest 2 >/dev/null # fill the cache
	flood "$((SECONDS_OF_FLOOD + 2))" --json >"$RUN/$1.flood" &
	flooder=$!
	honest "$SECONDS_OF_FLOOD" >"$RUN/$1.honest"
	wait "$flooder"
	ask "$BLOCKED" >"$RUN/$1.dig" || true
}

dropped_print() { # what the guard did between two readings, and why
	local label frames before
	while read -r label frames; do
		before=$(awk -v label="$label" '$1 == label { print $2 }' "$RUN/verdicts.before")
		frames=$((frames - ${before:-0}))
		[ "$frames" = 0 ] || printf '  %-20s %12d frames  %s\n' "$label" "$frames" "$(meaning "$label")"
	done <"$RUN/verdicts.after"
}

row() { # TITLE KEY UNIT FILE
	printf '  %-30s %15s %15s %s\n' "$1" "$(json_number "$2" <"$RUN/before.$4")" \
		"$(json_number "$2" <"$RUN/after.$4")" "$3"
}

dig_print() { # FILE: the lines that tell the story
	grep -E 'status:|EDE:|IN[[:space:]]+A|IN[[:space:]]+SOA|timed out' "$1" | grep -v '^;[^;]' |
		sed 's/^/    /' || true
	grep -E '^; EDE' "$1" | sed 's/^/    /' || true
}

table_print() {
	say ""
	printf '  %-30s %15s %15s\n' "$SECONDS_OF_FLOOD s of flood" "without guard" "with guard"
	row "flood, frames sent" frames "" flood
	row "honest queries" sent "" honest
	row "  answered" answered_percent "%" honest
	row "  median" p50_ms "ms" honest
	row "  99 of 100 within" p99_ms "ms" honest
	say ""
	say "  What the guard did meanwhile, by verdict:"
	dropped_print
	say ""
	say "  dig $BLOCKED, without guard:"
	dig_print "$RUN/before.dig"
	say "  dig $BLOCKED, blocked:"
	dig_print "$RUN/after.dig"
}

lab_run() {
	lab_down
	lab_up
	trap 'lab_down; exit 130' INT TERM HUP
	tell "Lab: $RESOLVER on $SERVER4, $HONEST_CLIENTS honest clients ask $HONEST_RATE queries a second, one core floods."
	tell "Without guard, $SECONDS_OF_FLOOD s ..."
	flood_and_ask before
	guard attach eth0 >"$RUN/attach" || die "the guard was refused; the lab stays up without it"
	guard block "$BLOCKED" --reason "lab" >"$RUN/block"
	verdicts >"$RUN/verdicts.before"
	tell "With guard, $SECONDS_OF_FLOOD s ..."
	flood_and_ask after
	verdicts >"$RUN/verdicts.after"
	trap - INT TERM HUP
	if [ -n "$JSON" ]; then json_print; else table_print; hint_print; fi
}

json_print() { # the same as one object
	printf '{"schema": 1, "seconds": %d' "$SECONDS_OF_FLOOD"
	printf ', "%s": {"flood": %s, "honest": %s}' \
		without_guard "$(cat "$RUN/before.flood")" "$(cat "$RUN/before.honest")" \
		with_guard "$(cat "$RUN/after.flood")" "$(cat "$RUN/after.honest")"
	printf ', "verdicts": {%s}' "$(dropped_print | awk '{ printf "%s\"%s\": %d", comma, $1, $2; comma = ", " }')"
	printf ', "blocked": {"name": "%s", "without_guard": "%s", "with_guard": "%s"}}\n' "$BLOCKED" \
		"$(dig_status before)" "$(dig_status after)"
}

dig_status() { # TAG: the RCODE that dig saw
	grep -o 'status: [A-Z]*' "$RUN/$1.dig" | cut -d' ' -f2 || say none
}

hint_print() {
	local guard here
	guard=$(realpath --relative-base="$PWD" "$GUARD")
	here="$guard --bpffs $RUN/bpf --state-dir $RUN/state"
	say
	say "  The lab stays up. Look around:"
	if [ -d "$RUN/bpf/dnsguard" ]; then
		say "    $guard top    (this lab, while no guard runs on the host; so do status and tcp)"
		say "    $here block www1.lab.example"
	else
		say "    nsenter --net=/run/netns/$SERVER $here attach eth0    (no guard yet)"
	fi
	say "    $guard lab flood 30"
	say "    ip netns exec $CLIENTS dig @$SERVER4 $BLOCKED"
	say "    $guard lab down"
}

done_print() { # up|down
	if [ -n "$JSON" ]; then say "{\"schema\": 1, \"lab\": \"$1\"}"; else hint_print; fi
}

usage() {
	cat <<-END
		Usage: dnsguard lab up|run|flood [SECONDS]|down
		  up     a resolver, clients and an attacker in namespaces; no guard yet
		  run    up, then $SECONDS_OF_FLOOD s of flood without and with the guard, and a table
		  flood  flood the lab's resolver for SECONDS ($SECONDS_OF_FLOOD)
		  down   remove all of it
	END
}

lab_flood() {
	is_up || die "the lab is not up: dnsguard lab up"
	case $1 in
	*[!0-9]* | "") die "'$1' is not a whole number of seconds" ;;
	esac
	flood "$1" ${JSON:+--json}
}

main() {
	case ${1:-} in
	up | run | flood) check_basics; check_tools ;;
	down) check_basics ;;
	*) usage >&2; exit 2 ;;
	esac
	exec 9>"/run/$LAB.lock"
	flock -n 9 || die "another lab command is at work (/run/$LAB.lock)"
	case $1 in
	up) lab_up; done_print up ;;
	run) lab_run ;;
	flood) lab_flood "${2:-$SECONDS_OF_FLOOD}" ;;
	down) lab_down; [ -z "$JSON" ] || done_print down ;;
	esac
}

main "$@"
