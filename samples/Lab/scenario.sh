#!/bin/sh
# The demonstration's scenario: a lab (README.md), well-behaved traffic of every kind, and a flood by one client, so that the
# router's table holds the figures of a field report. It stands while COMMAND runs and goes when COMMAND ends, or on a signal.
# Without COMMAND it says "ready" and stands until its standard input ends, however its reader came to its end.
set -eu

# 51,960 entries of client1, the misbehaving NATted user, and 46,676 of the others; see the floods below.
expected_entries=98636
# A full table drops connections; the kernel's own maximum on a machine with little memory is 65,536.
wanted_maximum=100000

here=$(cd "$(dirname "$0")" && pwd)
program=$here/bin/Release/net10.0/conntrack-lab.dll
maximum_file=/proc/sys/net/netfilter/nf_conntrack_max
children=
raised_from=

fail() {
    echo "scenario.sh: $*" >&2
    exit 1
}

# inside NODE COMMAND...: COMMAND in the node's namespace.
inside() {
    node=$1
    shift
    ip netns exec "$prefix-$node" "$@"
}

# start NODE NAME ARGUMENT...: a lab program in the background; its words go to the log NAME.
start() {
    node=$1
    log=$logs/$2
    shift 2
    ip netns exec "$prefix-$node" dotnet "$program" "$@" > "$log" 2>&1 &
    children="$children $!"
}

# await LOG WORDS: until the program says WORDS.
await() {
    patience=150
    until grep -q "$2" "$logs/$1" 2> /dev/null; do
        patience=$((patience - 1))
        [ $patience -gt 0 ] || fail "$1 did not come to '$2': $(cat "$logs/$1")"
        sleep 0.1
    done
}

flood() {
    inside "$1" dotnet "$program" flood --target "$2" --flows "$3" < /dev/null > "$logs/flood" 2>&1 || fail "$(cat "$logs/flood")"
}

# The maximum is the machine's: only the initial namespace can set it, and it holds for every table.
raise_maximum() {
    maximum=$(inside router cat "$maximum_file")
    [ "$maximum" -lt "$wanted_maximum" ] || return 0
    (echo "$wanted_maximum" > "$maximum_file") 2> /dev/null && [ "$(inside router cat "$maximum_file")" = "$wanted_maximum" ] ||
        fail "nf_conntrack_max is $maximum and can't be raised from here;" \
            "on the host: sysctl -w net.netfilter.nf_conntrack_max=$wanted_maximum"
    raised_from=$maximum
    echo "nf_conntrack_max was $maximum: raised to $wanted_maximum for as long as this takes"
}

# Whoever else has changed it meanwhile knows better.
restore_maximum() {
    [ -n "$raised_from" ] && [ "$(cat "$maximum_file")" = "$wanted_maximum" ] || return 0
    echo "$raised_from" > "$maximum_file"
    echo "nf_conntrack_max is $raised_from again"
}

take_away() {
    status=$?
    # Nothing may stop this: no further signal, no reader that has gone.
    trap '' INT TERM HUP PIPE
    set +e
    # shellcheck disable=SC2086 # process ids
    [ -z "$children" ] || kill $children 2> /dev/null
    # A lab that could not be made has left nothing.
    if ls "/run/netns/$prefix"-* > /dev/null 2>&1; then
        sh "$here/lab.sh" down "$prefix" > /dev/null && echo "The lab is gone" 2> /dev/null
    fi
    restore_maximum 2> /dev/null
    rm -rf "$logs"
    exit $status
}

make_traffic() {
    start server1 serve-server1 serve
    start server2 serve-server2 serve
    start client3 serve-client3 serve
    for server in server1 server2 client3; do await "serve-$server" serving; done

    # Over the router with source NAT, and from outside to its port 8080 with destination NAT.
    start client2 traffic-client2 traffic --target 198.51.100.10 --target 2001:db8:100::10 --tcp 50 --udp 50 --icmp 20 --hold
    start client3 traffic-client3 traffic --target 198.51.100.11 --target 2001:db8:100::11 --tcp 50 --udp 50 --icmp 20 --hold
    start server1 traffic-server1 traffic --target 198.51.100.1 --target 2001:db8:100::1 --tcp 5 --tcp-port 8080 --hold
    for client in client2 client3 server1; do await "traffic-$client" answered; done

    flood client2 198.51.100.11 36186
    flood client3 2001:db8:100::11 10000
    flood client1 198.51.100.10 51960
}

# The floods' last packets may still be on their way.
await_table() {
    patience=50
    until count=$(inside router cat /proc/sys/net/netfilter/nf_conntrack_count) && [ "$count" -eq $expected_entries ]; do
        patience=$((patience - 1))
        [ $patience -gt 0 ] || fail "the router's table has $count entries; $expected_entries were made"
        sleep 0.1
    done
}

hold() {
    echo ready 2> /dev/null
    exec cat > /dev/null
}

[ $# -ge 1 ] || {
    echo "usage: scenario.sh PREFIX [COMMAND [ARGUMENT...]]" >&2
    exit 2
}
prefix=$1
shift
# What stands already is another's, and not to be taken away.
[ ! -e "/run/netns/$prefix-router" ] || fail "lab $prefix exists; '$here/lab.sh down $prefix' removes it"
[ -e "$program" ] || dotnet build "$here" --configuration Release --nologo -v quiet -clp:NoSummary

logs=$(mktemp -d)
trap take_away EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
trap 'exit 141' PIPE

echo "A NAT router, three clients and two servers, each a network namespace (samples/Lab/README.md)"
sh "$here/lab.sh" up "$prefix" > /dev/null
raise_maximum
echo "Traffic by TCP, UDP and ICMP, IPv4 and IPv6; client1, 10.77.1.11, opens 51,960 flows by itself"
make_traffic
await_table

# In the background, so that a signal is heard at once; such a command would get no standard input of its own accord.
exec 3<&0
if [ $# -gt 0 ]; then "$@" <&3 & else hold <&3 & fi
command=$!
children="$children $command"
wait $command
