#!/bin/sh
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What an administrator has set up under runit over the years. Usage: runit-services.sh NAME...
set -eu
cd /etc/sv

# service NAME: the run script from standard input
service() {
    mkdir -p "$1"
    cat >"$1/run"
    chmod 0755 "$1/run"
}

# log NAME: svlogd in a directory of its own
log() {
    mkdir -p "$1/log" "/var/log/$1"
    cat >"$1/log/run" <<'END'
#!/bin/sh
exec svlogd -tt .
END
    sed -i "s| \\.\$| /var/log/$1|" "$1/log/run"
    chmod 0755 "$1/log/run"
}

# With a user of its own, and a control script that asks it to save first.
setup_redis_server() {
    service redis-server <<'END'
#!/bin/sh
exec 2>&1
[ -d /run/redis ] || install -d -o redis -g redis -m 755 /run/redis
exec chpst -u redis redis-server /etc/redis/redis.conf --daemonize no --supervised no
END
}

setup_memcached() {
    service memcached <<'END'
#!/bin/sh
exec 2>&1
exec chpst -u memcache -o 2048 memcached -m 32 -l 127.0.0.1 -p 11211
END
}

# Settings in a directory of variables, limits and a nice value, a log of its own.
setup_api() {
    service api <<'END'
#!/bin/sh
exec 2>&1
ulimit -c 0
exec chpst -e ./env -u www-data -o 512 -n 5 python3 -m http.server "8081" --bind 127.0.0.1 --directory /srv
END
    mkdir -p api/env
    printf 'production\n' >api/env/APP_ENV
    printf '/srv\n' >api/env/APP_ROOT
    log api
}

# Settings in a file of plain assignments.
setup_web() {
    service web <<'END'
#!/bin/sh
[ -r ./conf ] && . ./conf
exec 2>&1
exec chpst -u www-data python3 -m http.server ${PORT:-8000} --bind 127.0.0.1 --directory /srv
END
    printf 'PORT=8082\n' >web/conf
    log web
}

# Needs another service.
setup_indexer() {
    service indexer <<'END'
#!/bin/sh
exec 2>&1
sv check api >/dev/null || exit 1
umask 027
cd /var/tmp
exec chpst -u nobody:nogroup sleep 100000
END
}

# Installed for the day when it is needed.
setup_standby() {
    service standby <<'END'
#!/bin/sh
exec 2>&1
exec chpst -u www-data python3 -m http.server 8083 --bind 127.0.0.1 --directory /srv
END
    touch standby/down
}

# Does something once, and is kept alive for the sake of its finish script.
setup_tuning() {
    service tuning <<'END'
#!/bin/sh
mkdir -p /run/tuning
echo on > /run/tuning/state
exec sleep infinity
END
    cat >tuning/finish <<'END'
#!/bin/sh
echo off > /run/tuning/state
END
    chmod 0755 tuning/finish
}

# Cannot work under systemd: it looks for its supervisor.
setup_stubborn() {
    service stubborn <<'END'
#!/bin/sh
exec 2>&1
[ "$(cat /proc/$PPID/comm)" = runsv ] || exit 1
exec python3 -m http.server 8084 --bind 127.0.0.1 --directory /srv
END
}

for name in "$@"; do
    # Packages that brought a script of their own for the same program have had it started by now.
    if [ -x "/etc/init.d/$name" ]; then "/etc/init.d/$name" stop >/dev/null 2>&1 || true; fi
    "setup_$(echo "$name" | tr - _)"
    ln -sfn "/etc/sv/$name" "/etc/service/$name"
done

# runsvdir looks every five seconds.
for name in "$@"; do
    if [ -e "/etc/sv/$name/down" ]; then continue; fi
    for _try in $(seq 80); do
        if sv status "$name" 2>/dev/null | grep -q ^run:; then continue 2; fi
        sleep 0.2
    done
    sv status "$name" >&2
    exit 1
done

# A process that runs need not listen yet.
port_of() {
    case $1 in
        api) echo 8081 ;;
        web) echo 8082 ;;
        stubborn) echo 8084 ;;
        memcached) echo 11211 ;;
        redis-server) echo 6379 ;;
    esac
}
for name in "$@"; do
    port=$(port_of "$name")
    if [ -z "$port" ]; then continue; fi
    for _try in $(seq 300); do
        if [ -n "$(ss -Hltn "sport = :$port")" ]; then continue 2; fi
        sleep 0.1
    done
    echo "$name does not listen on port $port" >&2
    exit 1
done
