<# Stops cmdlets at random times, as Ctrl+C does. #>
Import-Module "$PSScriptRoot/ProcessState.psm1"

<# Work for each cmdlet. It never names the entries of 192.0.2.0/24. #>
$work = [ordered]@{
    'a listing'           = { $null = Get-ConntrackEntry -NetworkNamespace $Namespace }
    'a filter'            = { Get-ConntrackEntry 203.0.113.99 -NetworkNamespace $Namespace }
    'a slow consumer'     = { Get-ConntrackEntry -NetworkNamespace $Namespace | ForEach-Object { Start-Sleep -Milliseconds 1 } }
    'statistics'          = { Get-ConntrackStat -Interval 1 -Count 3 -NetworkNamespace $Namespace }
    'health'              = { Test-ConntrackHealth -SampleTime 1 -NetworkNamespace $Namespace }
    'metrics'             = { Export-ConntrackMetric -TopSource 5 -NetworkNamespace $Namespace }
    'alerts'              = {
        try {
            Register-ConntrackAlert -SourceIdentifier stop-alerts -FillAbove 0 -Drop -Finding * -Interval 1 -NetworkNamespace $Namespace
            Start-Sleep 1
        }
        finally {
            Unregister-Event stop-alerts -ErrorAction Ignore
        }
    }
    'repair'              = { Test-ConntrackHealth -MinimumSeverity Information -SampleTime 0 -NetworkNamespace $Namespace | Repair-ConntrackHealth -SampleTime 1 -WhatIf -NetworkNamespace $Namespace }
    'a watch'             = { Watch-ConntrackEvent -IncludeExisting -EnableEvent -NetworkNamespace $Namespace }
    'a watch with resync' = { Watch-ConntrackEvent -Resync -Reliable -NetworkNamespace $Namespace -WarningAction Ignore }
    'helpers'             = { Get-ConntrackHelper -NetworkNamespace $Namespace }
    'exemptions'          = {
        try {
            Disable-ConntrackTracking -Protocol Udp -SourceAddress 203.0.113.9 -NetworkNamespace $Namespace
        }
        finally {
            Enable-ConntrackTracking * -NetworkNamespace $Namespace
        }
    }
    'helper rules'        = {
        try {
            Enable-ConntrackHelper ftp -DestinationAddress 203.0.113.9 -NetworkNamespace $Namespace
        }
        finally {
            Disable-ConntrackHelper * -NetworkNamespace $Namespace
        }
    }
    'expectations'        = { Get-ConntrackExpectation -NetworkNamespace $Namespace; Watch-ConntrackEvent -Expectation -NetworkNamespace $Namespace }
    'a subscription'      = {
        try {
            Register-ConntrackEvent -SourceIdentifier stop -NetworkNamespace $Namespace -WarningAction Ignore
            Start-Sleep 1
        }
        finally {
            Unregister-Event stop -ErrorAction Ignore
        }
    }
    'creation'            = { Get-ConntrackEntry 10.0.0.0/8 -NetworkNamespace $Namespace | New-ConntrackEntry -Zone 9 -Force -NetworkNamespace $Namespace }
    'a change'            = { Set-ConntrackEntry 10.0.0.0/8 -NewMark (Get-Random -Maximum 1000) -NetworkNamespace $Namespace }
    'a piped change'      = { Get-ConntrackEntry 10.0.0.0/8 -NetworkNamespace $Namespace | Set-ConntrackEntry -NewTimeout 3000 -NetworkNamespace $Namespace }
    'a piped removal'     = { Get-ConntrackEntry -Zone 9 -NetworkNamespace $Namespace | Remove-ConntrackEntry -PassThru -NetworkNamespace $Namespace }
    'a removal'           = { Remove-ConntrackEntry 10.0.0.0/8 -Zone 9 -NetworkNamespace $Namespace }
    'clearing'            = { Clear-ConntrackTable -AddressFamily IPv6 -Confirm:$false -NetworkNamespace $Namespace }
    'counting'            = { Measure-ConntrackEntry -GroupBy SourceAddress -Interval 1 -NetworkNamespace $Namespace; Show-ConntrackTop -Once -NetworkNamespace $Namespace }
    'a block'             = {
        try {
            Block-ConntrackTraffic 203.0.113.0/24 -NetworkNamespace $Namespace
            Get-ConntrackBlock
        }
        finally {
            Get-ConntrackBlock | Unblock-ConntrackTraffic
        }
    }
    'a history'           = {
        $file = [IO.Path]::GetTempFileName()
        try {
            Get-ConntrackStat -Interval 1 -Count 2 -NetworkNamespace $Namespace | Add-ConntrackHistory $file -TopSource 3
            Get-ConntrackHistory $file
            Export-ConntrackReport "$file.html" -SampleTime 1 -NetworkNamespace $Namespace
        }
        finally {
            Remove-Item $file, "$file.html" -ErrorAction Ignore
        }
    }
    'a limit'             = {
        try {
            Limit-ConntrackSource -Maximum 100000 -NetworkNamespace $Namespace
            $null = Get-ConntrackRule -IncludeSource -NetworkNamespace $Namespace
        }
        finally {
            Remove-ConntrackRule * -NetworkNamespace $Namespace
        }
    }
    'a blocked removal'   = { Remove-ConntrackEntry 203.0.113.0/24 -BlockTime 1 -NetworkNamespace $Namespace }
    'expecting'           = {
        New-ConntrackEntry 203.0.113.1 198.51.100.7 -Protocol tcp -SourcePort 1000 -DestinationPort 21 -State Established -Timeout 60 -Helper ftp -Zone 9 -PassThru -Force -NetworkNamespace $Namespace |
            ForEach-Object { New-ConntrackExpectation 203.0.113.1 198.51.100.7 -DestinationPort 5000 -Timeout 60 -Master $_ -Force -NetworkNamespace $Namespace }
        Remove-ConntrackExpectation 203.0.113.1 -NetworkNamespace $Namespace
    }
    'text'                = { Get-ConntrackEntry -NetworkNamespace $Namespace | ConvertTo-ConntrackText | ConvertFrom-ConntrackText }
    'timeouts'            = { Get-ConntrackTimeout -NetworkNamespace $Namespace; Set-ConntrackTimeout udp Replied 120 -NetworkNamespace $Namespace }
    'settings'            = { Get-ConntrackSetting -NetworkNamespace $Namespace; Set-ConntrackSetting Accounting $true -NetworkNamespace $Namespace }
    'policies'            = { New-ConntrackTimeoutPolicy stop udp -Replied 5 -NetworkNamespace $Namespace; Set-ConntrackTimeoutPolicy stop -Replied 6 -NetworkNamespace $Namespace; Get-ConntrackTimeoutPolicy -NetworkNamespace $Namespace; Remove-ConntrackTimeoutPolicy stop -NetworkNamespace $Namespace }
}

