#!/bin/sh
# A small network on one machine: three clients, a NAT router and two servers, each in its own network namespace.
# README.md draws it. Nothing but iproute2 and nft is needed, and no address outside the namespaces is ever used.
set -eu

usage() {
    echo "usage: lab.sh up PREFIX | lab.sh down PREFIX" >&2
    exit 2
}

fail() {
    echo "lab.sh: $*" >&2
    exit 1
}

# An idle flow must outlive the demonstration; the kernel's own 30 seconds for unanswered UDP and for ICMP do not.
idle_timeout=600

# Exact names, never a pattern: another lab's prefix may begin with this one's.
nodes="client1 client2 client3 router server1 server2"

exists() {
    [ -e "/run/netns/$1" ]
}

# setting NODE NAME VALUE: /proc/sys/net is that of the namespace which the writer is in.
setting() {
    ip netns exec "$prefix-$1" sh -c 'echo "$2" > "/proc/sys/net/$1"' sh "$2" "$3"
}

make_node() {
    ip netns add "$prefix-$1"
    # Addresses must work at once: without this, link-local addresses wait a second for duplicate detection.
    setting "$1" ipv6/conf/all/disable_ipv6 0
    setting "$1" ipv6/conf/default/disable_ipv6 0
    setting "$1" ipv6/conf/default/accept_dad 0
    setting "$1" ipv6/conf/default/accept_ra 0
    # Ping sockets for every group: lab programs then need no raw sockets.
    setting "$1" ipv4/ping_group_range "0 2147483647"
    ip -n "$prefix-$1" link set lo up
}

# bridge NAME IPV4 IPV6: one of the router's two networks. Without snooping it stays silent; with it, its own IGMP reports
# would appear in the table that the demonstration counts.
bridge() {
    ip -n "$prefix-router" -batch - << END
link add $1 type bridge mcast_snooping 0
address add $2 dev $1
address add $3 dev $1 nodad
link set $1 up
END
}

# connect NODE NETWORK PORT IPV4 IPV6: both ends are born inside their namespaces, so their names clash with nobody's.
connect() {
    ip link add eth0 netns "$prefix-$1" type veth peer name "$3" netns "$prefix-router"
    ip -n "$prefix-router" link set "$3" master "$2" up
    ip -n "$prefix-$1" -batch - << END
link set eth0 up
address add $4 dev eth0
address add $5 dev eth0 nodad
END
}

# Clients send everything to the router; servers know the WAN only, so that nothing but translation brings an answer back.
route_through_router() {
    ip -n "$prefix-$1" route add default via 10.77.1.1
    ip -n "$prefix-$1" -6 route add default via fd77:1::1
}

translate() {
    ip netns exec "$prefix-router" nft -f - << 'END'
table inet lab {
    chain prerouting {
        type nat hook prerouting priority -100
        ip daddr 198.51.100.1 tcp dport 8080 dnat ip to 10.77.1.13:80
        ip6 daddr 2001:db8:100::1 tcp dport 8080 dnat ip6 to [fd77:1::13]:80
    }
    chain postrouting {
        type nat hook postrouting priority 100
        oifname "wan" ip saddr 10.77.1.0/24 masquerade
        oifname "wan" ip6 saddr fd77:1::/64 snat ip6 to 2001:db8:100::1
    }
}
END
}

# A flood's packets end here unanswered, as at a firewalled host; otherwise each would provoke an ICMP error.
ignore_strays() {
    ip netns exec "$prefix-$1" nft -f - << 'END'
table inet lab {
    chain input {
        type filter hook input priority 0
        udp dport != 5353 drop
    }
}
END
}

up() {
    for node in $nodes; do
        ! exists "$prefix-$node" || fail "namespace $prefix-$node exists; 'lab.sh down $prefix' removes it"
    done
    # From here on a failure or an interruption leaves nothing behind.
    trap down EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    for node in $nodes; do make_node "$node"; done
    bridge lan 10.77.1.1/24 fd77:1::1/64
    bridge wan 198.51.100.1/24 2001:db8:100::1/64
    for n in 1 2 3; do
        connect "client$n" lan "lan$n" "10.77.1.1$n/24" "fd77:1::1$n/64"
        route_through_router "client$n"
    done
    for n in 1 2; do
        connect "server$n" wan "wan$n" "198.51.100.$((9 + n))/24" "2001:db8:100::$((9 + n))/64"
        ignore_strays "server$n"
    done
    setting router ipv4/ip_forward 1
    setting router ipv6/conf/all/forwarding 1

    # The rules come first: they load nf_conntrack, which brings the settings below.
    translate
    setting router netfilter/nf_conntrack_acct 1
    setting router netfilter/nf_conntrack_timestamp 1
    for protocol in udp icmp icmpv6; do
        setting router "netfilter/nf_conntrack_${protocol}_timeout" "$idle_timeout"
    done
    trap - EXIT INT TERM HUP
    echo "lab $prefix is up"
}

# signal SIGNAL: to every process in the lab's namespaces; says whether there was one.
signal() {
    found=1
    for node in $nodes; do
        exists "$prefix-$node" || continue
        for process in $(ip netns pids "$prefix-$node"); do
            found=0
            kill "-$1" "$process" 2> /dev/null || true
        done
    done
    return $found
}

# A process inside would keep its namespace alive, invisible, so processes go first.
down() {
    if signal TERM; then
        patience=20
        while [ $patience -gt 0 ] && signal 0; do
            sleep 0.1
            patience=$((patience - 1))
        done
        signal KILL || true
    fi
    left=0
    for node in $nodes; do
        ! exists "$prefix-$node" || ip netns del "$prefix-$node" || left=$((left + 1))
    done
    [ $left -eq 0 ] || fail "$left namespaces of $prefix could not be removed"
}

[ $# -eq 2 ] || usage
prefix=$2
case $prefix in
    '' | -* | *[!A-Za-z0-9_-]*) fail "'$prefix' is no prefix: letters, digits, '-' and '_' only" ;;
esac
[ "$(id -u)" -eq 0 ] || fail "namespaces need root"
for program in ip nft; do
    command -v $program > /dev/null || fail "$program is missing (Debian: apt-get install iproute2 nftables)"
done
[ -d /proc/sys/net/ipv6 ] || fail "this kernel runs without IPv6, which the lab needs"

case $1 in
    up) up ;;
    down)
        down
        echo "lab $prefix is down"
        ;;
    *) usage ;;
esac
