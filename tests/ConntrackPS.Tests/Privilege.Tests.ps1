BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1", "$PSScriptRoot/Support/UnprivilegedSupport.psm1" -Force
    Import-PackagedModule

    $table = [ordered]@{
        web4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED'
        web6 = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED'
        dns4 = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        dns6 = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
    }

    $folder = New-UnprivilegedFolder

    <# Runs a script in the namespace under the given setpriv options; its last line is a JSON document. #>
    function Get-Seen([string] $Namespace, [string[]] $Option, [scriptblock] $Script) {
        $output = @(Invoke-Unprivileged $Script -Folder $folder -Namespace $Namespace -Option $Option)
        try {
            $output[-1] | ConvertFrom-Json
        }
        catch {
            throw "The child said: $output"
        }
    }
}

AfterAll {
    Remove-Item $folder -Recurse -Force
}

Describe 'Without privileges' {
    BeforeAll {
        $namespace = New-TestNamespace $table
        Get-ConntrackEntry -NetworkNamespace $namespace | Select-Object * -ExcludeProperty Namespace | Export-Clixml "$folder/entries.xml"
        chmod a+r "$folder/entries.xml"

        $seen = Get-Seen $namespace '--inh-caps=-all', '--bounding-set=-all' {
            $entries = Import-Clixml "$PSScriptRoot/entries.xml"
            $runs = [ordered]@{
                'Get-ConntrackEntry'                     = { Get-ConntrackEntry }
                'Get-ConntrackEntry by filter'           = { Get-ConntrackEntry 192.0.2.1 }
                'Remove-ConntrackEntry by filter'        = { Remove-ConntrackEntry -Protocol udp -PassThru }
                'Remove-ConntrackEntry from pipeline'    = { $entries | Remove-ConntrackEntry -PassThru }
                'Remove-ConntrackEntry of one'           = { $entries[0] | Remove-ConntrackEntry -PassThru }
                'Clear-ConntrackTable'                   = { Clear-ConntrackTable -Confirm:$false }
                'Clear-ConntrackTable of one family'     = { Clear-ConntrackTable -AddressFamily IPv6 -Confirm:$false }
                'Get-ConntrackExpectation'               = { Get-ConntrackExpectation }
                'Remove-ConntrackExpectation by filter'  = { Remove-ConntrackExpectation -Helper ftp }
                'New-ConntrackExpectation'               = { @($entries | Where-Object { $_.AddressFamily -eq 'IPv4' -and $_.Protocol -eq 'Tcp' })[0] | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 5000 }
                'Clear-ConntrackTable of expectations'   = { Clear-ConntrackTable -Expectation -Confirm:$false }
                'Watch-ConntrackEvent of expectations'   = { Watch-ConntrackEvent -Expectation -Timeout 1 -WarningAction Ignore }
                'Get-ConntrackEntry in a namespace'      = { Get-ConntrackEntry -NetworkNamespace $Namespace }
                'Remove-ConntrackEntry in a namespace'   = { Remove-ConntrackEntry 192.0.2.1 -NetworkNamespace $Namespace }
                'Clear-ConntrackTable in a namespace'    = { Clear-ConntrackTable -Confirm:$false -NetworkNamespace $Namespace }
                'Get-ConntrackStat in a namespace'       = { Get-ConntrackStat -NetworkNamespace $Namespace }
                'Remove-ConntrackEntry with -Verbose'    = { $entries | Remove-ConntrackEntry -Verbose 4>&1 }
                'Get-ConntrackStat'                      = { Get-ConntrackStat }
                'Remove-ConntrackEntry without a filter' = { Remove-ConntrackEntry }
                'Remove-ConntrackEntry -WhatIf'          = { $entries | Remove-ConntrackEntry -WhatIf 6>$null }
            }
            $seen = [ordered]@{}
            foreach ($name in $runs.Keys) {
                $output = [System.Collections.Generic.List[object]]::new()
                try {
                    & $runs[$name] 2>&1 | ForEach-Object { $output.Add($_) }
                }
                catch {
                    $output.Add($_)
                }
                $seen[$name] = [ordered]@{
                    Emitted = @($output | Where-Object { $_ -isnot [System.Management.Automation.ErrorRecord] } | ForEach-Object { "$_" })
                    Errors  = @($output | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] } | ForEach-Object {
                            [ordered]@{ Id = ($_.FullyQualifiedErrorId -split ',')[0]; Category = "$($_.CategoryInfo.Category)"; Message = "$_" }
                        })
                }
            }
            $seen | ConvertTo-Json -Depth 5 -Compress
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It '<_> is PermissionDenied, once, with a remedy' -ForEach @(
        'Get-ConntrackEntry', 'Get-ConntrackEntry by filter', 'Remove-ConntrackEntry by filter', 'Remove-ConntrackEntry from pipeline'
        'Remove-ConntrackEntry of one', 'Clear-ConntrackTable', 'Clear-ConntrackTable of one family'
        'Get-ConntrackExpectation', 'Remove-ConntrackExpectation by filter', 'New-ConntrackExpectation', 'Clear-ConntrackTable of expectations'
        'Watch-ConntrackEvent of expectations'
    ) {
        $seen.$_.Errors.Count | Should -Be 1
        $seen.$_.Errors.Id | Should -Be 'PermissionDenied'
        $seen.$_.Errors.Category | Should -Be 'PermissionDenied'
        $seen.$_.Errors.Message | Should -BeLike '*sudo*CAP_NET_ADMIN*'
        $seen.$_.Emitted | Should -BeNullOrEmpty -Because 'nothing was read or removed'
    }

    It '<_> is NetworkNamespaceDenied, with a remedy' -ForEach @(
        'Get-ConntrackEntry in a namespace', 'Remove-ConntrackEntry in a namespace', 'Clear-ConntrackTable in a namespace', 'Get-ConntrackStat in a namespace'
    ) {
        $seen.$_.Errors.Count | Should -Be 1
        $seen.$_.Errors.Id | Should -Be 'NetworkNamespaceDenied'
        $seen.$_.Errors.Category | Should -Be 'PermissionDenied'
        $seen.$_.Errors.Message | Should -BeLike '*sudo*CAP_SYS_ADMIN*'
    }

    It 'never counts an entry as removed' {
        $seen.'Remove-ConntrackEntry with -Verbose'.Emitted | Should -Not -Match '[1-9]\d* (entry|entries) removed'
    }

    It 'still shows the fill, refuses an empty filter, and says what would be removed' {
        $seen.'Get-ConntrackStat'.Errors | Should -BeNullOrEmpty
        $seen.'Get-ConntrackStat'.Emitted.Count | Should -Be 1
        $seen.'Remove-ConntrackEntry without a filter'.Errors.Id | Should -Be 'NoFilter'
        $seen.'Remove-ConntrackEntry -WhatIf'.Errors | Should -BeNullOrEmpty
    }

    It 'has deleted nothing' {
        Get-KernelName $namespace | Should -Be ($table.Keys | Sort-Object)
    }
}