<# Starts work over and over in one runspace, and stops each after a random time; what was held before and after, and what
   should not have happened. #>
function Invoke-RandomStop {
    param([string] $Module, [string] $Namespace, [int] $Count, [int] $Seed)

    $random = [Random]::new($Seed)
    $state = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault()
    $state.ImportPSModule($Module)
    $runspace = [runspacefactory]::CreateRunspace($state)
    $runspace.Open()
    $runspace.SessionStateProxy.SetVariable('Namespace', $Namespace)
    $result = [ordered]@{ Stopped = 0; Completed = 0; Problems = [System.Collections.Generic.List[string]]::new(); Before = $null; After = $null; Works = $work.Count }
    foreach ($turn in (-$work.Count)..($Count - 1)) {
        if ($turn -eq 0) {
            # All have run once, so that everything is loaded.
            Remove-Left $Namespace
            $result.Before = Get-Settled
            ($result.Stopped, $result.Completed) = 0, 0
        }
        $name = @($work.Keys)[($turn + $work.Count) % $work.Count]
        $shell = [powershell]::Create($runspace)
        $null = $shell.AddScript("$($work[$name])")
        $running = $shell.BeginInvoke()
        [System.Threading.Thread]::Sleep($random.Next(40))
        $stopping = $shell.BeginStop($null, $null)
        if (-not $stopping.AsyncWaitHandle.WaitOne(30000)) {
            $result.Problems.Add("$name does not stop")
            break
        }
        $ended = "$($shell.InvocationStateInfo.State)"
        $result[$ended]++
        if ($ended -notin 'Stopped', 'Completed') {
            $result.Problems.Add("$name ended as $ended`: $($shell.InvocationStateInfo.Reason)")
        }
        # The result of a stopped run may already exist in the next one. No other error is allowed.
        foreach ($record in $shell.Streams.Error | Where-Object FullyQualifiedErrorId -NotMatch '^(Policy|Entry)(Exists|NotFound),') {
            $result.Problems.Add("$name said $($record.FullyQualifiedErrorId): $record")
        }
        $shell.Dispose()
    }
    $runspace.Dispose()

    Remove-Left $Namespace
    $result.After = Get-Settled
    $result
}

<# A stop can come at the very end of a command that adds a block or a rule. These are still listed, and are not a leak. #>
function Remove-Left([string] $Namespace) {
    Get-ConntrackBlock | Unblock-ConntrackTraffic
    Remove-ConntrackRule * -NetworkNamespace $Namespace
}

<# The work itself, by its names. #>
function Get-StoppableWork {
    $work
}

<# The names of the work, and each as a script that repeats it for ever. #>
function Get-EndlessWork {
    foreach ($name in $work.Keys) {
        [pscustomobject]@{ Name = $name; Script = [scriptblock]::Create("'started'; while (`$true) { $($work[$name]) }") }
    }
}

Export-ModuleMember -Function 'Invoke-RandomStop', 'Get-StoppableWork', 'Get-EndlessWork'
