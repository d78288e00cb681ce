<#
    What the tests of the samples share: running one as an administrator would, and a namespace with traffic of its own.
#>
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/TestSupport.psm1"

$samples = Resolve-Path "$PSScriptRoot/../../../samples"

<# The path of a sample. #>
function Get-SamplePath {
    param([Parameter(Mandatory, Position = 0)] [string] $Name)

    "$samples/$Name.ps1"
}

<# Runs a sample in its own process, by another program if there is a prefix. Returns its exit code and its output,
   line by line. #>
function Invoke-Sample {
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Name,
        [string[]] $Prefix = @(),
        [Parameter(ValueFromRemainingArguments)] [string[]] $Argument
    )

    $output = Invoke-PowerShell (@('-NoProfile', '-NonInteractive', '-File', (Get-SamplePath $Name)) + $Argument) $Prefix 2>&1
    [pscustomobject]@{ ExitCode = $LASTEXITCODE; Output = @($output | ForEach-Object { "$_" }) }
}

<# Starts a sample that ends with the namespace and that Ctrl+C reaches. Returns the process. #>
function Start-Sample {
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Namespace,
        [Parameter(Mandatory, Position = 1)] [string] $Name,
        [Parameter(ValueFromRemainingArguments)] [string[]] $Argument
    )

    $words = @('-NoProfile', '-NonInteractive', '-File', (Get-SamplePath $Name)) + $Argument + '-NetworkNamespace', $Namespace
    $process = Start-PowerShell $words
    Register-NamespaceProcess $Namespace $process
    $process
}

<# Sends a datagram every 50 ms, from one port to an address in the namespace, until the namespace is deleted. #>
function Start-Sender {
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Namespace,
        [Parameter(Mandatory, Position = 1)] [string] $Address,
        [Parameter(Mandatory, Position = 2)] [int] $Port
    )

    $file = "$((Get-PSDrive TestDrive).Root)/send.sh"
    Set-Content $file 'exec 3> "/dev/udp/$1/$2"; while :; do echo x >&3; sleep 0.05; done'
    $null = Start-NamespaceProgram $Namespace bash $file $Address $Port
}

Export-ModuleMember -Function Get-SamplePath, Invoke-Sample, Start-Sample, Start-Sender
