#!/bin/sh
# Finds PowerShell and hands over to build.ps1: ./build.sh [Build|Test|Demo|Bench|Pack|Clean].
# Without PowerShell, Build, Test and Demo still do what needs none of it.
set -eu

cd "$(dirname "$0")"
task=${1:-Build}
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 POWERSHELL_TELEMETRY_OPTOUT=1 POWERSHELL_UPDATECHECK=Off

step() { printf '==> %s\n' "$*"; }

case $task in
    Build | Test | Demo | Bench | Pack | Clean) ;;
    *)
        step "unknown task '$task': Build, Test, Demo, Bench, Pack or Clean"
        exit 2
        ;;
esac

if ! command -v dotnet >/dev/null; then
    step 'The .NET 10 SDK is missing: see https://dotnet.microsoft.com/download'
    exit 1
fi

# Namespaces and the connection-tracking table are root's.
case $task in
    Test | Demo | Bench)
        if [ "$(id -u)" -ne 0 ]; then
            step "$task needs root for network namespaces: asking sudo"
            exec sudo --preserve-env=PATH,DOTNET_ROOT,HOME,NO_COLOR,TERM "$0" "$@"
        fi
        ;;
esac

if command -v pwsh >/dev/null; then
    step "PowerShell: $(command -v pwsh)"
    exec pwsh -NoProfile -NonInteractive -File build.ps1 "$@"
fi

step 'PowerShell is not on PATH: trying dotnet tool restore'
if dotnet tool restore >/dev/null 2>&1 && dotnet pwsh -NoProfile -Command exit >/dev/null 2>&1; then
    # build.ps1 and the tests start pwsh by that name.
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT INT TERM
    printf '#!/bin/sh\nexec dotnet tool run pwsh -- "$@"\n' >"$tools/pwsh"
    chmod +x "$tools/pwsh"
    PATH=$tools:$PATH pwsh -NoProfile -NonInteractive -File build.ps1 "$@"
    exit
fi

missing() {
    step 'PowerShell was not found. Get it from https://aka.ms/install-powershell, put pwsh on PATH, and run this again.'
}

case $task in
    Build)
        step 'Build: compile (without PowerShell no package is laid out)'
        dotnet build ConntrackPS.sln --configuration Release --nologo -v quiet
        missing
        step 'Build: compiled, no package'
        ;;
    Test)
        step 'Test: xunit'
        log=$(mktemp)
        trap 'rm -f "$log"' EXIT INT TERM
        dotnet build ConntrackPS.sln --configuration Release --nologo -v quiet
        status=0
        dotnet test tests/ConntrackPS.Core.Tests --configuration Release --nologo --no-build >"$log" 2>&1 || status=$?
        cat "$log"
        missing
        step 'Test: the Pester suite did NOT run, since there is no PowerShell: no cmdlet was tested'
        passed=$(sed -n 's/.*Failed: *\([0-9]*\), Passed: *\([0-9]*\).*/\2/p' "$log" | tail -n 1)
        failed=$(sed -n 's/.*Failed: *\([0-9]*\), Passed: *\([0-9]*\).*/\1/p' "$log" | tail -n 1)
        printf 'xunit: %s passed, %s failed\npester: 0 passed, 0 failed, 0 skipped\n' "${passed:-0}" "${failed:-0}"
        [ "${passed:-0}" -gt 0 ] || exit 1
        exit "$status"
        ;;
    Demo)
        missing
        step 'Demo: the same lab through the C# sample on the core library'
        dotnet build ConntrackPS.sln --configuration Release --nologo -v quiet
        sh samples/Lab/demo.sh
        step 'Demo: done'
        ;;
    *)
        missing
        exit 1
        ;;
esac
