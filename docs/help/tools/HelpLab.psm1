<#
    The router for the examples of the help. It has a few real connections with counters and translated sources, and other entries
    that are put into the table. It uses the namespaces of its process, and ends with the process.
#>
$ErrorActionPreference = 'Stop'

# The other entries, as conntrack prints them.
$listed = @'
tcp 6 104 SYN_SENT src=10.77.1.12 dst=198.51.100.11 sport=40620 dport=25 [UNREPLIED] src=198.51.100.11 dst=198.51.100.1 sport=25 dport=40620 mark=0 use=1
tcp 6 429812 ESTABLISHED src=198.51.100.77 dst=198.51.100.1 sport=33412 dport=8080 src=10.77.1.13 dst=198.51.100.77 sport=80 dport=33412 [ASSURED] mark=0 use=1
tcp 6 431990 ESTABLISHED src=fd77:1::12 dst=2001:db8:100::10 sport=37140 dport=443 src=2001:db8:100::10 dst=fd77:1::12 sport=443 dport=37140 [ASSURED] mark=0 use=1
tcp 6 299 ESTABLISHED src=10.77.1.13 dst=198.51.100.10 sport=51514 dport=443 src=198.51.100.10 dst=10.77.1.13 sport=443 dport=51514 [ASSURED] mark=0 zone=7 use=1
udp 17 119 src=10.77.1.12 dst=198.51.100.1 sport=40000 dport=53 src=10.77.1.13 dst=10.77.1.12 sport=53 dport=40000 [ASSURED] mark=0 use=1
udp 17 28 src=10.77.1.13 dst=198.51.100.53 sport=5000 dport=53 [UNREPLIED] src=198.51.100.53 dst=10.77.1.13 sport=53 dport=5000 mark=256 use=1
icmp 1 29 src=10.77.1.11 dst=198.51.100.11 type=8 code=0 id=4711 src=198.51.100.11 dst=10.77.1.11 type=0 code=0 id=4711 mark=0 use=1
'@ -split '\n'

$rules = @'
table inet lab {
    ct helper std-ftp { type "ftp" protocol tcp; }
    chain prerouting { type filter hook prerouting priority 0; ct state invalid counter; tcp dport 21 ct helper set "std-ftp"; }
    chain postrouting { type nat hook postrouting priority 100; ip saddr 10.77.1.0/24 snat ip to 198.51.100.1; }
}
'@

$sockets = [System.Collections.Generic.List[object]]::new()

<# Creates addresses, rules and sockets. Files in /etc, /run/netns, /mnt and the current folder exist only in the lab. #>
function Initialize-Lab {
    foreach ($folder in '/run/netns', '/mnt', '/srv') {
        Invoke-Native mount -t tmpfs none $folder
    }
    $null = New-Item /srv/etc, /srv/work, /srv/here, /mnt/image -ItemType Directory
    Invoke-Native mount -t overlay overlay -o 'lowerdir=/etc,upperdir=/srv/etc,workdir=/srv/work' /etc
    Set-Location /srv/here
    Invoke-Native ip netns add blue
    Invoke-Native ip link set lo up
    foreach ($address in '10.77.1.11', '10.77.1.12', '10.77.1.13', '198.51.100.1', '198.51.100.10', '198.51.100.53') {
        Invoke-Native ip address add $address dev lo
    }
    foreach ($address in 'fd77:1::12', '2001:db8:100::53') {
        Invoke-Native ip address add $address dev lo nodad
    }
    $rules | Set-Content rules.nft
    Invoke-Native nft -f rules.nft
    Invoke-Native sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1 net.netfilter.nf_conntrack_events=1
    Connect-Tcp 10.77.1.11 52110 198.51.100.10 443 4MB
    Connect-Tcp 10.77.1.11 52112 198.51.100.10 443 300KB
    Connect-Tcp 10.77.1.12 52644 198.51.100.10 80 1MB
    Connect-Udp fd77:1::12 41452 2001:db8:100::53 53
}

<# Resets the table, and prepares one example. #>
function Reset-Lab([string] $Prepare) {
    Stop-Background
    Get-ConntrackBlock | Unblock-ConntrackTraffic
    Get-ConntrackRule | Remove-ConntrackRule
    Clear-ConntrackTable -Confirm:$false
    Get-ConntrackTimeoutPolicy | Remove-ConntrackTimeoutPolicy
    Get-ConntrackTimeout | Where-Object { $_.TimeoutSeconds -ne $_.DefaultSeconds } | Set-ConntrackTimeout -Reset
    Remove-Item /etc/sysctl.d/99-conntrackps.conf, /etc/modprobe.d/conntrackps.conf -ErrorAction Ignore
    foreach ($socket in $sockets) {
        Send-Exchange $socket
    }
    $listed | ConvertFrom-ConntrackText | New-ConntrackEntry
    $master = New-ConntrackEntry 10.77.1.12 198.51.100.21 -Protocol Tcp -SourcePort 41100 -DestinationPort 21 -State Established -Timeout 5d -Status Assured, SeenReply -Helper ftp -PassThru
    $null = New-ConntrackExpectation 198.51.100.21 10.77.1.12 -DestinationPort 50021 -Master $master
    if ($Prepare) {
        & $Prepare
    }
}

