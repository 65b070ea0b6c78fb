# boot.sh DIR PROGRAM VARIABLE: starts systemd as the first process of namespaces that somebody has made for it, over a copy
# of this machine's files that is gone with them. PROGRAM is there as vdh, with VARIABLE set to 1; inside.sh of DIR is run,
# and what it says appears in DIR/log.
set -e
dir=$1 program=$2 variable=$3
mount --make-rprivate /
mount -t tmpfs tmpfs "$dir/root"
cd "$dir/root"
mkdir up work all
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work all
cd all
mount -t proc proc proc
mount -t tmpfs tmpfs sys
mkdir -p sys/fs/cgroup
mount -t tmpfs tmpfs sys/fs/cgroup
mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
for d in dev run tmp root; do mount -t tmpfs tmpfs $d; done
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
ln -s /proc/self/fd dev/fd
mkdir -p out var/lib/systemd
mount --bind "$dir" out
mount -t tmpfs tmpfs var/lib/systemd
cp "$program" usr/local/bin/vdh
rm -rf etc/systemd/system etc/systemd/system.conf.d etc/fstab etc/cron*
mkdir -p etc/systemd/system
printf '[Manager]\nDefaultEnvironment=%s=1 HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n' "$variable" >etc/systemd/system.conf
cat >etc/systemd/system/inside.target <<'U'
[Unit]
Requires=basic.target inside.service
After=basic.target
U
cat >etc/systemd/system/inside.service <<'U'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh /out/inside.sh
StandardOutput=append:/out/log
StandardError=append:/out/log
U
exec env -i container=test PATH="$PATH" chroot . /lib/systemd/systemd --log-target=null --show-status=no --unit=inside.target