Describe 'The table of docs/privileges.md' {
    BeforeAll {
        $namespace = New-TestNamespace $table
        New-ConntrackEntry 192.0.2.9 198.51.100.9 -Protocol tcp -SourcePort 4021 -DestinationPort 21 -State Established -Timeout 600 -Helper ftp -NetworkNamespace $namespace
        New-ConntrackTimeoutPolicy 'present' udp -Replied 5 -NetworkNamespace $namespace
        Get-ConntrackEntry -NetworkNamespace $namespace | Select-Object * -ExcludeProperty Namespace | Export-Clixml "$folder/entries.xml"
        chmod a+r "$folder/entries.xml"

        # One simple call of each cmdlet, with its error message without the remedy.
        $everyCmdlet = {
            $entries = Import-Clixml "$PSScriptRoot/entries.xml"
            $ftp = $entries | Where-Object Helper
            $runs = [ordered]@{
                'Add-ConntrackHistory'          = { Add-ConntrackHistory "$([IO.Path]::GetTempPath())/ctps-$PID.csv" }
                'Block-ConntrackTraffic'        = { Block-ConntrackTraffic -Address 192.0.2.8 | Unblock-ConntrackTraffic }
                'Clear-ConntrackTable'          = { Clear-ConntrackTable -AddressFamily IPv6 -Confirm:$false }
                'ConvertFrom-ConntrackText'     = { 'udp 17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1' | ConvertFrom-ConntrackText }
                'ConvertTo-ConntrackText'       = { $entries | ConvertTo-ConntrackText }
                'Disable-ConntrackHelper'       = { Disable-ConntrackHelper * }
                'Disable-ConntrackTracking'     = { Disable-ConntrackTracking -Protocol Udp -DestinationPort 9 -Force | Remove-ConntrackRule }
                'Enable-ConntrackHelper'        = { Enable-ConntrackHelper tftp -DestinationAddress 192.0.2.8 | Remove-ConntrackRule }
                'Enable-ConntrackTracking'      = { Enable-ConntrackTracking * }
                'Export-ConntrackMetric'        = { Export-ConntrackMetric -SampleTime 0 }
                'Export-ConntrackReport'        = { Export-ConntrackReport "$([IO.Path]::GetTempPath())/ctps-$PID.html" -SampleTime 0 }
                'Get-ConntrackBlock'            = { Get-ConntrackBlock }
                'Get-ConntrackEntry'            = { Get-ConntrackEntry }
                'Get-ConntrackExpectation'      = { Get-ConntrackExpectation }
                'Get-ConntrackHelper'           = { Get-ConntrackHelper }
                'Get-ConntrackHistory'          = { Get-ConntrackHistory "$([IO.Path]::GetTempPath())/ctps-$PID.csv" }
                'Get-ConntrackRule'             = { Get-ConntrackRule }
                'Get-ConntrackSetting'          = { Get-ConntrackSetting }
                'Get-ConntrackStat'             = { Get-ConntrackStat }
                'Get-ConntrackTimeout'          = { Get-ConntrackTimeout }
                'Get-ConntrackTimeoutPolicy'    = { Get-ConntrackTimeoutPolicy }
                'Limit-ConntrackSource'         = { Limit-ConntrackSource -Maximum 1000000; Get-ConntrackRule -ErrorAction Ignore | Remove-ConntrackRule }
                'Measure-ConntrackEntry'        = { Measure-ConntrackEntry }
                'New-ConntrackEntry'            = { New-ConntrackEntry 192.0.2.8 192.0.2.9 -Protocol udp -SourcePort 1 -DestinationPort 2 -Timeout 60 }
                'New-ConntrackExpectation'      = { $ftp | New-ConntrackExpectation 198.51.100.9 192.0.2.9 -DestinationPort 5000 }
                'New-ConntrackTimeoutPolicy'    = { New-ConntrackTimeoutPolicy 'another' udp -Replied 5 }
                'Register-ConntrackAlert'       = { Register-ConntrackAlert -SourceIdentifier alerts -Finding *; Unregister-Event alerts -ErrorAction Ignore }
                'Register-ConntrackEvent'       = { Register-ConntrackEvent -SourceIdentifier privilege; Unregister-Event privilege -ErrorAction Ignore }
                'Remove-ConntrackEntry'         = { Remove-ConntrackEntry 192.0.2.8 }
                'Remove-ConntrackExpectation'   = { Remove-ConntrackExpectation -Helper ftp }
                'Remove-ConntrackRule'          = { Remove-ConntrackRule none* }
                'Remove-ConntrackTimeoutPolicy' = { Remove-ConntrackTimeoutPolicy 'present' }
                'Repair-ConntrackHealth'        = { [pscustomobject]@{ Severity = 'Warning'; Name = 'HalfOpenFlood'; Remedy = 'Get-Date' } | Repair-ConntrackHealth -SampleTime 0 -Confirm:$false }
                'Set-ConntrackEntry'            = { $ftp | Set-ConntrackEntry -NewMark 5 }
                'Set-ConntrackSetting'          = { Set-ConntrackSetting Accounting $true }
                'Set-ConntrackTimeout'          = { Set-ConntrackTimeout udp Replied 121 }
                'Set-ConntrackTimeoutPolicy'    = { Set-ConntrackTimeoutPolicy 'another' -Replied 6 }
                'Show-ConntrackTop'             = { Show-ConntrackTop -Once }
                'Test-ConntrackHealth'          = { Test-ConntrackHealth -SampleTime 0 }
                'Unblock-ConntrackTraffic'      = { Get-ConntrackBlock | Unblock-ConntrackTraffic }
                'Watch-ConntrackEvent'          = { Watch-ConntrackEvent -Timeout 0 }
            }
            $seen = [ordered]@{}
            foreach ($name in $runs.Keys) {
                try {
                    $errors = @(& $runs[$name] 2>&1 3>$null | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] })
                }
                catch {
                    $errors = @($_)
                }
                $seen[$name] = ($errors | ForEach-Object { "$(($_.FullyQualifiedErrorId -split ',')[0]): $($_.Exception.Message)" }) -join '; '
            }
            Remove-Item "$([IO.Path]::GetTempPath())/ctps-$PID.*" -ErrorAction Ignore
            $seen | ConvertTo-Json -Compress
        }
        # First without, which changes nothing.
        $without = Get-Seen $namespace '--inh-caps=-all', '--bounding-set=-all' $everyCmdlet
        $with = Get-Seen $namespace '--inh-caps=+net_admin', '--ambient-caps=+net_admin' $everyCmdlet
        $documented = @(Get-Content "$PSScriptRoot/../../docs/privileges.md") -match '^\| `\w+-Conntrack'
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'has every cmdlet' {
        $with.PSObject.Properties.Name | Should -Be ((Get-Command -Module ConntrackPS).Name | Sort-Object)
    }

    It 'says what happens' {
        $rows = foreach ($name in $with.PSObject.Properties.Name) {
            "| ``$name`` | $($without.$name ? $without.$name : 'works') | $($with.$name ? $with.$name : 'works') |"
        }
        $documented -join "`n" | Should -Be ($rows -join "`n")
    }

    It 'changes nothing without a capability, and everything with one' {
        $without.PSObject.Properties.Value -match 'Denied' | Should -Not -BeNullOrEmpty
        (Get-ConntrackEntry 192.0.2.9 -NetworkNamespace $namespace).Mark | Should -Be 5
        (Get-ConntrackTimeoutPolicy -NetworkNamespace $namespace).Name | Should -Be 'another'
    }
}

