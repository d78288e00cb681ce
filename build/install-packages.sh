#!/bin/sh
# Installs the Debian packages that a task needs and this machine lacks: build/install-packages.sh Demo|Test|Bench
set -eu

missing=
while read -r tasks package sign; do
    case ",$tasks," in
        *",$1,"*) command -v "$sign" >/dev/null || [ -e "$sign" ] || missing="$missing $package" ;;
    esac
done <"$(dirname "$0")/packages"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "==> $1 needs these Debian packages, and there is no apt-get to install them:$missing" >&2
    exit 1
fi
echo "==> $1 needs Debian packages, installing:$missing"
as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
$as_root apt-get update -qq >/dev/null
# shellcheck disable=SC2086 # names of packages
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
