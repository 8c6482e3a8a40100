# shellcheck shell=bash
# The resolver of the page, which knows one address.
ip address add 192.0.2.53/32 dev lo
perl "${here:?}/resolver.pl" 192.0.2.53 &
until grep -q ':0035 ' /proc/net/udp; do sleep 0.05; done
