#!/bin/sh
# The clients of a lab: load.sh PREFIX PROGRAM RATE opens flows through the router until it is ended. Of every two seconds'
# flows most are never answered; the others are, over TCP, UDP and ICMP, IPv4 and IPv6, and end at once.
set -eu
prefix=$1 program=$2 rate=$3

trap 'kill $server 2> /dev/null || true' EXIT
trap 'exit 0' TERM INT
ip netns exec "$prefix-server1" "$program" serve &
server=$!

while :; do
    ip netns exec "$prefix-client1" "$program" flood --target 198.51.100.10 --flows $((rate * 2))
    ip netns exec "$prefix-client2" "$program" traffic --target 198.51.100.10 --target 2001:db8:100::10 --tcp 15 --udp 15 --icmp 5
    sleep 1.5
done