Describe 'The recipes of docs/privileges.md' {
    It '<_> gives an ordinary user CAP_NET_ADMIN and nothing else' -ForEach 'setpriv', 'capsh' {
        $recipe = (@(Get-Content "$PSScriptRoot/../../docs/privileges.md") -match "^    $_ ")[0].Trim()
        $recipe | Should -Match 'pwsh$'
        # The user nobody exists without useradd. It has what pwsh needs.
        $show = "sh -c 'id -u; grep CapEff /proc/self/status'"
        $command = $recipe -replace '=conntrack', '=nobody' -replace '--regid=nobody', '--regid=nogroup'
        $command = $_ -eq 'capsh' ? ($command -replace '-c pwsh$', "-c 'id -u; grep CapEff /proc/self/status'") : ($command -replace 'pwsh$', $show)
        $seen = @(sh -c $command)
        $seen[0] | Should -Be (id -u nobody)
        $seen[1] | Should -Match '^CapEff:\s+0*1000$'
    }
}

Describe 'With only CAP_NET_ADMIN' {
    BeforeAll {
        $namespace = New-TestNamespace $table
        $seen = Get-Seen $namespace '--inh-caps=+net_admin', '--ambient-caps=+net_admin' {
            $ErrorActionPreference = 'Stop'
            [ordered]@{
                Capability = (Get-Content /proc/self/status) -match '^CapEff:'
                All        = @(Get-ConntrackEntry).Count
                ByFilter   = @(Remove-ConntrackEntry -Protocol udp -AddressFamily IPv4 -PassThru).Count
                Piped      = @(Get-ConntrackEntry -Protocol tcp | Remove-ConntrackEntry -PassThru).Count
                Rest       = @(Get-ConntrackEntry).SourceAddress
                Stat       = (Get-ConntrackStat).Count
            } | ConvertTo-Json -Compress
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'lists' {
        $seen.Capability | Should -Match '\b0*1000$'
        $seen.All | Should -Be 4
    }

    It 'removes by filter and from the pipeline' {
        $seen.ByFilter | Should -Be 1
        $seen.Piped | Should -Be 2
        $seen.Rest | Should -Be '2001:db8::1'
        $seen.Stat | Should -Be 1
        Get-KernelName $namespace | Should -Be 'dns6'
    }

    It 'clears' {
        $seen = Get-Seen $namespace '--inh-caps=+net_admin', '--ambient-caps=+net_admin' {
            Clear-ConntrackTable -AddressFamily IPv4 -Confirm:$false
            $six = (Get-ConntrackStat).Count
            Clear-ConntrackTable -Confirm:$false
            ConvertTo-Json $six, (Get-ConntrackStat).Count -Compress
        }
        $seen | Should -Be 1, 0
        Get-KernelCount $namespace | Should -Be 0
    }
}
