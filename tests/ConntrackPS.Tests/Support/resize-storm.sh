#!/bin/bash
# Resizes the machine's hash table again and again, as often as the kernel lets itself be asked or so many times a second,
# while the given process lives and until SIGTERM; then puts the size back and prints how often it was changed.
#   resize-storm.sh <process id> [<pause in seconds>]
file=/proc/sys/net/netfilter/nf_conntrack_buckets
before=$(<$file)
over=
count=0
trap 'over=1' TERM INT
while [[ -z $over ]] && kill -0 "$1" 2>/dev/null; do
    echo $((before / 2)) >$file || break
    [[ -n $2 ]] && sleep "$2"
    echo "$before" >$file
    count=$((count + 2))
    [[ -n $2 ]] && sleep "$2"
done
echo "$before" >$file
echo $count
