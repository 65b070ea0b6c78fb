# What root does on a machine with systemd.
echo up
systemctl start timers.target || exit
mkdir -p /root/.config/vdh /root/files
echo content >/root/files/name
cat >/root/.config/vdh/config.toml <<U
[[job]]
name = "srv"
paths = ["/root/files"]
schedule = "$(date -d '+12 hours' +%H:%M)"
random-delay = "0s"
pre = 'echo "pre: \$(nice), \$(ionice -p \$\$)"'
post = 'echo "post: \$VDH_JOB_STATUS"'
U
vdh schedule || exit
systemctl list-timers --all --no-legend --no-pager vdh-job-srv.timer
echo "snapshots: $(vdh snapshots --json 2>/dev/null | wc -l)"

# The machine was off when the job was due yesterday.
systemctl stop vdh-job-srv.timer || exit
touch -d '2 days ago' /var/lib/systemd/timers/stamp-vdh-job-srv.timer
systemctl start vdh-job-srv.timer || exit
for i in $(seq 300); do
	systemctl show -P ActiveState,ExecMainExitTimestampMonotonic vdh-job-srv.service | grep -q '[1-9]' && break
	sleep 0.1
done
while systemctl is-active --quiet vdh-job-srv.service; do sleep 0.1; done
journalctl --no-pager -o cat -u vdh-job-srv
systemctl show -P Result,ExecMainStatus vdh-job-srv.service | tr '\n' ' '
echo
echo "snapshots: $(vdh snapshots --json | wc -l)"
vdh status | head -1

vdh schedule --remove || exit
echo "timers: $(systemctl list-timers --all --no-legend --no-pager vdh-job-srv.timer | wc -l), files: $(ls /etc/systemd/system | grep -c vdh)"
echo done
