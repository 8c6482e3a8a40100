#!/usr/bin/env bash
# What try.sh does in the empty Debian: installs, looks, starts, uses, upgrades, removes and purges.
set -euo pipefail
cd /try
# The first line that fails is the last one said, with what the units said.
trap 'echo "FAILED in line $LINENO: $BASH_COMMAND"; journalctl --no-pager --quiet --lines=40' ERR
export LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive
config=(--config /etc/dc-signer/config.toml)
units=(dc-signer.service dc-keyd.service dc-agent.service dc-terminator.service)

# Nothing here has to outlive a power cut.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/try

part() { echo "-- $* ($SECONDS s)"; }

# What stat says of a file: mode, user and group.
is() {
    local path=$1 wanted=$2 found
    found=$(stat --format='%a %U:%G' "$path")
    [ "$found" = "$wanted" ] || {
        echo "$path is $found, not $wanted"
        return 1
    }
}

# As a user, by number.
as() {
    local user=$1
    shift
    setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups "$@"
}

there() {
    local path
    for path in "$@"; do
        [ -e "$path" ] || {
            echo "$path is not there"
            return 1
        }
    done
}

gone() {
    local path
    for path in "$@"; do
        [ ! -e "$path" ] || {
            echo "$path is still there"
            return 1
        }
    done
}

wait_for() {
    local _
    for _ in $(seq 200); do
        "$@" >/try/last 2>&1 && return 0
        sleep 0.1
    done
    echo "it did not come to '$*':"
    cat /try/last
    return 1
}

part "an agent that never ran leaves nothing behind"
dpkg --install dc-agent_*.deb
dpkg --purge dc-agent 2>&1 | tee purged
[ "$(grep -c 'not removed' purged)" = 0 ]
gone /var/lib/dc-agent /var/lib/dc-identity /etc/dc-agent

part "installing"
dpkg --install ./*.deb
is /etc/dc-signer '750 root:dc-signer'
is /etc/dc-keyd '750 root:dc-keyd'
is /var/lib/dc-signer '700 dc-signer:dc-signer'
is /var/lib/dc-keyd '700 dc-keyd:dc-keyd'
is /etc/dc-agent '750 root:dc-agent'
is /var/lib/dc-agent '755 dc-agent:dc-agent'
is /var/lib/dc-identity '755 dc-agent:dc-identity'
is /etc/dc-terminator.toml '644 root:root'
id -nG dc-terminator | grep -qw dc-identity

part "units"
systemd-analyze verify "${units[@]}"
for unit in "${units[@]}"; do
    # 2.0 at most.
    systemd-analyze security --no-pager --threshold=20 "$unit" | tail -n 1
    [ "$(systemctl is-enabled "$unit" || true)" = disabled ]
    [ "$(systemctl is-active "$unit" || true)" = inactive ]
done
# Without a configuration starting them is no failure, and starts nothing.
for unit in dc-signer dc-keyd dc-agent; do
    systemctl start $unit
    [ "$(systemctl show --property=ConditionResult --value $unit)" = no ]
done

part "pages and completions"
pages=$(dpkg --listfiles dc-signer dc-agent dc-terminator dc-connect | grep '/man/.*\.gz')
for page in $pages; do
    MANROFFSEQ='' man --warnings=all --encoding=UTF-8 --local-file "$page" 2>&1 >/dev/null | sed "s|^|$page: |" >>warnings
    lexgrog "$page" >/dev/null
done
[ ! -s warnings ] || {
    head -n 20 warnings
    false
}
wc -l <<<"$pages" | sed 's/$/ pages/'
for file in /usr/share/bash-completion/completions/dc-*; do
    bash -n "$file"
done
part "the signer"
cd /etc/dc-signer
install -m 640 -g dc-signer /usr/share/doc/dc-signer/examples/config.toml config.toml
install -d -m 750 -g dc-signer tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -addext basicConstraints=critical,CA:FALSE -keyout /root/key.pem -out tls/chain.pem 2>/dev/null
install -m 640 -g dc-signer /root/key.pem tls/key.pem
systemctl start dc-signer
systemctl is-active dc-signer
is /var/lib/dc-signer '700 dc-signer:dc-signer'
export DC_SIGNER_TOKEN_FILE=/root/token
dc-signer operators add alice --role admin --save-token /root/token "${config[@]}" >/dev/null
cd /root
dc-signer init vendor --zone cpe.example.com >/dev/null
dc-signer zones add cpe.example.com --import vendor "${config[@]}"
dc-signer check "${config[@]}"
dc-signer devices add box --code --json "${config[@]}" | sed -n 's/.*"code":"\([^"]*\)".*/\1/p' >code
[ -s code ]
systemctl reload dc-signer
systemctl is-active dc-signer
# Nobody else sees any of it.
[ -z "$(as 65534 find /etc/dc-signer /etc/dc-keyd /var/lib/dc-signer /var/lib/dc-keyd -mindepth 1 2>/dev/null)" ]

