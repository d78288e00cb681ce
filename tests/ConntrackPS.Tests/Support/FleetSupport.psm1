# Routers of a fleet: network namespaces, each with an sshd on its loopback.

Import-Module "$PSScriptRoot/TestSupport.psm1"

<# Whether this machine has what a router of the tests is made of. #>
function Test-SshServer {
    (Test-Path /usr/sbin/sshd) -and [bool] (Get-Command ssh, nc -CommandType Application -ErrorAction Ignore | Select-Object -Skip 1)
}

<# Starts sshd in a namespace; the options of a connection to it. #>
function Start-SshServer {
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Namespace,
        [Parameter(Mandatory, Position = 1)] [string] $Folder
    )

    if (-not (Test-Path "$Folder/key")) {
        foreach ($name in 'host', 'key') {
            $null = ssh-keygen -q -t ed25519 -N '' -f "$Folder/$name"
        }
        Set-Content "$Folder/sshd_config" @"
HostKey $Folder/host
ListenAddress 127.0.0.1
AuthorizedKeysFile $Folder/key.pub
PasswordAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
Subsystem powershell $((Get-PowerShellCommand) -join ' ') -sshs -NoLogo -NoProfile
"@
    }
    $null = New-Item /run/sshd -ItemType Directory -Force
    $null = Invoke-InNamespace $Namespace ip link set lo up
    $null = Start-NamespaceProgram $Namespace /usr/sbin/sshd -D -f "$Folder/sshd_config"
    Wait-Until { Invoke-InNamespace $Namespace cat /proc/net/tcp | Select-String '0100007F:0016 00000000:0000 0A' } 'sshd does not listen'
    @{
        ProxyCommand          = "ip netns exec $Namespace nc 127.0.0.1 22"
        IdentityFile          = "$Folder/key"
        IdentitiesOnly        = 'yes'
        StrictHostKeyChecking = 'no'
        UserKnownHostsFile    = '/dev/null'
        LogLevel              = 'ERROR'
    }
}

Export-ModuleMember -Function 'Test-SshServer', 'Start-SshServer'
