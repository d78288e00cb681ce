<#
.SYNOPSIS
    The servers of Flows.csv: what comes in over TCP or UDP goes back, until this is ended.
#>
[CmdletBinding()]
param()

$ErrorActionPreference = 'Stop'
$flows = Import-Csv "$PSScriptRoot/Flows.csv"
$listeners = foreach ($port in $flows | Where-Object Protocol -EQ Tcp | Select-Object -ExpandProperty Port -Unique) {
    $listener = [System.Net.Sockets.TcpListener]::Create($port)
    $listener.Start()
    $listener.Server
}
# Bound to their addresses: an answer must come from the one that was asked.
$datagrams = foreach ($flow in @($flows | Where-Object Protocol -EQ Udp) + @{ Destination = '192.0.2.53'; Port = 53 }) {
    $end = [System.Net.IPEndPoint]::new([ipaddress] $flow.Destination, $flow.Port)
    $socket = [System.Net.Sockets.Socket]::new($end.AddressFamily, 'Dgram', 'Udp')
    $socket.Bind($end)
    $socket
}

# What has come in; nothing, where the client has gone, however it went.
function Receive([System.Net.Sockets.Socket] $Socket) {
    try {
        $Socket.Receive($buffer)
    }
    catch [System.Net.Sockets.SocketException] {
        0
    }
}

$connections = [System.Collections.Generic.List[System.Net.Sockets.Socket]]::new()
$buffer = [byte[]]::new(64KB)
while ($true) {
    $ready = [System.Collections.ArrayList] ($listeners + $datagrams + $connections)
    [System.Net.Sockets.Socket]::Select($ready, $null, $null, -1)
    foreach ($socket in $ready) {
        if ($socket -in $listeners) {
            $connections.Add($socket.Accept())
        }
        elseif ($socket -in $datagrams) {
            [System.Net.EndPoint] $client = [System.Net.IPEndPoint]::new($socket.AddressFamily -eq 'InterNetwork' ? [ipaddress]::Any : [ipaddress]::IPv6Any, 0)
            $length = $socket.ReceiveFrom($buffer, [ref] $client)
            $null = $socket.SendTo($buffer, $length, 'None', $client)
        }
        elseif ($length = Receive $socket) {
            $null = $socket.Send($buffer, $length, 'None')
        }
        else {
            $null = $connections.Remove($socket)
            $socket.Dispose()
        }
    }
}
