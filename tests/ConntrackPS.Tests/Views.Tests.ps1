# The rules for every view of ConntrackPS.format.ps1xml: its headings are properties, and its rows fit.
BeforeDiscovery {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    $format = [xml] (Get-Content "$(Get-PackagePath)/ConntrackPS.format.ps1xml" -Raw)
    $tables = @(foreach ($view in $format.SelectNodes('//View[TableControl]')) {
            $headers = @($view.SelectNodes('.//TableColumnHeader'))
            @{
                View    = $view.Name
                Type    = $view.ViewSelectedBy.TypeName
                IsText  = $null -ne $view.SelectSingleNode('.//Wrap')
                Headers = @($headers | ForEach-Object { "$($_.SelectSingleNode('Label').InnerText)" })
                Widths  = @($headers | ForEach-Object { [int] "$($_.SelectSingleNode('Width').InnerText)" })
                Formats = @($view.SelectNodes('.//TableColumnItem') | ForEach-Object { "$($_.SelectSingleNode('FormatString').InnerText)" })
            }
        })
    $sizes = @(foreach ($table in $tables) {
            foreach ($width in 80, 100, 120) {
                foreach ($family in 'IPv4', 'IPv6') {
                    $table + @{ Width = $width; Family = $family; IsPlace = $family -eq 'IPv4' -or $width -eq 120 }
                }
            }
        })
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $rendering = $PSStyle.OutputRendering
    $PSStyle.OutputRendering = 'PlainText'
    $namespace = New-TestNamespace
    Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1 net.netfilter.nf_conntrack_events=1
    $here = @{ NetworkNamespace = $namespace }

    # The longest addresses, ports, timeouts and names of protocols that have ports.
    $ends = @{
        IPv4 = '203.113.111.101', '198.151.100.107', '223.113.111.101', '192.168.100.100'
        IPv6 = 'fd00:1db8:1111:2222:3333:4444:5555:6661', 'fd00:1db8:7777:8888:9999:aaaa:bbbb:ccc1',
            'fd00:1db8:dddd:2222:3333:4444:5555:6665', 'fd00:1db8:eeee:2222:3333:4444:5555:6668'
    }
    foreach ($family in $ends.Keys) {
        $from, $to, $as, $at = $ends[$family]
        $ports = $family -eq 'IPv4' ? ':65529', ':65526' : '', ''  # conntrack takes none behind an IPv6 address
        $own = $family -eq 'IPv6' ? 'icmpv6', '--icmpv6-type 128 --icmpv6-code 0 --icmpv6-id' : 'icmp', '--icmp-type 8 --icmp-code 0 --icmp-id'
        Add-KernelEntry $namespace ([ordered]@{
                "long$family" = "-t 2147483 -s $from -d $to -p tcp --sport 65535 --dport 65534 --state ESTABLISHED -u SEEN_REPLY,ASSURED"
                "lite$family" = "-s $from -d $to -p udplite --sport 65533 --dport 65532"
                "ping$family" = "-s $from -d $to -p $($own[0]) $($own[1]) 80"
                "snat$family" = "-s $from -d $to -p tcp --sport 65531 --dport 65530 --state TIME_WAIT --src-nat $as$($ports[0])"
                "dnat$family" = "-s $from -d $to -p tcp --sport 65528 --dport 65527 --state CLOSE_WAIT --dst-nat $at$($ports[1])"
                "sctp$family" = "-s $from -d $to -p sctp --sport 65525 --dport 65524 --state SHUTDOWN_ACK_SENT --orig-vtag 1 --reply-vtag 2"
            })
        New-ConntrackEntry $from $to -Protocol tcp -SourcePort 65521 -DestinationPort 21 -State Established -Timeout 600 -Helper ftp @here
    }

    <# Events of both families: existing entries, and an update and an end of each after the watch has started. #>
    function Get-Event {
        $changed = $false
        $count = 2 * 7 + 2 * 2
        Watch-ConntrackEvent -IncludeExisting -MaxEvents $count -Timeout 20 @here | ForEach-Object {
            $_
            if (-not $changed) {
                $changed = $true
                foreach ($from in $ends.IPv4[0], $ends.IPv6[0]) {
                    $null = Invoke-InNamespace $namespace conntrack -U -s $from -p tcp --dport 65534 -m 7
                    $null = Invoke-InNamespace $namespace conntrack -D -s $from -p udplite
                }
            }
        }
    }

    <# Events of expectations, from another runspace that listens while they are created. #>
    function Get-ExpectationEvent {
        $shell = [powershell]::Create()
        $null = $shell.AddScript({
                param($Package, $Namespace)
                Import-Module $Package
                Watch-ConntrackEvent -Expectation -MaxEvents 2 -Timeout 20 -NetworkNamespace $Namespace -WarningAction SilentlyContinue
            }).AddArgument("$(Get-PackagePath)/ConntrackPS.psd1").AddArgument($namespace)
        try {
            $run = $shell.BeginInvoke()
            Wait-Until { @(Invoke-InNamespace $namespace cat /proc/net/netlink | Where-Object { $_ -match '^\S+ +12 +\d+ +000000(08|[1-3][08]) ' }).Count -ge 1 } 'nobody listens'
            foreach ($family in 'IPv4', 'IPv6') {
                $from, $to = $ends[$family][0..1]
                Get-ConntrackEntry -Helper ftp -AddressFamily $family @here |
                    New-ConntrackExpectation $to $from -DestinationPort 65520 -Helper ftp -Timeout 600 @here
            }
            $shell.EndInvoke($run)
        }
        finally {
            $shell.Dispose()
        }
    }

    <# Alerts of the first reading: the fill, and findings that are only information. #>
    function Get-TestAlert {
        Register-ConntrackAlert view-alerts -FillAbove 0 -Finding EventsAuto, HelperInUse -Interval 1h @here
        Wait-Until { @(Microsoft.PowerShell.Utility\Get-Event view-alerts -ErrorAction Ignore).Count -ge 2 } 'no alerts came'
        Unregister-Event view-alerts
        (Microsoft.PowerShell.Utility\Get-Event view-alerts).SourceEventArgs.Alert
        Remove-Event view-alerts
    }

    $null = New-ConntrackTimeoutPolicy wild-west-of-timeouts -Protocol Udp -Timeout @{ Unreplied = 5; Replied = 10 } @here
    $entries = @(Get-ConntrackEntry @here)
    $groups = @(Measure-ConntrackEntry -GroupBy SourceAddress, DestinationPort -Interval 1 @here)
    $samples = @{
        'ConntrackPS.Conntrack.ConntrackEntry'                          = $entries
        'ConntrackPS.Events.ConntrackEvent'                             = @(Get-Event)
        'ConntrackPS.Diagnosis.Grouping.ConntrackGroup'                 = $groups
        'ConntrackPS.Expectations.Events.ConntrackExpectationEvent'     = @(Get-ExpectationEvent)
        'ConntrackPS.Expectations.ConntrackExpectation'                 = @(Get-ConntrackExpectation @here)
        'ConntrackPS.Diagnosis.ConntrackStat'                           = @(Get-ConntrackStat @here)
        'ConntrackPS.Diagnosis.ConntrackCpuStat'                        = @(Get-ConntrackStat -PerCpu @here)
        'ConntrackPS.Diagnosis.History.ConntrackHistoryRecord'          = @(1..2 | ForEach-Object { Add-ConntrackHistory "$TestDrive/history.csv" @here }; Get-ConntrackHistory "$TestDrive/history.csv")
        'ConntrackPS.Diagnosis.ConntrackStatRate'                       = @(Get-ConntrackStat -PerCpu -Interval 1 -Count 1 @here)
        'ConntrackPS.Tuning.Timeouts.ConntrackTimeout'                  = @(Get-ConntrackTimeout @here)
        'ConntrackPS.Tuning.Policies.ConntrackTimeoutPolicy'            = @(Get-ConntrackTimeoutPolicy @here)
        'ConntrackPS.Helpers.ConntrackHelper'                           = @(Get-ConntrackHelper @here)
        'ConntrackPS.Tuning.Settings.ConntrackSetting'                  = @(Get-ConntrackSetting @here)
        'ConntrackPS.Diagnosis.Health.ConntrackFinding'                 = @(Test-ConntrackHealth -SampleTime 0 -MinimumSeverity Information -NetworkNamespace (($bare = New-TestNamespace)))
        'ConntrackPS.Alerts.ConntrackAlert'                             = @(Get-TestAlert)
        'ConntrackPS.Blocking.ConntrackBlock'                           = @(foreach ($family in 'IPv4', 'IPv6') {
                Block-ConntrackTraffic -SourceAddress $ends[$family][0] -DestinationAddress $ends[$family][1] @here
            })
        'ConntrackPS.Rules.ConntrackRule'                               = @(foreach ($family in 'IPv4', 'IPv6') {
                Limit-ConntrackSource -Maximum 4294967295 -SourceAddress $ends[$family][0] -DestinationAddress $ends[$family][1] @here
            })
    }

    $samples['ConntrackPS.Diagnosis.Health.ConntrackRepair'] = @([pscustomobject]@{ Severity = 'Warning'; Name = 'Nothing'; Remedy = 'Get-Date' } |
            Repair-ConntrackHealth -SampleTime 0 -Confirm:$false @here)

    # Several namespaces: the other one has only its own settings and processors.
    $several = @{ NetworkNamespace = $namespace, $bare }
    $samples += @{
        'ConntrackPS.Conntrack.ConntrackEntry#Service'                  = @(Get-ConntrackEntry -ResolveService @here)
        'ConntrackPS.Events.ConntrackEvent#Service'                     = @(Watch-ConntrackEvent -IncludeExisting -MaxEvents 12 -Timeout 20 -ResolveService @here -WarningAction Ignore)
        'ConntrackPS.Diagnosis.Grouping.ConntrackGroup#Service'         = @(Measure-ConntrackEntry -GroupBy DestinationPort -ResolveService @here)
        'ConntrackPS.Conntrack.ConntrackEntry#Namespaced'               = @(Get-ConntrackEntry @several)
        'ConntrackPS.Events.ConntrackEvent#Namespaced'                  = @(Watch-ConntrackEvent -IncludeExisting -MaxEvents 12 -Timeout 20 @several -WarningAction Ignore)
        'ConntrackPS.Diagnosis.Grouping.ConntrackGroup#Namespaced'      = @(Measure-ConntrackEntry -GroupBy SourceAddress, DestinationPort @several)
        'ConntrackPS.Expectations.ConntrackExpectation#Namespaced'      = @(Get-ConntrackExpectation @several)
        'ConntrackPS.Diagnosis.ConntrackCpuStat#Namespaced'             = @(Get-ConntrackStat -PerCpu @several)
        'ConntrackPS.Helpers.ConntrackHelper#Namespaced'                = @(Get-ConntrackHelper @several)
        'ConntrackPS.Tuning.Settings.ConntrackSetting#Namespaced'       = @(Get-ConntrackSetting @several)
        'ConntrackPS.Tuning.Policies.ConntrackTimeoutPolicy#Namespaced' = @(Get-ConntrackTimeoutPolicy @several)
        'ConntrackPS.Rules.ConntrackRule#Namespaced'                    = @(Get-ConntrackRule @several)
        'ConntrackPS.Blocking.ConntrackBlock#Namespaced'                = @(Get-ConntrackBlock -NetworkNamespace *)
        'ConntrackPS.Diagnosis.Health.ConntrackFinding#Namespaced'      = @(Test-ConntrackHealth -SampleTime 0 -MinimumSeverity Information @several)
        'ConntrackPS.Diagnosis.Health.ConntrackRepair#Namespaced'       = @($several.NetworkNamespace | ForEach-Object { [pscustomobject]@{ Severity = 'Warning'; Name = 'Nothing'; Remedy = 'Get-Date'; Namespace = $_ } } |
                Repair-ConntrackHealth -SampleTime 0 -Confirm:$false)
    }

    <# The objects of a view: all, or those of a family. Objects without addresses belong to both. #>
    function Get-Sample([string] $Type, [string] $Family) {
        $samples[$Type] | Where-Object {
            $text = "$($_.AddressFamily)$($_.Name)$($_.Traffic)"
            -not $Family -or $Type -match 'Tuning|Health' -or $text -notmatch ':|IPv|\d\.' -or ($text -match 'IPv6|[0-9a-f]:') -eq ($Family -eq 'IPv6')
        }
    }

    <# The heading and the rows of objects on a terminal of that width. #>
    function Get-Row([object[]] $Object, [string] $View, [int] $Width) {
        $lines = @(($Object | Format-Table -View $View | Out-String -Width $Width).Trim("`n") -split "`n" | Where-Object { $_.Trim() })
        [pscustomobject]@{ Heading = $lines[0]; Rows = @($lines | Select-Object -Skip 2) }
    }

    <# The cells of a line, by the widths of the columns. #>
    function Get-Cell([string] $Line, [int[]] $Widths, [int] $Width) {
        # Columns without a width share the rest equally.
        $open = @($Widths | Where-Object { $_ -eq 0 }).Count
        $rest = $Width - ($Widths | Measure-Object -Sum).Sum - ($Widths.Count - 1)
        $share = 0
        $at = 0
        $wide = $Line.PadRight(2 * $Width)
        foreach ($fixed in $Widths) {
            $length = $fixed ? $fixed : [Math]::Floor($rest / $open) + ($share++ -lt $rest % $open ? 1 : 0)
            $wide.Substring($at, $length).Trim()
            $at += $length + 1
        }
    }

    <# The expected text of a cell. #>
    function Format-Value($Value, [string] $Format) {
        $null -eq $Value ? '' : $Format ? ($Format -f $Value) : "$Value"
    }

    <# The complete addresses and ports in a text. #>
    function Get-Endpoint([string] $Text) {
        [regex]::Matches($Text, '\[?[0-9a-f]+([.:][0-9a-f]*){3,}(\]?:\d+)?').Value | Where-Object { $_ }
    }
}

