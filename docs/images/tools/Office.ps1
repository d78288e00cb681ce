<#
.SYNOPSIS
    The clients of Flows.csv, each at its pace, with page loads and name queries of others between them, until this is ended.
#>
[CmdletBinding()]
param()

$ErrorActionPreference = 'Stop'
$ticksPerSecond = 10
$buffer = [byte[]]::new(256KB)

function Open([string] $Protocol, [string] $Source, [string] $Destination, [int] $Port) {
    $from = [ipaddress] $Source
    $type = $Protocol -eq 'Tcp' ? 'Stream' : 'Dgram'
    $socket = [System.Net.Sockets.Socket]::new($from.AddressFamily, $type, $Protocol)
    $socket.Bind([System.Net.IPEndPoint]::new($from, 0))
    $socket.Connect([ipaddress] $Destination, $Port)
    $socket
}

# The other half of the rate is what comes back.
function Send([System.Net.Sockets.Socket] $Socket, [int] $Length) {
    $piece = $Socket.SocketType -eq 'Dgram' ? 1200 : 64KB
    for ($left = $Length; $left -gt 0; $left -= $piece) {
        $null = $Socket.Send($buffer, [Math]::Min($left, $piece), 'None')
    }
}

function Read([System.Net.Sockets.Socket] $Socket) {
    while ($Socket.Available) {
        $null = $Socket.Receive($buffer)
    }
}

# An ICMP echo request; its checksum and identifier are the kernel's work.
$buffer[0] = 8
$flows = Import-Csv "$PSScriptRoot/Flows.csv"
$open = @(
    foreach ($flow in $flows) {
        @{
            Socket = Open $flow.Protocol $flow.Source $flow.Destination $flow.Port
            Bytes  = [double] $flow.KilobitPerSecond * 1000 / 8 / 2 / $ticksPerSecond
        }
    }
)
$pages = $flows | Where-Object { $_.Protocol -eq 'Tcp' -and $_.Port -in 80, 443 }
$passing = [System.Collections.Generic.Queue[System.Net.Sockets.Socket]]::new()

function Open-Page {
    $page = $pages | Get-Random
    $query = Open Udp (Get-Client '10.77.1.0') 192.0.2.53 53
    Send $query 48
    $query.Dispose()
    $socket = Open Tcp (Get-Client $page.Source) $page.Destination $page.Port
    Send $socket (Get-Random -Minimum 800 -Maximum 30KB)
    $passing.Enqueue($socket)
}

function Close-Page {
    $socket = $passing.Dequeue()
    Read $socket
    $socket.Dispose()
}

# Any client of the same network.
function Get-Client([string] $Address) {
    $Address -replace '\d+$', (Get-Random -Minimum 20 -Maximum 60)
}

# Connections that stand idle, as browsers keep them; the variable holds them, or they would be collected as garbage.
$idle = foreach ($number in 1..800) {
    $page = $pages | Get-Random
    Open Tcp (Get-Client $page.Source) $page.Destination $page.Port
}

for ($tick = 0; ; $tick++) {
    foreach ($flow in $open) {
        Read $flow.Socket
        Send $flow.Socket ($flow.Bytes * (Get-Random -Minimum 0.7 -Maximum 1.3))
    }
    if ($tick % 3 -eq 0) {
        Open-Page
        if ($passing.Count -gt 2) {
            Close-Page
        }
    }
    Start-Sleep -Milliseconds (1000 / $ticksPerSecond)
}
