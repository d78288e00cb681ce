<#
    Real servers and clients of FTP, TFTP and SIP on both sides of a NAT router: helper-lab.sh, in namespaces of the suite.
#>
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/TestSupport.psm1"

<# Makes the lab: an object with the namespaces' names. #>
function New-HelperLab {
    $lab = [pscustomobject]@{
        Inside  = New-TestNamespace
        Router  = New-TestNamespace
        Outside = New-TestNamespace
        Folder  = (New-Item (Join-Path ([System.IO.Path]::GetTempPath()) "ctps-helper-lab-$(New-Guid)") -ItemType Directory).FullName
    }
    Invoke-Program "$PSScriptRoot/helper-lab.sh" up $lab.Folder $lab.Inside $lab.Router $lab.Outside
    $lab
}

<# Removes the lab, with its servers. #>
function Remove-HelperLab {
    param([Parameter(Position = 0)] $Lab)

    if ($Lab) {
        Invoke-Program "$PSScriptRoot/helper-lab.sh" down $Lab.Folder
        Remove-TestNamespace $Lab.Inside, $Lab.Router, $Lab.Outside
        Remove-Item $Lab.Folder -Recurse
    }
}

<# Whether the data connection of a protocol of helper-lab.sh comes. The table is emptied before: the kernel gives no helper to
   a connection that it has already. #>
function Test-HelperTraffic {
    param([Parameter(Position = 0)] $Lab, [Parameter(Position = 1)] [string] $Protocol, [Parameter(Position = 2)] [string] $Family, [int] $Port)

    Invoke-InNamespace $Lab.Router conntrack -F
    & "$PSScriptRoot/helper-lab.sh" $Protocol $Lab.Folder ($Family -eq 'IPv6' ? 6 : 4) @($Port -gt 0 ? $Port : @()) *> $null
    $LASTEXITCODE -eq 0
}

<# The data connections of the router, as conntrack lists them: entries that were expected. #>
function Get-DataConnection {
    param([Parameter(Position = 0)] $Lab, [Parameter(Position = 1)] [string] $Family)

    @(Invoke-InNamespace $Lab.Router conntrack -L -u EXPECTED -f $Family.ToLowerInvariant())
}

<# The expectations that the kernel of the router has made, with those that were used. #>
function Get-ExpectationCount {
    param([Parameter(Position = 0)] $Lab)

    ([regex]::Matches("$(Invoke-InNamespace $Lab.Router conntrack -S expect)", 'expect_create=(\d+)') | ForEach-Object { [int] $_.Groups[1].Value } | Measure-Object -Sum).Sum
}

Export-ModuleMember -Function New-HelperLab, Remove-HelperLab, Test-HelperTraffic, Get-DataConnection, Get-ExpectationCount