AfterAll {
    Get-ConntrackBlock | Unblock-ConntrackTraffic
    Get-ConntrackRule @here | Remove-ConntrackRule
    $PSStyle.OutputRendering = $rendering
    Remove-TestNamespace $namespace, $bare
}

Describe 'The headings of the view <View>' -ForEach $tables {
    It 'are properties, which Where-, Sort- and Select-Object can use' {
        $objects = @(Get-Sample $Type)
        $objects.Count | Should -BeGreaterThan 0
        $Headers | Should -Not -Contain ''
        $Headers | Select-Object -Unique | Should -HaveCount $Headers.Count
        foreach ($object in $objects) {
            $row = Get-Row $object $View 400
            $lines = @(foreach ($line in $row.Rows) { , @(Get-Cell $line $Widths 400) })
            for ($i = 0; $i -lt $Headers.Count; $i++) {
                $heading = $Headers[$i]
                $object.PSObject.Properties[$heading] | Should -Not -BeNullOrEmpty -Because "'$heading' of $View is a property"
                $value = ($object | Select-Object $heading).$heading
                $text = (Format-Value ($value -is [array] ? $value -join ',' : $value) $Formats[$i]) -replace ' '
                $shown = -join ($lines | ForEach-Object { $_[$i] }) -replace ' '
                if ($shown.EndsWith('…')) {
                    $text.StartsWith($shown.TrimEnd('…')) | Should -BeTrue -Because "'$text' stands under $heading, and '$shown' does"
                }
                else {
                    $shown | Should -Be $text -Because "that is under $heading"
                }
                if ($null -ne $value -and $value -isnot [System.Collections.IDictionary]) {
                    # A list is compared by its elements.
                    if (@($value).Count -gt 0) {
                        @($object | Where-Object $heading -EQ @($value)[0]).Count | Should -Be 1
                    }
                    @($object | Sort-Object $heading).Count | Should -Be 1
                }
            }
        }
    }

    It 'are properties after a journey through a file too' {
        if ($Type -like '*#Service' -or $Type -like '*.ConntrackRepair*') { Set-ItResult -Skipped -Because 'this view is for live objects'; return }
        foreach ($object in Get-Sample $Type) {
            $read = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($object, 3))
            foreach ($heading in $Headers) {
                $read.PSObject.Properties[$heading] | Should -Not -BeNullOrEmpty -Because "'$heading' of $View is a property"
                if ($object.$heading -isnot [System.Collections.IDictionary]) {
                    "$($read.$heading)" | Should -Be "$($object.$heading)" -Because $heading
                }
            }
        }
    }

    It 'add nothing to JSON and CSV' {
        if ($Type -like '*#Service') { Set-ItResult -Skipped -Because 'services are added on request, to be seen in files too'; return }
        $names = ([type] ($Type -replace '#.*')).GetProperties().Name
        $aliases = $Headers | Where-Object { $_ -notin $names }
        foreach ($object in Get-Sample $Type) {
            ($object | ConvertTo-Json -Depth 1 | ConvertFrom-Json -AsHashtable).Keys | Where-Object { $_ -in $aliases } | Should -BeNullOrEmpty
            ($object | Select-Object *).PSObject.Properties.Name | Where-Object { $_ -in $aliases } | Should -BeNullOrEmpty
        }
    }
}