<# Connects a client to a server. Send-Exchange transfers the bytes. #>
function Connect-Tcp([string] $From, [int] $FromPort, [string] $To, [int] $ToPort, [int] $Bytes) {
    $server = [System.Net.Sockets.TcpListener]::new([ipaddress] $To, $ToPort)
    $server.Server.SetSocketOption('Socket', 'ReuseAddress', $true)
    $server.Start()
    $client = [System.Net.Sockets.TcpClient]::new([System.Net.IPEndPoint]::new([ipaddress] $From, $FromPort))
    $client.Connect($To, $ToPort)
    $sockets.Add(@{ Client = $client.Client; Server = $server.AcceptSocket(); Bytes = $Bytes })
    $server.Stop()
}

function Connect-Udp([string] $From, [int] $FromPort, [string] $To, [int] $ToPort) {
    $client, $server = foreach ($end in ($From, $FromPort), ($To, $ToPort)) {
        $socket = [System.Net.Sockets.Socket]::new('InterNetworkV6', 'Dgram', 'Udp')
        $socket.Bind([System.Net.IPEndPoint]::new([ipaddress] $end[0], $end[1]))
        $socket
    }
    $client.Connect([ipaddress] $To, $ToPort)
    $server.Connect([ipaddress] $From, $FromPort)
    $sockets.Add(@{ Client = $client; Server = $server; Bytes = 120 })
}

<# Sends a request and its answer, which create the entry again after the table was emptied. #>
function Send-Exchange([hashtable] $Socket) {
    $buffer = [byte[]]::new([Math]::Min($Socket.Bytes, 64KB))
    $null = $Socket.Client.Send([byte[]]::new(40))
    $null = $Socket.Server.Receive($buffer)
    for ($left = $Socket.Bytes; $left -gt 0; $left -= $buffer.Length) {
        $null = $Socket.Server.Send($buffer)
        for ($wanted = $buffer.Length; $wanted -gt 0; $wanted -= $Socket.Client.Receive($buffer)) {
        }
    }
}

<# Creates and deletes connections, so that there are events. #>
function Start-Pulse {
    Start-Background {
        while ($true) {
            foreach ($port in 41000..41999) {
                conntrack -I -s 10.77.1.12 -d 198.51.100.53 -p udp --sport $port --dport 53 -t 30 *> $null
                conntrack -D -s 10.77.1.12 -p udp --sport $port *> $null
                Start-Sleep -Milliseconds 50
            }
        }
    }
}

<# Continues a download, so that there are rates. #>
function Start-Transfer {
    Start-Background {
        param($Socket)
        $buffer = [byte[]]::new(16KB)
        while ($true) {
            $null = $Socket.Server.Send($buffer)
            $null = $Socket.Client.Receive($buffer)
            Start-Sleep -Milliseconds 20
        }
    } $sockets[0]
}

function Start-Background([scriptblock] $Script, [object] $Argument) {
    $script:background = [powershell]::Create().AddScript($Script).AddArgument($Argument)
    $null = $background.BeginInvoke()
}

function Stop-Background {
    if ($script:background) {
        $background.Stop()
        $script:background = $null
    }
}

<# Creates handshakes that do not complete. #>
function Start-Flood {
    0..1499 | ForEach-Object {
        "tcp 6 90 SYN_SENT src=10.77.3.$($_ % 250) dst=198.51.100.10 sport=$(20000 + $_) dport=80 [UNREPLIED] src=198.51.100.10 dst=10.77.3.$($_ % 250) sport=80 dport=$(20000 + $_) mark=0 use=1"
    } | ConvertFrom-ConntrackText | New-ConntrackEntry
}

<# Creates the entries of many questions to a DNS server. #>
function Start-DnsLoad {
    0..1499 | ForEach-Object {
        "udp 17 25 src=2001:db8:7::$($_ % 250) dst=2001:db8:100::53 sport=$(20000 + $_) dport=53 src=2001:db8:100::53 dst=2001:db8:7::$($_ % 250) sport=53 dport=$(20000 + $_) mark=0 use=1"
    } | ConvertFrom-ConntrackText | New-ConntrackEntry
}

<# Creates the connections of one host that has too many. #>
function Start-Greedy {
    1..2400 | ForEach-Object {
        "tcp 6 431999 ESTABLISHED src=10.77.2.7 dst=198.51.100.10 sport=$(20000 + $_) dport=443 src=198.51.100.10 dst=198.51.100.1 sport=443 dport=$(20000 + $_) [ASSURED] mark=0 use=1"
    } | ConvertFrom-ConntrackText | New-ConntrackEntry
}

<# Writes a history of an hour, with a record each 20 minutes. #>
function New-History {
    Remove-Item history.csv* -ErrorAction Ignore
    foreach ($number in 0..3) {
        [pscustomobject]@{
            Time = [datetime]::Now.AddMinutes(20 * $number - 59); BootId = 'boot'; Uptime = 5000 + 1200 * $number; FillPercent = 0
            Count = (9000, 24000, 262144, 31000)[$number]; Maximum = 262144; Drop = (0, 0, 6000, 6600)[$number]; EarlyDrop = 0; InsertFailed = 0
            TopSources = @{ '10.77.1.11' = (400, 12000, 240000, 9000)[$number] }
        } | Add-ConntrackHistory history.csv
    }
}

function Invoke-Native {
    $program, $arguments = $args
    $said = & $program @arguments 2>&1
    if ($LASTEXITCODE -ne 0) {
        throw "'$args' failed: $said"
    }
}

Export-ModuleMember -Function Initialize-Lab, Reset-Lab, Start-Pulse, Start-Transfer, Start-Flood, Start-DnsLoad, Start-Greedy, New-History
