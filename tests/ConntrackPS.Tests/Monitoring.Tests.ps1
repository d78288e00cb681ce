# The units, the scripts and the dashboard of samples/Monitoring. The dashboard's expressions are tested by xunit (DashboardTests).
BeforeDiscovery {
    $folder = Resolve-Path "$PSScriptRoot/../../samples/Monitoring"
    $units = Get-ChildItem "$folder/*.service", "$folder/*.timer"
    $scripts = Get-ChildItem "$folder/*.ps1"
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1", "$PSScriptRoot/Support/UnprivilegedSupport.psm1" -Force
    Import-PackagedModule
    $folder = "$(Resolve-Path "$PSScriptRoot/../../samples/Monitoring")"

    <# The last value of a key in unit files, as systemd reads it: an empty value clears it. #>
    function Get-UnitValue([string[]] $File, [string] $Key) {
        (Get-Content $File) -match "^$Key=" -replace "^$Key=" | Select-Object -Last 1
    }

    <# The command of a unit. Its words are separated by spaces, or are in double quotes. #>
    function Get-UnitCommand([string[]] $File) {
        [regex]::Matches((Get-UnitValue $File ExecStart), '"(?<word>[^"]*)"|(?<word>\S+)') | ForEach-Object { $_.Groups['word'].Value }
    }

    function New-Alert([string] $State = 'Raised', [string] $Evidence = '210000 of 262144 entries, 80.1 %, above 80 %') {
        [pscustomobject]@{ Time = Get-Date; State = $State; Kind = 'Fill'; Value = 80.1; Limit = 80; Finding = $null; Evidence = $Evidence; Namespace = $null } |
            Add-Member ScriptMethod ToString { "$($this.State) Fill: $($this.Evidence)" } -Force -PassThru
    }
}

Describe 'The unit <_.Name>' -ForEach $units {
    BeforeAll {
        $unit = $_.FullName
    }

    It 'has no mistake that systemd finds' {
        # The program of the unit need not be installed here, and the name of the unit is the file's.
        Copy-Item "$folder/*.service", "$folder/*.timer" $TestDrive
        (Get-ChildItem "$TestDrive/*.service").ForEach{ Set-Content $_ ((Get-Content $_ -Raw) -replace '/usr/bin/pwsh', '/bin/true') }
        $said = systemd-analyze verify "$TestDrive/$($_.Name)" 2>&1
        $LASTEXITCODE | Should -Be 0 -Because "$said"
        "$said" -split "`n" -match [regex]::Escape($_.BaseName) | Should -BeNullOrEmpty
    }

    It 'is hardened' -Skip:($_.Extension -eq '.timer') {
        $said = systemd-analyze security --offline=yes --no-pager "$unit" 2>&1
        if ("$said" -match 'unrecognized option|Unknown') {
            Set-ItResult -Skipped -Because 'this systemd has no systemd-analyze security --offline (250)'
            return
        }
        [regex]::Match("$said", 'exposure level for \S+: ([\d.]+)').Groups[1].Value | Should -Not -BeNullOrEmpty
        [double] [regex]::Match("$said", 'exposure level for \S+: ([\d.]+)').Groups[1].Value | Should -BeLessThan 2.5
        Get-UnitValue $unit AmbientCapabilities | Should -Be CAP_NET_ADMIN
        Get-UnitValue $unit CapabilityBoundingSet | Should -Be CAP_NET_ADMIN
        Get-UnitValue $unit User | Should -Be conntrack
    }
}