Describe 'The view <View> on <Width> columns, <Family>' -ForEach $sizes {
    BeforeAll {
        $objects = @(Get-Sample $Type $Family)
    }

    It 'shows every column, its heading in full' {
        $objects.Count | Should -BeGreaterThan 0
        $row = Get-Row $objects $View $Width
        $row.Heading.Length | Should -BeLessOrEqual $Width
        -split $row.Heading | Should -Be $Headers
    }

    It 'gives each object a line, or breaks a text between words' {
        if (-not $IsText) {
            $rows = (Get-Row $objects $View $Width).Rows
            $rows.Count | Should -Be $objects.Count
            $rows | ForEach-Object { $_.Length | Should -BeLessOrEqual $Width }
            return
        }
        foreach ($object in $objects) {
            $rows = (Get-Row $object $View $Width).Rows
            $rows | ForEach-Object { $_.Length | Should -BeLessOrEqual $Width }
            foreach ($endpoint in $Headers | ForEach-Object { Get-Endpoint "$($object.$_)" }) {
                @($rows | Where-Object { $_.Contains($endpoint) }).Count | Should -BeGreaterThan 0 -Because "$endpoint stands whole on a line"
            }
        }
    }

    It 'cuts no address and no port' -Skip:(-not $IsPlace -or $IsText) {
        foreach ($object in $objects) {
            $cells = @(Get-Cell (Get-Row $object $View $Width).Rows[0] $Widths $Width)
            for ($i = 0; $i -lt $Headers.Count; $i++) {
                if ($Headers[$i] -match 'Address$|Port$' -or ($Headers[$i] -eq 'Name' -and $Type -like '*Group*')) {
                    $cells[$i] | Should -Be "$($object.($Headers[$i]))"
                }
            }
        }
    }
}

