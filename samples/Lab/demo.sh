#!/bin/sh
# The demonstration for machines without PowerShell: samples/Demo.ps1's scenario and job, by the C# sample on the core library.
set -eu

cd "$(dirname "$0")/../.."
sample=samples/CoreSample/bin/Release/net10.0/core-sample.dll

# Prints a command, then runs it: what is shown is what runs. In the background, so that a signal ends it at once.
show() {
    printf '\n$ %s\n' "$*"
    "$@" &
    wait $!
}

if [ "${1-}" = show ]; then
    router=$2
    trap 'kill $! 2> /dev/null; exit 143' TERM
    show dotnet $sample --namespace "$router" --remove 10.77.1.11
    if command -v conntrack > /dev/null; then
        show ip netns exec "$router" conntrack -C
    else
        printf '\nconntrack(8) is not installed: no second witness for the count.\n'
    fi
    echo
    exit
fi

dotnet build samples/CoreSample --configuration Release --nologo -v quiet -clp:NoSummary
# It takes the lab away again, whatever happens.
exec sh samples/Lab/scenario.sh "demo$$" sh samples/Lab/demo.sh show "demo$$-router"
