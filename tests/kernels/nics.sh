# nics.sh: devices as machines have them - virtio-net with and without what XDP needs of the hypervisor, vmxnet3, a VLAN
# device on each, a bond of two - and what the doctor says of each, and whether what it prints mends it. Sourced by
# guest.sh, whose words it uses. The client, on device "p" in namespace "w", is on one wire with all others.

nics_up() {
	ip link set bond0 down 2>/dev/null # comes with the module
	while read -r mac name; do
		ip link set "$(grep -l "$mac" /sys/class/net/eth*/address | cut -d/ -f5)" name "$name"
	done <nics
	echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore # each device speaks for its own addresses alone
	ip link add bd type bond mode active-backup miimon 100
	ip link set b0 master bd
	ip link set b1 master bd
	for name in g stuck legacy single plain x b0 b1 bd; do ip link set "$name" up; done
	ip netns add w
	ip link set p netns w
	ip -n w link set p up
	host_address g 10.8.1
	host_address x 10.8.2
	host_address bd 10.8.3
	on_vlan g 100 10.8.100
	on_vlan x 200 10.8.200
}

host_address() { # DEVICE NET
	ip address add "$2.2/24" dev "$1"
	ip -n w address add "$2.1/24" dev "${3:-p}"
}

on_vlan() { # DEVICE ID NET
	ip link add link "$1" name "$1.$2" type vlan id "$2"
	ip link set "$1.$2" up
	ip -n w link add link p name "p.$2" type vlan id "$2"
	ip -n w link set "p.$2" up
	host_address "$1.$2" "$3" "p.$2"
}

nic_ask() { ip netns exec w ./guestkit ask "$1" "$2" 2>&1; }
nic_flood() { ip netns exec w ./guestkit flood "$1" free.example "$2" 2>&1; }

# ---- what the doctor says: one look at all devices, kept in /tmp/doctor ----

health() { # CHECK DEVICE
	awk -v check="$1" -v of="$2:" '$2 == check && $3 == of { print $1 }' /tmp/doctor
}

mend() { # CHECK DEVICE: the command under that finding
	awk -v check="$1" -v of="$2:" 'found { sub(/^ *-> /, ""); sub(/  #.*/, ""); print; exit } $2 == check && $3 == of { found = 1 }' \
		/tmp/doctor
}

finds() { # CHECK DEVICE HEALTH [MEND]
	is "doctor: $1 of $2" "$3${4:+ -> $4}" "$(health "$1" "$2")${4:+ -> $(mend "$1" "$2")}"
}

# A program that only passes: does the driver take it? What a hypervisor's option mends stands beside what it does not.
takes() { # DEVICE yes|no
	./guestkit pass "$1" </dev/null >/tmp/taken 2>&1 && taken=yes || taken=no
	is "$1 takes native XDP" "$2" "$taken"
}

nic_doctor() { # MODE of vmxnet3
	ethtool -L g combined 1
	./dnsguard doctor --sample 1s >/tmp/doctor 2>&1
	finds native g PASS
	finds virtio g PASS
	finds vlan g PASS # virtio leaves tags where they are
	finds queues g WARN "ethtool -L g combined 2"
	finds queues plain WARN "on the hypervisor: 4 queues (queues=4, vectors=10)"
	finds virtio stuck FAIL
	finds virtio legacy FAIL
	finds virtio single PASS
	finds virtio plain PASS
	finds vlan x WARN "ethtool -K x rxvlan off"
	finds parent g.100 FAIL "dnsguard attach g"
	finds parent b0 WARN "dnsguard attach bd"
	finds native bd PASS
	if [ "$1" = native ]; then
		finds native x PASS
	else
		finds native x WARN "dnsguard attach x --try 120s --observe"
	fi
	takes stuck no
	takes legacy no
	takes single yes
	takes plain yes
}

# ---- the guard on them ----

nic_attach() { # DEVICE MODE
	if said=$(./dnsguard attach "$1" --mode "$2" 2>&1); then ok "$1: attach, $2"; else not_ok "$1: attach, $2" "$said"; fi
}

judged() { ./dnsguard status --json | awk '/"(drop_limited|pass_clean)"/ && n++ < 2 { getline; gsub(/[^0-9]/, ""); sum += $0 } END { print sum + 0 }'; }
limited() { ./dnsguard status --json | awk '/"drop_limited"/ { getline; gsub(/[^0-9]/, ""); print; exit }'; }
answers_timed() { ./dnsguard status --json | awk '/"udp":/ { udp = 1 } udp && /"answers":/ { gsub(/[^0-9]/, ""); print; exit }'; }

