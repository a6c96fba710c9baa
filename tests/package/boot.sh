#!/bin/sh
# boot.sh ROOT: makes systemd the first process of ROOT, in namespaces that the caller has made (mount, pid, network,
# cgroup, uts, ipc). Nothing of it is seen outside; it all ends with its last process.
set -eu
root=$1

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs cgroup "$root/sys/fs/cgroup" 2>/dev/null || true
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t bpf -o mode=0700 bpf "$root/sys/fs/bpf"
mount -t tmpfs -o mode=755 dev "$root/dev"
for node in null zero full random urandom tty; do
	touch "$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx" # PrivateDevices= wants to copy it
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs tmp "$root/tmp"
cd "$root"
pivot_root . mnt
umount -l /mnt
# "container": it leaves alone what belongs to the kernel's owner, the host.
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \
	--unit=multi-user.target --show-status=no
