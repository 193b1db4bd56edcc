# Starts systemd as the first process of a machine of its own, whose root is made here: $1 is a folder with `root`, empty, and
# `bin`. The caller stands in namespaces of its own (mounts, processes, control groups, names, IPC).
set -eu
cd "$1/root"
mount -t tmpfs -o mode=755 none .
cd "$1/root"
mkdir -p usr proc sys dev run tmp home/user var/lib var/tmp etc/systemd/system root old opt/rampart
chmod 1777 tmp var/tmp
chown 64002:64002 home/user
mount --rbind -o ro /usr usr
mount -o remount,bind,ro usr
for link in bin sbin lib lib64; do ln -s "usr/$link" "$link"; done
cp -L /etc/nsswitch.conf /etc/ld.so.cache etc/
printf 'root:x:0:0::/root:/bin/sh\nuser:x:64002:64002::/home/user:/bin/sh\n' > etc/passwd
printf 'root:x:0:\nuser:x:64002:\n' > etc/group
echo 0123456789abcdef0123456789abcdef > etc/machine-id
mount --bind "$1/bin" opt/rampart
mount -t proc none proc
mount -t sysfs -o ro none sys
mount -t tmpfs none sys/fs/cgroup
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 none dev
mkdir dev/pts dev/shm dev/mqueue
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 none dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ip link set lo up
mount -t tmpfs -o mode=755 none run
# Nothing of the host's is started: these are all the units there are.
mount -t tmpfs none usr/lib/systemd/system
for target in sysinit basic network shutdown; do
  printf '[Unit]\nDefaultDependencies=no\n' > "usr/lib/systemd/system/$target.target"
done
printf '[Unit]\nWants=basic.target manager.service\n' > usr/lib/systemd/system/multi-user.target
cat > usr/lib/systemd/system/manager.service <<'UNIT'
[Service]
Type=notify
User=user
RuntimeDirectory=user/64002
RuntimeDirectoryMode=0700
Environment=XDG_RUNTIME_DIR=/run/user/64002
ExecStart=/lib/systemd/systemd --user
Delegate=yes
UNIT
pivot_root . old
cd /
umount -l /old
exec env -i PATH=/usr/sbin:/usr/bin container=test /lib/systemd/systemd --system --unit=multi-user.target --show-status=0
