#!/bin/sh
# guest.sh: what is tested inside a guest, as root, in /t. Speaks TAP without numbers; "insns" lines are for the host,
# which compares them with the budget. /t holds one directory for each clang (ingress.bpf.o, replay) and the tools.

ok() { echo "ok - $1"; }

not_ok() { # NAME REASON
	echo "not ok - $1"
	echo "$2" | sed 's/^/# /'
}

is() { # NAME WANT GOT
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "want: $2
got: $3"; fi
}

# ---- programs and tables, as each clang builds them ----

verify() { # CLANG OBJECT
	if said=$(./guestkit verify "$1/$2" 2>&1); then
		ok "$1: $2 passes the verifier"
	else
		not_ok "$1: $2 passes the verifier" "$(echo "$said" | tail -n 15)"
	fi
	echo "$said" | grep '^insns ' | sed "s/^insns /insns $1 /"
}

tables() { # CLANG
	"./$1/replay" rows >/tmp/tap 2>/tmp/errors
	status=$?
	sed -n "s/^# insns /insns $1 /p" /tmp/tap
	good=$(grep -c '^ok ' /tmp/tap)
	bad=$(grep -c '^not ok ' /tmp/tap)
	if [ $status -eq 0 ] && [ "$bad" -eq 0 ] && [ "$good" -gt 0 ]; then
		ok "$1: packet tables, $good rows"
	else
		not_ok "$1: packet tables, $good rows held, $bad did not, status $status" \
			"$(awk '/^not ok /{said=1} /^ok /{said=0} said' /tmp/tap | head -n 40; tail -n 3 /tmp/errors)"
	fi
}

# ---- a real device: veth, native, with VLAN devices on both ends ----
# The client sits in namespace c; the guard, on veth "s", in the first one, so that it sees bpffs. A resolver answers
# every query with rcode 0: that is what has passed the guard, and no test waits for silence.

resolver_up() {
	mkfifo /tmp/asked
	./guestkit serve </tmp/asked >/tmp/serving 2>&1 &
	exec 4>/tmp/asked
	await serving /tmp/serving
}

devices_up() {
	ip netns add c
	ip link add s type veth peer name c netns c
	ip address add 10.9.0.2/24 dev s
	ip link set s up
	ip -n c address add 10.9.0.1/24 dev c
	ip -n c link set c up
	# A veth end transmits XDP frames only to an end that has a native program of its own.
	mkfifo /tmp/hold
	ip netns exec c ./guestkit pass c </tmp/hold >/tmp/passing 2>&1 &
	exec 3>/tmp/hold
	await passing /tmp/passing
}

await() { # WORD FILE: until the file says so, or 60 s
	tries=0
	until grep -q "$1" "$2" 2>/dev/null || [ $tries -ge 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
}

vlan_up() {
	ip link add link s name s.100 type vlan id 100
	ip address add 10.9.100.2/24 dev s.100
	ip link set s.100 up
	ip -n c link add link c name c.100 type vlan id 100
	ip -n c address add 10.9.100.1/24 dev c.100
	ip -n c link set c.100 up
}

offload() { # on|off
	ethtool -K s rxvlan "$1" txvlan "$1"
	ip netns exec c ethtool -K c rxvlan "$1" txvlan "$1"
}

ask() { ip netns exec c ./guestkit ask "$1" "$2" 2>&1; }

attach() { # NAME
	if said=$(./dnsguard attach s --mode native 2>&1); then ok "$1: attach"; else not_ok "$1: attach" "$said"; fi
	./dnsguard block blocked.example >/tmp/block 2>&1 || not_ok "$1: block" "$(cat /tmp/block)"
}

detach() { # NAME
	if said=$(./dnsguard detach s 2>&1); then ok "$1: detach"; else not_ok "$1: detach" "$said"; fi
}

# Each attach loads the program, which is what takes time here: one serves as many questions as it can answer.
device_plain() {
	attach "native veth"
	is "native veth: blocked name is answered" "rcode 3" "$(ask 10.9.0.2 blocked.example)"
	is "native veth: other name passes" "rcode 0" "$(ask 10.9.0.2 free.example)"
	detach "native veth"
	is "native veth: everything passes once detached" "rcode 0" "$(ask 10.9.0.2 blocked.example)"
	is "native veth: nothing is left at egress" "" "$(tc qdisc show dev s clsact)"
}

# ---- answers on their way out: by a tcx link or, where there is none, by a filter beside those of others; and VLANs ----

timed() { ./dnsguard status --json | grep -o '"measured": *[a-z]*' | tr -d ' '; }

stranger_up() {
	tc qdisc add dev s clsact
	tc filter add dev s egress prio 54 handle 54 matchall action ok
	stranger=$(tc filter show dev s egress)
}

device_beside() {
	stranger_up
	vlan_up
	offload off
	attach "beside another filter"
	is "beside another filter: answers are timed" '"measured":true' "$(timed)"
	is "VLAN, offload off: tagged query is answered on its VLAN" "rcode 3" "$(ask 10.9.100.2 blocked.example)"
	is "VLAN, offload off: untagged query is answered" "rcode 3" "$(ask 10.9.0.2 blocked.example)"
	is "VLAN, offload off: other name passes" "rcode 0" "$(ask 10.9.100.2 free.example)"
	before=$(tc filter show dev s egress)
	offload on
	attach "replaced"
	if [ "$before" != "$stranger" ]; then # by filter: another program, in the place of the one before
		is "replaced: by another program" different "$([ "$before" = "$(tc filter show dev s egress)" ] || echo different)"
		is "replaced: one of ours" 1 "$(tc filter show dev s egress | grep -c ' handle 0x35 ')"
	fi
	is "replaced: answers are timed" '"measured":true' "$(timed)"
	is "VLAN, offload on: tag is not seen, so it passes" "rcode 0" "$(ask 10.9.100.2 blocked.example)"
	detach "beside another filter"
	is "beside another filter: only the other is left" "$stranger" "$(tc filter show dev s egress)"
}

. ./nics.sh

for clang in clang-*; do
	for object in "$clang"/*.bpf.o; do
		verify "$clang" "$(basename "$object")"
	done
	tables "$clang"
done
resolver_up
nics
devices_up
device_plain
device_beside