# All that was asked was answered or refused; refused was what is over the limit.
nic_limits() {
	./dnsguard limit set --rate-limit 10 --instant-limit 50 --slip 0 >/dev/null
	due=$(($(judged) + 400))
	mkfifo /tmp/refused
	began=$(cut -d. -f1 /proc/uptime)
	ip netns exec w ./guestkit flood 10.8.1.2 free.example 400 /tmp/refused >/tmp/answered 2>&1 &
	exec 5<>/tmp/refused
	tries=0
	until [ "$(judged)" -ge $due ] || [ $tries -ge 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	allowed=$((50 + 10 * ($(cut -d. -f1 /proc/uptime) - began + 1))) # however long a slow host takes over the flood
	refused=$(limited)
	echo "$refused" >&5
	exec 5>&-
	wait $!
	answered=$(cat /tmp/answered)
	is "g: a flood of 400 is answered or refused" 400 "$((answered + refused))"
	is "g: 50 at once and 10 a second are answered" yes "$([ "$answered" -ge 50 ] && [ "$answered" -le $((allowed + allowed / 10)) ] && echo yes || echo "$answered of $allowed")"
	./dnsguard limit set --mode off >/dev/null
}

# One query in 64 is timed, chosen by a key that no two guests share: that none of 1000 is, is one case in seven million.
are_timed() { # DEVICE ADDRESS
	before=$(answers_timed)
	is "$1: all of 1000 are answered" 1000 "$(nic_flood "$2" 1000)"
	is "$1: answers are timed" yes "$([ "$(answers_timed)" -gt "$before" ] && echo yes)"
}

nic_virtio() {
	$(mend queues g)
	is "g: two queues once mended" 2 "$(ethtool -l g | awk '/Combined/ { n = $2 } END { print n }')"
	nic_attach g native
	./dnsguard block blocked.example >/dev/null
	is "g: blocked name is answered" "rcode 3" "$(nic_ask 10.8.1.2 blocked.example)"
	is "g: other name reaches the resolver" "rcode 0" "$(nic_ask 10.8.1.2 free.example)"
	nic_limits
	are_timed g 10.8.1.2
	is "g.100: tagged query is answered on its VLAN" "rcode 3" "$(nic_ask 10.8.100.2 blocked.example)"
	are_timed g.100 10.8.100.2
}

nic_stripped_tags() { # MODE
	nic_attach x "$1"
	is "x: blocked name passes while tags are stripped" "rcode 0" "$(nic_ask 10.8.200.2 blocked.example)"
	$(mend vlan x)
	nic_attach x "$1"
	is "x.200: blocked name is answered once mended" "rcode 3" "$(nic_ask 10.8.200.2 blocked.example)"
	are_timed x.200 10.8.200.2
}

nic_bond() {
	PATH=$PATH:. $(mend parent b0) >/tmp/bond 2>&1
	is "bd: attach, as told" "bd: guarded (native, enforcing)" "$(cat /tmp/bond)"
	is "bd: blocked name is answered" "rcode 3" "$(nic_ask 10.8.3.2 blocked.example)"
	ip link set b0 down
	await b1 /sys/class/net/bd/bonding/active_slave
	ping -c 1 -W 30 10.8.3.1 >/dev/null # the wire learns where it is now
	is "bd: blocked name is answered by the other member" "rcode 3" "$(nic_ask 10.8.3.2 blocked.example)"
	are_timed bd 10.8.3.2
}

nic_mended() {
	./dnsguard doctor --sample 1s >/tmp/doctor 2>&1
	for check in queues vlan owner; do finds $check g PASS; done
	for check in vlan owner; do finds $check x PASS; done
	finds owner bd PASS
}

nics() {
	case $(uname -r) in 6.1.*) mode=generic ;; *) mode=native ;; esac # vmxnet3 learned it in 6.6
	nics_up
	nic_doctor $mode
	nic_virtio
	nic_stripped_tags $mode
	nic_bond
	nic_mended
	./dnsguard detach --all --purge >/tmp/detach 2>&1 || not_ok "NICs: detach" "$(cat /tmp/detach)"
}