Describe 'Rows of several network namespaces' {
    BeforeAll {
        $second = New-TestNamespace ([ordered]@{ other4 = '-s 192.0.2.9 -d 198.51.100.9 -p udp --sport 9 --dport 53' })
        $both = @{ NetworkNamespace = $second, $namespace }

        <# The heading of a command's table, and whether the rows show both namespaces. Long names are shortened. #>
        function Assert-Namespaced([scriptblock] $Command) {
            $rows = @(& $Command)
            $rows.Namespace | Sort-Object -Unique | Should -Be ($second, $namespace | Sort-Object)
            $lines = @(($rows | Out-String -Width 120).Trim("`n") -split "`n")
            -split $lines[0] | Should -Contain 'Namespace'
            foreach ($name in $second, $namespace) {
                @($lines | Where-Object { $_.Contains($name.Substring(0, 10)) }).Count | Should -BeGreaterThan 0
            }
        }
    }

    AfterAll {
        Remove-TestNamespace $second
    }

    It 'show which: <Command>' -ForEach @(
        @{ Command = { Get-ConntrackEntry @both } }
        @{ Command = { Get-ConntrackEntry @both | Sort-Object DPort } }
        @{ Command = { Get-ConntrackEntry @both | Where-Object DPort } }
        @{ Command = { [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize(@(Get-ConntrackEntry @both))) } }
        @{ Command = { Measure-ConntrackEntry @both } }
        @{ Command = { Measure-ConntrackEntry -GroupBy SourceAddress @both | Sort-Object Bytes } }
        @{ Command = { Get-ConntrackStat @both } }
        @{ Command = { Get-ConntrackStat -PerCpu @both } }
        @{ Command = { Get-ConntrackStat -Interval 1 -Count 1 @both } }
        @{ Command = { Get-ConntrackHelper ftp @both } }
        @{ Command = { Get-ConntrackSetting Maximum @both } }
        @{ Command = { Get-ConntrackTimeout @both } }
        @{ Command = { Watch-ConntrackEvent -IncludeExisting -MaxEvents 15 -Timeout 20 @both -WarningAction Ignore } }
    ) {
        Assert-Namespaced $Command
    }

    It 'show which where they come of piped objects: <Command>' -ForEach @(
        @{ Command = { Get-ConntrackEntry @both | Get-ConntrackEntry } }
        @{ Command = { Get-ConntrackEntry @both | ConvertTo-Csv | ConvertFrom-Csv | Get-ConntrackEntry } }
        @{ Command = { ConvertTo-Json @(Get-ConntrackEntry @both) -EnumsAsStrings | ConvertFrom-Json | Get-ConntrackEntry } }
        @{ Command = { [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize(@(Get-ConntrackEntry @both))) | Get-ConntrackEntry } }
        @{ Command = { Measure-ConntrackEntry @both | Get-ConntrackEntry } }
        @{ Command = { Get-ConntrackEntry @both | Group-Object Protocol | Get-ConntrackEntry } }
        @{ Command = { $second, $namespace | ForEach-Object { [pscustomobject]@{ SourceAddress = (Get-ConntrackEntry -NetworkNamespace $_)[0].SourceAddress; Namespace = $_ } } | Get-ConntrackEntry } }
        @{ Command = { Get-ConntrackEntry @both | Set-ConntrackEntry -NewMark 9 -PassThru } }
        @{ Command = { Measure-ConntrackEntry @both | Set-ConntrackEntry -NewMark 9 -PassThru } }
        @{ Command = { Measure-ConntrackEntry @both | Measure-ConntrackEntry -GroupBy Protocol } }
        @{ Command = { Get-ConntrackEntry @both | New-ConntrackEntry -Force -PassThru -WarningAction Ignore -ErrorAction Ignore } }
        @{ Command = { Get-ConntrackSetting TcpLoose @both | Get-ConntrackSetting } }
        @{ Command = { Get-ConntrackSetting TcpLoose @both | Set-ConntrackSetting -PassThru } }
        @{ Command = { Get-ConntrackTimeout icmp @both | Get-ConntrackTimeout } }
        @{ Command = { Get-ConntrackTimeout icmp @both | Set-ConntrackTimeout -PassThru } }
        @{ Command = { Test-ConntrackHealth -SampleTime 0 -MinimumSeverity Ok @both | Format-Table -OutVariable rows | Out-Null; Test-ConntrackHealth -SampleTime 0 -MinimumSeverity Ok @both | Where-Object Namespace }; Table = $true }
    ) {
        if ($Table) {
            $findings = & $Command
            $text = $findings | Format-Table | Out-String -Width 120
            -split $text.Trim() | Should -Contain 'Namespace'
            $text | Should -Match $second.Substring(0, 10)
            $findings | Out-String -Width 120 | Should -Match '(?m)^Severity +: ' -Because 'findings are a list unless a table is asked for'
            return
        }
        Assert-Namespaced $Command
    }

    It 'show which where they were removed or unblocked' {
        $third = New-TestNamespace ([ordered]@{ one = '-s 192.0.2.9 -d 198.51.100.9 -p udp --sport 9 --dport 53' })
        $fourth = New-TestNamespace ([ordered]@{ one = '-s 192.0.2.9 -d 198.51.100.9 -p udp --sport 9 --dport 53' })
        try {
            $blocks = @(Get-ConntrackEntry -NetworkNamespace $third, $fourth | Block-ConntrackTraffic)
            -split ($blocks | Out-String -Width 120).Trim() | Should -Contain 'Namespace'
            -split ($blocks | Unblock-ConntrackTraffic -PassThru | Out-String -Width 120).Trim() | Should -Contain 'Namespace'
            $removed = Get-ConntrackEntry -NetworkNamespace $third, $fourth | Remove-ConntrackEntry -PassThru
            @($removed).Count | Should -Be 2
            -split ($removed | Out-String -Width 120).Trim() | Should -Contain 'Namespace'
        }
        finally {
            Get-ConntrackBlock | Where-Object Namespace -In $third, $fourth | Unblock-ConntrackTraffic
            Remove-TestNamespace $third, $fourth
        }
    }

    It 'are as before where all that is piped is of one namespace' {
        foreach ($rows in @(Get-ConntrackEntry @here | Get-ConntrackEntry), @(Get-ConntrackEntry @both | Get-ConntrackEntry @here -ErrorAction Ignore), @(Get-ConntrackEntry @both | Measure-ConntrackEntry)) {
            $rows[0].PSTypeNames | Should -Not -Match '#'
        }
    }

    It 'show which where all namespaces are meant' {
        $names = @(Get-ConntrackEntry -NetworkNamespace ctps-$PID-* | Out-String -Width 120).Trim("`n") -split "`n"
        -split $names[0] | Should -Contain 'Namespace'
        $events = Watch-ConntrackEvent -AllNamespace -IncludeExisting -MaxEvents 1 -Timeout 20 -WarningAction Ignore
        -split ($events | Out-String -Width 120).Trim("`n") | Should -Contain 'Namespace'
    }

    It 'show which for the blocks of this process' {
        $block = Block-ConntrackTraffic -SourceAddress 192.0.2.9 -NetworkNamespace $second
        try {
            Assert-Namespaced { Get-ConntrackBlock }
        }
        finally {
            $block | Unblock-ConntrackTraffic
        }
        -split (Get-ConntrackBlock | Out-String -Width 120).Trim("`n") | Should -Not -Contain 'Namespace'
    }

    It 'are as before for one namespace' {
        foreach ($rows in @(Get-ConntrackEntry @here), @(Measure-ConntrackEntry @here), @(Get-ConntrackStat -PerCpu @here), @(Get-ConntrackSetting @here)) {
            $rows[0].PSTypeNames | Should -Not -Match '#'
            -split ($rows | Out-String -Width 120).Trim("`n") | Should -Not -Contain 'Namespace'
        }
    }

    It 'are the same objects for other cmdlets, JSON and CSV' {
        $entries = @(Get-ConntrackEntry @both)
        ($entries | Measure-ConntrackEntry | Measure-Object Count -Sum).Sum | Should -Be $entries.Count
        $entries | Get-ConntrackEntry | Should -HaveCount $entries.Count
        ($entries | ConvertTo-Json | ConvertFrom-Json).Namespace | Sort-Object -Unique | Should -HaveCount 2
        ($entries | ConvertTo-Csv)[0] | Should -Not -Match 'DPort|#'
        $entries | Where-Object Namespace -EQ $second | Remove-ConntrackEntry
        Invoke-InNamespace $second conntrack -C | Should -Be 0
    }
}

