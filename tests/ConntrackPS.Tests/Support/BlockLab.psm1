<#
    A DNAT router under load, for tests and benchmarks of blocking: outside -- router -- inside, each a network namespace.
    What comes to the router's public address on port 5000 or 5001 goes to the host inside, which answers on 5000 alone;
    what comes from inside is masqueraded.
    Addresses: outside 198.51.100.2 and 2001:db8:100::2, the router's public ones end in 1, the host inside 10.0.0.10 and
    fd00::10.
#>
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/TestSupport.psm1"

$public = @{ IPv4 = '198.51.100.1'; IPv6 = '2001:db8:100::1' }
$inside = @{ IPv4 = '10.0.0.10'; IPv6 = 'fd00::10' }
$rules = @'
table inet lab {
    chain prerouting {
        type nat hook prerouting priority dstnat;
        iifname out udp dport 5000-5001 meta nfproto ipv4 dnat ip to 10.0.0.10
        iifname out udp dport 5000-5001 meta nfproto ipv6 dnat ip6 to fd00::10
    }
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname out masquerade
    }
}
'@

<# Makes the lab: an object with the namespaces' names, addresses, and the program that makes traffic. #>
function New-BlockLab {
    $lab = [pscustomobject]@{
        Outside = New-TestNamespace
        Router  = New-TestNamespace
        Inside  = New-TestNamespace
        Public  = $public
        Host    = $inside
        Program = Join-Path ([System.IO.Path]::GetTempPath()) "ctps-udp-traffic-$PID"
    }
    gcc -O2 -Wall -Werror -o $lab.Program "$PSScriptRoot/udp-traffic.c"
    if ($LASTEXITCODE -ne 0) {
        throw 'gcc failed.'
    }
    Connect-Namespace $lab.Router out $lab.Outside
    Connect-Namespace $lab.Router in $lab.Inside
    Add-Address $lab.Outside eth 198.51.100.2/24 2001:db8:100::2/64
    Add-Address $lab.Router out 198.51.100.1/24 2001:db8:100::1/64
    Add-Address $lab.Router in 10.0.0.1/24 fd00::1/64
    Add-Address $lab.Inside eth 10.0.0.10/24 fd00::10/64
    Invoke-InNamespace $lab.Inside ip route add default via 10.0.0.1
    Invoke-InNamespace $lab.Inside ip -6 route add default via fd00::1
    Invoke-InNamespace $lab.Router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    Set-LabRule $lab $rules
    $null = Start-LabTraffic $lab $lab.Inside echo 5000
    $null = Start-LabTraffic $lab $lab.Inside sink 5001
    $null = Start-LabTraffic $lab $lab.Outside echo 6000
    $lab
}

<# Removes the lab, with its processes. #>
function Remove-BlockLab {
    param([Parameter(Position = 0)] $Lab)

    if ($Lab) {
        Remove-TestNamespace $Lab.Outside, $Lab.Router, $Lab.Inside
        Remove-Item $Lab.Program, "$($Lab.Program)-*" -ErrorAction Ignore
    }
}

<# Loads rules into the router. #>
function Set-LabRule {
    param([Parameter(Position = 0)] $Lab, [Parameter(Position = 1)] [string] $Rule)

    $file = New-TemporaryFile
    try {
        Set-Content $file $Rule
        Invoke-InNamespace $Lab.Router nft -f $file.FullName
    }
    finally {
        Remove-Item $file
    }
}

<# Starts udp-traffic in a namespace; the process, which prints into the file of its property Output. #>
function Start-LabTraffic {
    param([Parameter(Position = 0)] $Lab, [Parameter(Position = 1)] [string] $Namespace, [Parameter(Position = 2, ValueFromRemainingArguments)] [string[]] $Argument)

    $output = "$($Lab.Program)-$(New-Guid)"
    $process = Start-Process ip -ArgumentList (@('netns', 'exec', $Namespace, $Lab.Program) + $Argument) -PassThru -RedirectStandardOutput $output
    Add-Member -InputObject $process Output $output
    Register-NamespaceProcess $Namespace $process
    $process
}

