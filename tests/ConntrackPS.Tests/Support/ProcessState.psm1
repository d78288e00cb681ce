<# The kernel resources of this process. #>

<# The resources of a running listing: a socket, an eventfd, and a reading thread. #>
function Get-Held {
    $targets = foreach ($file in [System.IO.Directory]::GetFileSystemEntries('/proc/self/fd')) {
        try { [System.IO.File]::ResolveLinkTarget($file, $false)?.Name } catch [System.IO.IOException] { 'closed meanwhile' }
    }
    [pscustomobject]@{
        Sockets = @($targets -like 'socket:*').Count
        Events  = @($targets -like '*eventfd*').Count
        Readers = @([System.IO.Directory]::GetDirectories('/proc/self/task') | Where-Object {
                try { [System.IO.File]::ReadAllText("$_/comm") -like 'ConntrackPS*' } catch [System.IO.IOException] { $false }
            }).Count
    }
}

<# The same after the readers have ended. A joined thread disappears from /proc a moment later. #>
function Get-Settled {
    $deadline = [DateTime]::UtcNow.AddSeconds(10)
    do {
        $held = Get-Held
    } while ($held.Readers -gt 0 -and [DateTime]::UtcNow -lt $deadline)
    $held
}

Export-ModuleMember -Function 'Get-Held', 'Get-Settled'