Describe 'The command of conntrack-metrics.service' {
    BeforeAll {
        $namespace = New-TestNamespace
        Add-KernelLine $namespace (New-ManyLine 7)
        $readable = New-UnprivilegedFolder
        $null = New-Item "$readable/textfile" -ItemType Directory
        chown 65534:65534 "$readable/textfile"

        <# Runs the command of the unit as an ordinary user with the capabilities of the unit. #>
        function Invoke-Unit([string[]] $File) {
            $words = @(Get-UnitCommand $File)
            $words[0..3] | Should -Be '/usr/bin/pwsh', '-NoProfile', '-NonInteractive', '-Command'
            $capabilities = (Get-UnitValue $File AmbientCapabilities).ToLower() -replace 'cap_', '+' -replace ' ', ','
            $command = $words[4].Replace('/var/lib/node_exporter/textfile', '$PSScriptRoot/textfile')
            Invoke-Unprivileged -Folder $readable -Namespace $namespace -Option "--inh-caps=$capabilities", "--ambient-caps=$capabilities", "--bounding-set=-all,$capabilities" ([scriptblock]::Create($command))
            Get-Content "$readable/textfile/conntrack.prom"
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
        Remove-Item $readable -Recurse -Force
    }

    It 'works with CAP_NET_ADMIN alone' {
        $lines = Invoke-Unit "$folder/conntrack-metrics.service"
        $lines | Should -Contain 'conntrack_entries 7'
        $lines -match '^conntrack_export_success' | Should -Be 'conntrack_export_success{part="statistics"} 1', 'conntrack_export_success{part="entries"} 1', 'conntrack_export_success{part="health"} 1'
        @($lines -match '^conntrack_source_entries').Count | Should -Be 7
    }

    It 'reads other namespaces with the drop-in' {
        $lines = Invoke-Unit "$folder/conntrack-metrics.service", "$folder/conntrack-metrics-namespaces.conf"
        $lines | Should -Contain "conntrack_entries{namespace=`"$namespace`"} 7"
    }

    It 'writes where the unit may write' {
        Get-UnitValue "$folder/conntrack-metrics.service" ReadWritePaths | Should -Be (Split-Path (Get-UnitCommand "$folder/conntrack-metrics.service")[4].Split(' ')[1])
    }
}

Describe 'The script <_.Name>' -ForEach $scripts {
    It 'has help for all that it takes, and the PowerShell of the module' {
        $help = Get-Help $_.FullName -Full
        $help.Synopsis | Should -Match '(?s)^[A-Z].*\.\s*$'
        foreach ($parameter in (Get-Command $_.FullName).ScriptBlock.Ast.ParamBlock.Parameters.Name.VariablePath.UserPath) {
            ($help.parameters.parameter | Where-Object Name -EQ $parameter).Description.Text | Should -Match '\S' -Because $parameter
        }
        Get-Content $_ | Should -Contain '#Requires -Version 7.4'
        Get-Content "$folder/../README.md" -Raw | Should -Match "``$([regex]::Escape($_.Name))``"
    }
}

Describe 'Send-TableAlert' {
    It 'sends a line of syslog to the journal' {
        $path = "$TestDrive/log"
        $socket = [System.Net.Sockets.Socket]::new('Unix', 'Dgram', 'Unspecified')
        $socket.Bind([System.Net.Sockets.UnixDomainSocketEndPoint]::new($path))
        $socket.ReceiveTimeout = 10000
        $buffer = [byte[]]::new(4096)
        try {
            (New-Alert Raised "two`nlines"), (New-Alert Cleared) | & "$folder/Send-TableAlert.ps1" -Journal -JournalSocket $path
            $lines = 1..2 | ForEach-Object { [System.Text.Encoding]::UTF8.GetString($buffer, 0, $socket.Receive($buffer)) }
        }
        finally {
            $socket.Dispose()
        }
        # daemon.warning and daemon.notice; RFC 3164, 4.1.2: the day has two columns.
        $lines[0] | Should -Match '^<28>[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d conntrackps\[\d+\]: Raised Fill: two lines$'
        $lines[1] | Should -Match '^<29>.*: Cleared Fill: 210000 of 262144 entries, 80\.1 %, above 80 %$'
    }

    It 'sends mail to a server' {
        $server = Start-ThreadJob {
            $listener = [System.Net.Sockets.TcpListener]::new([System.Net.IPAddress]::Loopback, 0)
            $listener.Start()
            $listener.LocalEndpoint.Port
            $client = $listener.AcceptTcpClient()
            $stream = [System.IO.StreamReader]::new($client.GetStream())
            $writer = [System.IO.StreamWriter]::new($client.GetStream())
            $writer.AutoFlush = $true
            $writer.NewLine = "`r`n"
            $writer.WriteLine('220 test')
            while ($null -ne ($line = $stream.ReadLine())) {
                $line
                switch -Regex ($line) {
                    '^DATA' {
                        $writer.WriteLine('354 go on')
                        while (($line = $stream.ReadLine()) -ne '.') { $line }
                        $writer.WriteLine('250 taken')
                    }
                    '^QUIT' { $writer.WriteLine('221 bye'); $listener.Stop(); return }
                    default { $writer.WriteLine('250 test') }
                }
            }
        }
        try {
            Wait-Until { $server.HasMoreData } 'the server has not started'
            $port = @(Receive-Job $server)[0]
            New-Alert Raised "first`r`nBcc: other@example.net" | & "$folder/Send-TableAlert.ps1" -MailTo noc@example.net -MailFrom router@example.net -SmtpServer "127.0.0.1:$port"
            $lines = @($server | Wait-Job -Timeout 20 | Receive-Job)
        }
        finally {
            Remove-Job $server -Force
        }
        $lines -match '^RCPT' | Should -Be 'RCPT TO:<noc@example.net>'
        $lines -match '^MAIL' | Should -Be 'MAIL FROM:<router@example.net>'
        $lines -match '^Subject: ' | Should -BeLike "Subject: *conntrack: Raised Fill: first*"
        $lines -match '^Bcc' | Should -BeNullOrEmpty -Because 'evidence must not add a header'
        $lines -match '^Limit +: 80$' | Should -Not -BeNullOrEmpty
    }

    It 'posts JSON to a webhook' {
        $server = Start-ThreadJob {
            $listener = [System.Net.Sockets.TcpListener]::new([System.Net.IPAddress]::Loopback, 0)
            $listener.Start()
            $listener.LocalEndpoint.Port
            $client = $listener.AcceptTcpClient()
            $stream = [System.IO.StreamReader]::new($client.GetStream())
            $length = 0
            while ($line = $stream.ReadLine()) {
                $line
                if ($line -match '^Content-Length: (\d+)') { $length = [int] $Matches[1] }
            }
            $body = [char[]]::new($length)
            $null = $stream.ReadBlock($body, 0, $length)
            [string]::new($body)
            $answer = [System.Text.Encoding]::ASCII.GetBytes("HTTP/1.1 200 OK`r`nContent-Length: 0`r`nConnection: close`r`n`r`n")
            $client.GetStream().Write($answer, 0, $answer.Length)
            $client.Dispose()
            $listener.Stop()
        }
        try {
            Wait-Until { $server.HasMoreData } 'the server has not started'
            $port = @(Receive-Job $server)[0]
            New-Alert | & "$folder/Send-TableAlert.ps1" -WebhookUri "http://127.0.0.1:$port/hooks/x"
            $lines = @($server | Wait-Job -Timeout 20 | Receive-Job)
        }
        finally {
            Remove-Job $server -Force
        }
        $lines[0] | Should -Be 'POST /hooks/x HTTP/1.1'
        $sent = $lines[-1] | ConvertFrom-Json
        $sent.state, $sent.kind, $sent.value, $sent.limit | Should -Be 'Raised', 'Fill', 80.1, 80
        $sent.evidence | Should -Be '210000 of 262144 entries, 80.1 %, above 80 %'
        $sent.text | Should -BeLike '*Raised Fill: 210000*'
    }

    It 'tries each way, and reports those that failed' {
        $failure = Get-Failure { New-Alert | & "$folder/Send-TableAlert.ps1" -Journal -JournalSocket "$TestDrive/nowhere" -WebhookUri 'http://127.0.0.1:1/' }
        "$failure" | Should -BeLike 'journal: *; webhook: *'
    }
}