<# Ends a flood; how many datagrams it sent. #>
function Stop-LabTraffic {
    param([Parameter(Position = 0)] $Process)

    kill -TERM $Process.Id
    $Process.WaitForExit()
    [long] (Get-Content $Process.Output)
    Remove-Item $Process.Output
}

<# Whether a datagram is answered. #>
function Test-LabAnswer {
    param([Parameter(Position = 0)] $Lab, [Parameter(Position = 1)] [string] $Namespace, [Parameter(Position = 2)] [string] $Address, [Parameter(Position = 3)] [int] $Port, [int] $SourcePort)

    ip netns exec $Namespace $Lab.Program ask $Address $Port $SourcePort
    $LASTEXITCODE -eq 0
}

<# The router's entries of UDP with a port, whichever way round, as conntrack lists them. #>
function Get-LabFlow {
    param([Parameter(Position = 0)] $Lab, [string] $Family, [int] $Port = 5000)

    ip netns exec $Lab.Router conntrack -L -f $Family.ToLowerInvariant() -p udp 2>$null | Where-Object { $_ -match "port=$Port\s" }
}

function Connect-Namespace([string] $Router, [string] $Name, [string] $Other) {
    Invoke-InNamespace $Router ip link add $Name type veth peer name eth netns $Other
    Invoke-InNamespace $Router ip link set $Name up
    Invoke-InNamespace $Other ip link set eth up
}

function Add-Address([string] $Namespace, [string] $Device, [string] $Four, [string] $Six) {
    Invoke-InNamespace $Namespace ip address add $Four dev $Device
    Invoke-InNamespace $Namespace ip address add $Six dev $Device nodad
}

<# Takes the table of a block or rule of this process away, and with -Usurp puts one of its name there that is nobody's: over the
   table's own socket, since nobody else may. The kernel does so by fault only. #>
function Remove-KernelTable([string] $Table, [switch] $Usurp) {
    $value = {
        param($Object, $Name)
        $Object.GetType().GetField($Name, [Reflection.BindingFlags] 'NonPublic, Instance').GetValue($Object)
    }
    $watch = [ConntrackPS.Blocking.TrafficBlock].Assembly.GetType('ConntrackPS.Nftables.TableWatch')
    $held = @($watch.GetField('Tables', [Reflection.BindingFlags] 'NonPublic, Static').GetValue($null)) | Where-Object Name -EQ $Table
    $handle = & $value (& $value (& $value $held '<connection>P') _socket) _handle

    # struct nlmsghdr, nfgenmsg and NFTA_TABLE_NAME.
    $message = {
        param([int] $Type, [int] $Flags, [byte[]] $Rest)
        [BitConverter]::GetBytes(16 + $Rest.Length) + [BitConverter]::GetBytes([uint16] $Type) + [BitConverter]::GetBytes([uint16] $Flags) + [byte[]]::new(8) + $Rest
    }
    $name = [Text.Encoding]::ASCII.GetBytes("$Table`0")
    $named = [byte[]](1, 0, 0, 0) + [BitConverter]::GetBytes([uint16] (4 + $name.Length)) + [byte[]](1, 0) + $name + [byte[]]::new((4 - $name.Length % 4) % 4)
    $limit = [byte[]](0, 0, 0, 10)
    $batch = (& $message 0x10 1 $limit) + (& $message 0xa02 1 $named) + ($Usurp ? (& $message 0xa00 0x401 $named) : @()) + (& $message 0x11 1 $limit)
    $stream = [IO.FileStream]::new([Microsoft.Win32.SafeHandles.SafeFileHandle]::new($handle.DangerousGetHandle(), $false), [IO.FileAccess]::Write, 0)
    $stream.Write([byte[]] $batch, 0, $batch.Length)
}

Export-ModuleMember -Function New-BlockLab, Remove-BlockLab, Set-LabRule, Start-LabTraffic, Stop-LabTraffic, Test-LabAnswer, Get-LabFlow, Remove-KernelTable
