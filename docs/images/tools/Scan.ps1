<#
.SYNOPSIS
    The misbehaving client: knocks at one port after the other of a whole network, where nobody answers, until this is ended.
#>
[CmdletBinding()]
param()

$ErrorActionPreference = 'Stop'
while ($true) {
    foreach ($port in 445, 445, 445, 3389, 3389, 23) {
        foreach ($number in 1..254) {
            $socket = [System.Net.Sockets.Socket]::new('InterNetwork', 'Stream', 'Tcp')
            $socket.Blocking = $false
            try {
                $socket.Connect("203.0.113.$number", $port)
            }
            catch [System.Net.Sockets.SocketException] {
                # The handshake is under way, and its entry in the router's table stays when the socket goes.
            }
            $socket.Dispose()
        }
        Start-Sleep -Milliseconds 900
    }
}