Describe 'Watch-TableAlert' {
    It 'sends alerts of a real table' {
        $namespace = New-TestNamespace
        $path = "$TestDrive/watch-log"
        $socket = [System.Net.Sockets.Socket]::new('Unix', 'Dgram', 'Unspecified')
        $socket.Bind([System.Net.Sockets.UnixDomainSocketEndPoint]::new($path))
        $socket.ReceiveTimeout = 60000
        $buffer = [byte[]]::new(4096)
        try {
            Add-KernelLine $namespace (New-ManyLine 20)
            $output = Invoke-PowerShell @('-NoProfile', '-NonInteractive', '-File', "$folder/Watch-TableAlert.ps1", '-FillAbove', '0', '-Finding', 'EventsAuto,TableFull', '-Interval', '1',
                '-NetworkNamespace', $namespace, '-Count', '2', '-Journal', '-JournalSocket', $path) 2>&1
            $LASTEXITCODE | Should -Be 0 -Because "$output"
            $output[0] | Should -BeLike "Raised Fill in $($namespace): 20 of *"
            $output[1] | Should -BeLike "Raised Finding EventsAuto in $($namespace): *"
            [System.Text.Encoding]::UTF8.GetString($buffer, 0, $socket.Receive($buffer)) | Should -BeLike "<28>*: $($output[0])"
        }
        finally {
            $socket.Dispose()
            Remove-TestNamespace $namespace
        }
    }
}
