<#
    A client, a router that drops what connection tracking calls invalid, and a server, each a network namespace; for tests of
    what becomes of a flow whose entry was saved and restored.
    Addresses: client 10.0.0.10, server 198.51.100.2; the router translates nothing.
#>
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/TestSupport.psm1"

$port = 5000

<# Creates the lab. Returns an object with the names of the namespaces and the folder of its programs. #>
function New-RestoreLab {
    $lab = [pscustomobject]@{
        Client = New-TestNamespace
        Router = New-TestNamespace
        Server = New-TestNamespace
        Folder = (New-Item -ItemType Directory (Join-Path ([System.IO.Path]::GetTempPath()) "ctps-restore-$PID-$(New-Guid)")).FullName
    }
    foreach ($program in 'tcp-transfer', 'sctp-packet') {
        Invoke-Program gcc -O2 -Wall -Wextra -Werror -o "$($lab.Folder)/$program" "$PSScriptRoot/$program.c"
    }
    Connect-Host $lab.Client client $lab.Router 10.0.0.10 10.0.0.1
    Connect-Host $lab.Server server $lab.Router 198.51.100.2 198.51.100.1
    Invoke-InNamespace $lab.Router sysctl -qw net.ipv4.ip_forward=1
    Invoke-InNamespace $lab.Router nft 'table inet lab { counter invalid { }; chain forward { type filter hook forward priority 0; ct state invalid counter name invalid drop; }; }'
    $null = Start-NamespaceProgram $lab.Server "$($lab.Folder)/tcp-transfer" serve $port
    $lab
}

<# Removes the lab, with its processes. #>
function Remove-RestoreLab {
    param([Parameter(Position = 0)] $Lab)

    if ($Lab) {
        Remove-TestNamespace $Lab.Client, $Lab.Router, $Lab.Server
        Remove-Item $Lab.Folder -Recurse
    }
}

<# Creates a host behind the router. Segments are sent one by one, as on a real network. Otherwise they would be joined to one packet. #>
function Connect-Host([string] $Name, [string] $Device, [string] $Router, [string] $Address, [string] $Gateway) {
    Invoke-InNamespace $Router ip link add $Device gso_max_segs 1 type veth peer name eth netns $Name
    Invoke-InNamespace $Name ip link set eth gso_max_segs 1 up
    Invoke-InNamespace $Router ip link set $Device up
    Invoke-InNamespace $Name ip address add "$Address/24" dev eth
    Invoke-InNamespace $Router ip address add "$Gateway/24" dev $Device
    Invoke-InNamespace $Name ip route add default via $Gateway
}

<# Opens a connection and leaves it idle. Returns an object with its source port. #>
function Open-LabTransfer {
    param([Parameter(Position = 0)] $Lab, [Parameter(Position = 1)] [long] $Bytes, [string] $Address = '198.51.100.2')

    $base = "$($Lab.Folder)/$(New-Guid)"
    $process = Start-Process ip -ArgumentList 'netns', 'exec', $Lab.Client, "$($Lab.Folder)/tcp-transfer", 'send', $Address, $port, $Bytes, "$base.go" -PassThru -RedirectStandardOutput "$base.out" -RedirectStandardError "$base.err"
    Register-NamespaceProcess $Lab.Client $process
    Wait-Until { Get-Content "$base.out" } { "the connection did not open: $(Get-Content "$base.err")" }
    [pscustomobject]@{ Process = $process; Base = $base; Port = [int] (Get-Content "$base.out" -TotalCount 1) }
}

<# Continues the connection until its end. True if all data arrived. A connection that stalls is ended. #>
function Complete-LabTransfer {
    param([Parameter(Position = 0)] $Transfer, [int] $Seconds = 120)

    Set-Content "$($Transfer.Base).go" ''
    if (-not $Transfer.Process.WaitForExit($Seconds * 1000)) {
        $Transfer.Process.Kill($true)
        $Transfer.Process.WaitForExit()
        return $false
    }
    $Transfer.Process.ExitCode -eq 0
}

<# The number of packets that the router has dropped as invalid. #>
function Get-LabInvalid {
    param([Parameter(Position = 0)] $Lab)

    $listing = Invoke-InNamespace $Lab.Router nft list counter inet lab invalid
    [int] [regex]::Match("$listing", 'packets (\d+)').Groups[1].Value
}

<# Sends one packet of an SCTP association from a host: data, heartbeat or heartbeat-ack. #>
function Send-LabSctp {
    param([Parameter(Position = 0)] $Lab, [Parameter(Position = 1)] [string] $Type, [switch] $FromServer, [uint] $Tag)

    $hosts = @(@($Lab.Client, '10.0.0.10', 4000), @($Lab.Server, '198.51.100.2', 5000))
    if ($FromServer) {
        [array]::Reverse($hosts)
    }
    $from, $to = $hosts
    Invoke-InNamespace $from[0] "$($Lab.Folder)/sctp-packet" $Type $from[1] $from[2] $to[1] $to[2] $Tag
}

Export-ModuleMember -Function New-RestoreLab, Remove-RestoreLab, Open-LabTransfer, Complete-LabTransfer, Get-LabInvalid, Send-LabSctp