Describe 'What a user types of what a table shows' {
    It 'filters by a heading: <Filter>' -ForEach @(
        @{ Filter = { $_ | Where-Object DPort -EQ 65534 }; Count = 2 }
        @{ Filter = { $_ | Where-Object { $_.DPort -eq 65534 -and $_.SPort -eq 65535 } }; Count = 2 }
        @{ Filter = { $_ | Where-Object Timeout -GT 2000000 }; Count = 2 }
        @{ Filter = { $_ | Where-Object Proto -EQ Udplite }; Count = 2 }
        @{ Filter = { $_ | Where-Object RSPort -EQ 65526 }; Count = 1 }
        @{ Filter = { $_ | Where-Object Translation -Match ' at ' }; Count = 2 }
        @{ Filter = { $_ | Where-Object Endpoints -EQ '203.113.111.101:65535 -> 198.151.100.107:65534' }; Count = 1 }
    ) {
        @($entries | ForEach-Object $Filter).Count | Should -Be $Count
        $entries | Export-Clixml TestDrive:/entries.xml
        @(Import-Clixml TestDrive:/entries.xml | ForEach-Object $Filter).Count | Should -Be $Count -Because 'a file keeps them'
    }

    It 'selects by headings' {
        $row = $entries | Where-Object SPort -EQ 65535 | Select-Object Timeout, SPort, Packets, Bytes -First 1
        $row.PSObject.Properties.Name | Should -Be 'Timeout', 'SPort', 'Packets', 'Bytes'
        $row.Timeout | Should -BeGreaterThan 2000000
        $row.Packets | Should -Be 0
        $stat = Get-ConntrackStat @here
        ($stat | Select-Object 'Fill%').'Fill%' | Should -Be $stat.FillPercent
        (Get-ConntrackSetting Maximum @here | Select-Object Writable).Writable | Should -BeIn $true, $false
        (Get-ConntrackTimeout @here | Where-Object Timeout -EQ Default) | Should -BeNullOrEmpty -Because 'that compares with the word'
        @(Get-ConntrackTimeout @here | Where-Object { $_.Timeout -eq $_.Default }).Count | Should -BeGreaterThan 10
    }

    It 'sorts by headings' {
        $sorted = @($groups | Sort-Object '%', DestinationPort -Descending)
        $sorted[0].Percent | Should -Be ($groups | Measure-Object Percent -Maximum).Maximum
        @($groups | Sort-Object Bytes, 'bit/s', 'new/s').Count | Should -Be $groups.Count
        ($entries | Sort-Object DPort, Bytes | Where-Object DPort).DPort[0] | Should -Be 21
    }

    It 'exports headings to CSV and JSON under their names' {
        $rows = $entries | Select-Object Protocol, SPort, DPort, Timeout | ConvertTo-Csv | ConvertFrom-Csv
        ($rows | Where-Object SPort -EQ 65535).Timeout | Should -HaveCount 2
        ($entries | Select-Object SPort, Bytes | ConvertTo-Json | ConvertFrom-Json | Where-Object SPort -EQ 65535).Bytes | Should -Be 0, 0
    }

    It 'shows totals and age, and nothing if there is none' {
        $entry = $entries[0]
        $entry.TotalPackets | Should -Be ($entry.OriginalPackets + $entry.ReplyPackets)
        $entry.Age | Should -BeGreaterThan 0
        [Math]::Abs($entry.Age - ((Get-Date) - $entry.StartTime).TotalSeconds) | Should -BeLessThan 1
        @($entries | Where-Object Age -LT 3600).Count | Should -Be $entries.Count
        $other = New-TestNamespace ([ordered]@{ plain = '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 5 --dport 53' })
        try {
            Invoke-InNamespace $other sysctl -qw net.netfilter.nf_conntrack_acct=0 net.netfilter.nf_conntrack_timestamp=0
            Add-KernelEntry $other ([ordered]@{ bare = '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 6 --dport 53' })
            $bareEntry = Get-ConntrackEntry -SourcePort 6 -NetworkNamespace $other
            $bareEntry.TotalPackets, $bareEntry.TotalBytes, $bareEntry.Age | ForEach-Object { $_ | Should -Be $null }
        }
        finally {
            Remove-TestNamespace $other
        }
    }

    It 'says in one word what happened' {
        $events = $samples['ConntrackPS.Events.ConntrackEvent']
        @($events | Where-Object Change -EQ Existing).Count | Should -Be 14
        @($events | Where-Object { $_.EventType -eq 'Update' -and $_.Change -eq 'Established' }).Count | Should -Be 2
        $ended = @($events | Where-Object Change -EQ Destroy)
        $ended.Count | Should -Be 2
        $ended | ForEach-Object { $_.Age | Should -Be $_.Duration }
        $ended.TotalPackets | Should -Be 0, 0
    }
}
