<# What this process holds of the kernel. #>

<# What a listing holds while it runs: a socket, an eventfd, and a thread that reads. #>
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

<# The same, when the readers have ended: a thread that was joined leaves /proc a moment later. #>
function Get-Settled {
    $deadline = [DateTime]::UtcNow.AddSeconds(10)
    do {
        $held = Get-Held
    } while ($held.Readers -gt 0 -and [DateTime]::UtcNow -lt $deadline)
    $held
}

Export-ModuleMember -Function 'Get-Held', 'Get-Settled'
