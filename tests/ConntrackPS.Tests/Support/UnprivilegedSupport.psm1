<#
    PowerShell as the user nobody. A folder that anybody can read has the module and a home; PowerShell itself is mounted into it,
    for the child alone, since the checkout or the SDK may lie in a home that nobody else can read.
#>
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/TestSupport.psm1"

$runtime = Split-Path ([Environment]::ProcessPath)

<# Makes the folder: its path. What the child is to read goes there, with modes that let it. #>
function New-UnprivilegedFolder {
    $folder = Join-Path ([System.IO.Path]::GetTempPath()) "ctps-$PID-$(New-Guid)"
    $null = New-Item "$folder/home", "$folder/pwsh", "$folder/runtime" -ItemType Directory
    Copy-Item (Get-PackagePath) "$folder/ConntrackPS" -Recurse
    chmod -R a+rX $folder
    chown 65534:65534 "$folder/home"
    $folder
}

<# Runs a script as nobody, with what options of setpriv leave to it: its output's lines. #>
function Invoke-Unprivileged {
    param(
        [Parameter(Mandatory, Position = 0)] [scriptblock] $Script,
        [Parameter(Mandatory)] [string] $Folder,
        [string] $Namespace,
        [string[]] $Option = @()
    )

    $mount = 'mount --bind "$1" "$3/pwsh" && mount --bind "$2" "$3/runtime" && shift 3 && exec "$@"'
    $prefix = @('unshare', '--mount', 'sh', '-c', $mount, 'sh', $PSHOME, $runtime, $Folder)
    if ($Namespace) {
        $prefix += 'ip', 'netns', 'exec', $Namespace
    }
    $prefix += @('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups') + $Option + 'env', "HOME=$Folder/home"
    $file = New-ChildScript $Script -Namespace $Namespace -Package "$Folder/ConntrackPS" -Folder $Folder
    try {
        $program, $words = Get-PowerShellCommand '-NoProfile', '-File', $file $prefix | ForEach-Object {
            $_ -replace "^$([regex]::Escape($PSHOME))/", "$Folder/pwsh/" -replace "^$([regex]::Escape($runtime))/", "$Folder/runtime/"
        }
        & $program @words 2>&1
    }
    finally {
        Remove-Item $file
    }
}

Export-ModuleMember -Function New-UnprivilegedFolder, Invoke-Unprivileged