part "the signing process"
sed 's|#group = |group = |' /usr/share/doc/dc-signer/examples/keyd.toml >keyd.toml
install -m 640 -g dc-keyd keyd.toml /etc/dc-keyd/keyd.toml
dc-signer keyd check --config /etc/dc-keyd/keyd.toml
systemctl start dc-keyd
systemctl is-active dc-keyd
dc-signer keyd csr --socket /run/dc-keyd/socket --zone cpe.example.com --out request.csr
dc-signer keyd status --socket /run/dc-keyd/socket | head -n 3

part "the agent"
install -m 640 -g dc-agent /usr/share/doc/dc-agent/examples/dc-agent.toml /etc/dc-agent.toml
sed -i -e 's|signer.example.com|localhost|' -e '$a start_delay = "0s"' /etc/dc-agent.toml
install -m 644 /etc/dc-signer/tls/chain.pem /etc/dc-agent/signer-root.pem
install -m 644 vendor/root.pem /etc/dc-agent/root.pem
install -m 640 -g dc-agent code /etc/dc-agent/activation-code
# Before there is a credential it ends, and is tried again.
systemctl start dc-terminator
systemctl start dc-agent
wait_for test -e /var/lib/dc-identity/current/key.pem
is /var/lib/dc-identity/current/key.pem '640 dc-agent:dc-identity'
is /var/lib/dc-agent/enrolment-key.pem '600 dc-agent:dc-agent'
is /etc/dc-agent.toml '640 root:dc-agent'
# For root as well.
dc-agent status --config /etc/dc-agent.toml
name=$(as "$(id -u dc-agent)" dc-agent status --config /etc/dc-agent.toml --json | grep -o '[a-z0-9-]*\.cpe\.example\.com' | head -n 1)

part "the terminator, and a client"
# A web server that knows nothing of it.
cat >/try/web <<'END'
#!/bin/sh
read -r line
# What is not read is answered with a reset.
while read -r rest && [ "${#rest}" -gt 1 ]; do :; done
printf 'HTTP/1.0 200 OK\r\n\r\nhello, %s' "$line"
END
chmod 755 /try/web
printf '[Socket]\nListenStream=127.0.0.1:80\nAccept=yes\n' >/run/systemd/system/web.socket
printf '[Service]\nExecStart=/try/web\nStandardInput=socket\n' >/run/systemd/system/web@.service
systemctl daemon-reload
systemctl start web.socket
wait_for systemctl is-active dc-terminator
install -m 644 vendor/root.pem /tmp/root.pem
ask() {
    printf 'GET /%s HTTP/1.0\r\n\r\n' "$1" |
        as 65534 dc-connect --roots /tmp/root.pem --to 127.0.0.1:443 --alpn http/1.1 "$name" | grep -a "hello, GET /$1"
}
wait_for ask first
ask second
systemctl reload dc-terminator
ask third

part "upgrades"
cd /try
sed -i 's|^#max_connections = 256|max_connections = 32|' /etc/dc-terminator.toml
before=$(systemctl show --property=MainPID --value dc-terminator dc-agent)
dpkg --install upgrade/dc-terminator_*.deb upgrade/dc-agent_*.deb </dev/null
grep -q '^max_connections = 32' /etc/dc-terminator.toml
[ "$before" != "$(systemctl show --property=MainPID --value dc-terminator dc-agent)" ]
wait_for ask fourth
systemctl is-active dc-agent dc-terminator
# Once more, on what is there; first with a database whose tables are not made, as older ones are not those of a newer program.
pid() { systemctl show --property=MainPID --value "$1"; }
before=$(pid dc-signer) keyd=$(pid dc-keyd)
sed -i 's|^\[database\]$|&\nsqlite = "other.db"|' /etc/dc-signer/config.toml
dpkg --install dc-signer_*.deb </dev/null 2>&1 | tee upgraded
grep -q "not restarted" upgraded
[ "$(pid dc-signer)" = "$before" ]
[ "$(pid dc-keyd)" != "$keyd" ]
sed -i '/^sqlite = "other.db"$/d' /etc/dc-signer/config.toml
dpkg --install dc-signer_*.deb </dev/null
[ "$(pid dc-signer)" != "$before" ]
wait_for systemctl is-active dc-signer
is /etc/dc-signer/config.toml '640 root:dc-signer'

part "removing"
dpkg --remove dc-terminator dc-agent dc-signer dc-connect
for unit in "${units[@]}"; do
    [ "$(systemctl is-active "$unit" || true)" = inactive ]
done
there /etc/dc-terminator.toml /var/lib/dc-identity/current/key.pem /etc/dc-signer/config.toml

part "purging"
dpkg --purge dc-terminator dc-agent dc-signer 2>&1 | tee purged
gone /etc/dc-terminator.toml
# Keys are where they were, and what was said names them.
for kept in /etc/dc-signer /etc/dc-keyd /var/lib/dc-signer /var/lib/dc-keyd /etc/dc-agent.toml /etc/dc-agent /var/lib/dc-agent /var/lib/dc-identity; do
    there $kept
    grep -q "rm -r.* $kept\( \|$\)" purged
done
left=$(find /usr /etc -name 'dc-*' ! -path '/etc/dc-*' ! -path '/usr/share/man/cat*')
[ -z "$left" ] || {
    echo "left behind: $left"
    false
}
part "done"
