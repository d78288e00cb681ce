#!/bin/sh
# Installs what is missing, and runs build.ps1: ./build.sh [Build|Test|Demo|Bench|Pack|Clean] [-Option ...]
set -eu

cd "$(dirname "$0")"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 POWERSHELL_TELEMETRY_OPTOUT=1 POWERSHELL_UPDATECHECK=Off

if ! command -v dotnet >/dev/null; then
    echo '==> The .NET 10 SDK is missing: https://dotnet.microsoft.com/download' >&2
    exit 1
fi

case ${1:-Build} in
    Demo | Test | Bench)
        # Namespaces and the connection-tracking table need root.
        if [ "$(id -u)" -ne 0 ]; then
            echo "==> $1 needs root for network namespaces: asking sudo"
            exec sudo --preserve-env=PATH,DOTNET_ROOT,HOME,NO_COLOR,TERM "$0" "$@"
        fi
        build/install-packages.sh "$1"
        ;;
esac

# PowerShell and Pester in .tools, installed again when their versions change.
[ .tools/pwsh -nt build/Tools.csproj ] || dotnet msbuild build/Tools.csproj -nologo -v:quiet
if ! pwsh -NoProfile -Command 'exit [int] ($PSVersionTable.PSVersion -lt [version] "7.4")' 2>/dev/null; then
    PATH=$PWD/.tools:$PATH
fi
exec pwsh -NoProfile -NonInteractive -File build.ps1 "$@"
