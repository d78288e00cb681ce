BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1", "$PSScriptRoot/Support/UnprivilegedSupport.psm1" -Force
    Import-PackagedModule

    <# The samples of a metric, as pairs of labels and value. #>
    function Get-Series([string[]] $Line, [string] $Name) {
        $Line -match "^$Name[ {]" -replace "^$Name"
    }
}

Describe 'Export-ConntrackMetric' {
    BeforeAll {
        $namespace = New-TestNamespace
        Add-KernelLine $namespace (@(New-ManyLine 5) + '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 1 --dport 53')
        $here = @{ NetworkNamespace = $namespace; SampleTime = 0 }
        $maximum = [int] (Invoke-InNamespace $namespace cat /proc/sys/net/netfilter/nf_conntrack_max)
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'writes lines, with the values of the kernel' {
        $lines = Export-ConntrackMetric @here
        $lines | Should -BeOfType string
        Get-Series $lines conntrack_entries | Should -Be "{namespace=`"$namespace`"} 6"
        Get-Series $lines conntrack_entries_limit | Should -Be "{namespace=`"$namespace`"} $maximum"
        Get-Series $lines conntrack_protocol_entries | Should -Be @(
            "{namespace=`"$namespace`",protocol=`"tcp`",state=`"ESTABLISHED`"} 5"
            "{namespace=`"$namespace`",protocol=`"udp`",state=`"NONE`"} 1"
        )
        Get-Series $lines conntrack_source_entries | Should -BeNullOrEmpty
        $lines | Should -Contain '# TYPE conntrack_drop_total counter'
    }

    It 'names the sources with most on request' {
        Get-Series (Export-ConntrackMetric -TopSource 2 @here) conntrack_source_entries | Should -HaveCount 2
    }

    It 'shows the findings of Test-ConntrackHealth, and the others as 0' {
        $series = Get-Series (Export-ConntrackMetric @here) conntrack_health_finding
        $found = @(Test-ConntrackHealth -MinimumSeverity Information @here).Name | Sort-Object -Unique
        $found | Should -Contain EventsAuto
        @($series -match ' 1$' -replace '.*finding="(\w+)".*', '$1') | Sort-Object | Should -Be $found
        $series -match ' 0$' | Should -Contain "{namespace=`"$namespace`",finding=`"TableFull`",severity=`"critical`"} 0"
    }

    It 'has the counters of each processor that Get-ConntrackStat -PerCpu has' {
        $series = Get-Series (Export-ConntrackMetric -StatisticsOnly -PerCpu -NetworkNamespace $namespace) conntrack_insert_total
        $series | Should -Be @(Get-ConntrackStat -PerCpu -NetworkNamespace $namespace | ForEach-Object { "{namespace=`"$namespace`",cpu=`"$($_.Cpu)`"} $($_.Insert)" })
    }

    It 'writes OpenMetrics and the line protocol' {
        $open = Export-ConntrackMetric -Format OpenMetrics @here
        $open[-1] | Should -Be '# EOF'
        $open | Should -Contain '# TYPE conntrack_drop counter'
        $open | Should -Contain '# UNIT conntrack_memory_bytes bytes'
        $influx = Export-ConntrackMetric -Format Influx @here
        @($influx -match "^conntrack,namespace=$namespace entries=6i,entries_limit=${maximum}i,fill_ratio=[\d.E-]+,.*,drop_total=0i,.* \d{19}$").Count | Should -Be 1
        @($influx -match "^conntrack_protocol,namespace=$namespace,protocol=tcp,state=ESTABLISHED entries=5i \d{19}$").Count | Should -Be 1
    }

    It 'reads several namespaces, and their families are together' {
        $second = New-TestNamespace
        try {
            $lines = Export-ConntrackMetric -NetworkNamespace $namespace, $second -StatisticsOnly
            Get-Series $lines conntrack_entries | Should -Be "{namespace=`"$namespace`"} 6", "{namespace=`"$second`"} 0"
            ($lines -match '^# TYPE').Count | Should -Be ($lines -match '^# TYPE' | Select-Object -Unique).Count
            $lines = Export-ConntrackMetric -NetworkNamespace "ctps-$PID-*" -StatisticsOnly
            Get-Series $lines conntrack_entries | Should -HaveCount 2
        }
        finally {
            Remove-TestNamespace $second
        }
    }

    It 'has no label for the own namespace, and works where no namespace matches' {
        $lines = Invoke-Child -Prefix ip, netns, exec, $namespace { Export-ConntrackMetric -StatisticsOnly }
        Get-Series $lines conntrack_entries | Should -Be ' 6'
        Export-ConntrackMetric -NetworkNamespace 'nothing-*' | Should -Match '^(# (HELP|TYPE) )?conntrack_export_timestamp_seconds '
    }

    It 'keeps a name with quotes, spaces and line feeds in one label' {
        $odd = "$TestDrive/a `"b\c`nd=,e"
        touch $odd
        $null = Invoke-Program nsenter --net=/run/netns/$namespace mount --bind /proc/self/ns/net $odd
        try {
            Get-Series (Export-ConntrackMetric -StatisticsOnly -NetworkNamespace $odd) conntrack_entries | Should -BeExactly "{namespace=`"$TestDrive/a \`"b\\c\nd=,e`"} 6"
            (Get-Failure { Export-ConntrackMetric -StatisticsOnly -Format Influx -NetworkNamespace $odd }).FullyQualifiedErrorId | Should -BeLike 'InvalidValue,*'
        }
        finally {
            umount $odd
        }
    }

    Context 'Files' {
        BeforeEach {
            $file = "$TestDrive/$(New-Guid)/conntrack.prom"
            $folder = Split-Path $file
            $null = New-Item $folder -ItemType Directory
        }

        It 'are complete, and readable by all, whatever the umask is' {
            $null = Invoke-Child -Namespace $namespace -Prefix 'sh', '-c', 'umask 077; exec "$@"', 'sh' ([scriptblock]::Create("Export-ConntrackMetric '$file' -StatisticsOnly -NetworkNamespace `$Namespace"))
            stat -c %a $file | Should -Be 644
            $lines = Get-Content $file
            Get-Series $lines conntrack_entries | Should -Be "{namespace=`"$namespace`"} 6"
            (Get-Content $file -Raw)[-1] | Should -Be "`n"
            Export-ConntrackMetric $file @here | Should -BeNullOrEmpty
            (Get-ChildItem $folder -Force).Name | Should -Be conntrack.prom
        }

        It 'are understood by promtool' -Skip:(-not (Get-Command promtool -ErrorAction Ignore)) {
            Export-ConntrackMetric $file -TopSource 5 @here
            $said = Get-Content $file -Raw | promtool check metrics 2>&1
            $LASTEXITCODE | Should -Be 0
            $said | Should -BeNullOrEmpty
        }

        It 'are only named with -WhatIf' {
            Export-ConntrackMetric $file -WhatIf @here
            $file | Should -Not -Exist
        }

        It 'that can not be written are an error, and nothing is left: <Kind>' -ForEach @(
            @{ Kind = 'a missing folder'; Make = { rmdir (Split-Path $args[0]) }; Category = 'WriteError' }
            @{ Kind = 'a folder'; Make = { mkdir $args[0] }; Category = 'InvalidArgument' }
            @{ Kind = 'a link'; Make = { ln -s /etc/passwd $args[0] }; Category = 'InvalidArgument' }
            @{ Kind = 'a device'; Make = { mknod $args[0] c 1 3 }; Category = 'InvalidArgument' }
        ) {
            & $Make $file
            $before = ls -ln $folder 2>&1 | Out-String
            $failure = @(Get-Failure { Export-ConntrackMetric $file @here })
            $failure.Count | Should -Be 1
            $failure.FullyQualifiedErrorId | Should -BeLike 'FileNotWritten,*'
            $failure.CategoryInfo.Category | Should -Be $Category
            "$failure" | Should -BeLike "The file '$file' could not be written.*"
            ls -ln $folder 2>&1 | Out-String | Should -Be $before
        }

        It 'on a full disk keep their old content' {
            mount -t tmpfs -o size=16k tmpfs $folder
            try {
                Export-ConntrackMetric $file -StatisticsOnly -NetworkNamespace $namespace
                $before = Get-Content $file -Raw
                # Two pages of the tmpfs are the folder and the file; the rest is full now.
                sh -c "head -c 100000 /dev/zero > '$folder/filler'" 2>$null
                $failure = @(Get-Failure { Export-ConntrackMetric $file @here })
                $failure.FullyQualifiedErrorId | Should -BeLike 'FileNotWritten,*'
                "$failure" | Should -BeLike '*No space left on device*'
                Get-Content $file -Raw | Should -BeExactly $before
                (Get-ChildItem $folder -Force).Name | Should -Be conntrack.prom, filler
            }
            finally {
                umount $folder
            }
        }
    }

    Context 'Without privileges' {
        BeforeAll {
            $readable = New-UnprivilegedFolder
            $null = New-Item "$readable/out" -ItemType Directory
            chown 65534:65534 "$readable/out"
        }

        AfterAll {
            Remove-Item $readable -Recurse -Force
        }

        It 'the counters are there, with one error, and the file says what failed' {
            $seen = @(Invoke-Unprivileged -Folder $readable -Namespace $namespace -Option '--inh-caps=-all', '--bounding-set=-all' {
                    Export-ConntrackMetric "$PSScriptRoot/out/all.prom" -ErrorVariable failed -ErrorAction SilentlyContinue
                    $failed.ForEach{ ($_.FullyQualifiedErrorId -split ',')[0] }
                    try { Export-ConntrackMetric "$PSScriptRoot/out/stop.prom" -ErrorAction Stop } catch { 'thrown' }
                    Export-ConntrackMetric "$PSScriptRoot/out/statistics.prom" -StatisticsOnly -ErrorVariable failed
                    $failed.Count
                    try { Export-ConntrackMetric /etc/conntrack.prom -StatisticsOnly } catch { "$($_.CategoryInfo.Category) $($_.FullyQualifiedErrorId)" }
                })
            $seen | Should -Be 'PermissionDenied', 'thrown', '0', 'PermissionDenied FileNotWritten,ConntrackPS.Commands.ExportConntrackMetricCommand'
            foreach ($name in 'all', 'stop') {
                $lines = Get-Content "$readable/out/$name.prom"
                Get-Series $lines conntrack_entries | Should -Be ' 6'
                Get-Series $lines conntrack_export_success | Should -Be '{part="statistics"} 1', '{part="entries"} 0', '{part="health"} 0'
                Get-Series $lines conntrack_protocol_entries | Should -BeNullOrEmpty
            }
            Get-Series (Get-Content "$readable/out/statistics.prom") conntrack_export_success | Should -Be '{part="statistics"} 1'
        }
    }
}
