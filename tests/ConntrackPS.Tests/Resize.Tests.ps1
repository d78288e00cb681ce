<#
    Somebody resizes the hash table again and again, which loses entries from whatever lists the table: a cmdlet has dealt
    with all of them at the end, or says that it may not have. Every network namespace uses the same hash table.
#>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1", "$PSScriptRoot/Support/ResizeStorm.psm1" -Force
    Import-PackagedModule
    $obstacle = Get-ResizeObstacle
    $total = 30000
    $lines = New-ManyLine $total
    $namespace = New-TestNamespace
    $here = @{ NetworkNamespace = $namespace; WarningVariable = 'warnings'; WarningAction = 'SilentlyContinue' }
    $buckets = '/proc/sys/net/netfilter/nf_conntrack_buckets'
    $before = Get-Content $buckets
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'A storm of resizes' -Tag 'Machine' {
    BeforeEach {
        Invoke-InNamespace $namespace conntrack -F
        Add-KernelLine $namespace $lines
    }

    # The kernel cannot filter by port ranges, so the table is listed.
    It 'leaves nothing after <Name>, or warns' -ForEach @(
        @{ Name = 'Remove-ConntrackEntry'; Script = { Remove-ConntrackEntry -SourcePort 4000-4001 @here; , $warnings } }
        @{ Name = 'Remove-ConntrackEntry -PassThru'; Script = { $null = Remove-ConntrackEntry -SourcePort 4000-4001 -PassThru @here; , $warnings } }
        @{ Name = 'Remove-ConntrackEntry -Block'; Script = { Remove-ConntrackEntry -SourcePort 4000-4001 -Block @here; , $warnings } }
        @{
            Name = 'Set-ConntrackEntry'; Script = { Set-ConntrackEntry -SourcePort 4000-4001 -NewMark 7 @here; , $warnings }
            Verb = 'changed, and others that were meant may not have been'; Left = { @(Invoke-InNamespace $namespace conntrack -L | Where-Object { $_ -notmatch ' mark=7 ' }).Count }
        }
    ) {
        if ($obstacle) {
            Set-ItResult -Skipped -Because $obstacle
            return
        }
        $said, $resizes = Invoke-InStorm $Script
        $resizes | Should -BeGreaterThan 1
        $left = $Left ? (& $Left) : (Get-KernelCount $namespace)
        if ($left) {
            $verb = $Verb ?? 'deleted. Other matching entries may remain'
            $said | Should -HaveCount 1
            "$said" | Should -BeLike "$($total - $left) entries $verb. *nf_conntrack_buckets*run the command again*"
        }
        Get-Content $buckets | Should -Be $before
    }

    It 'leaves nothing after a deletion by one request' {
        if ($obstacle) {
            Set-ItResult -Skipped -Because $obstacle
            return
        }
        $verbose = Invoke-InStorm { Remove-ConntrackEntry -Protocol tcp -AddressFamily IPv4 -Verbose @here 4>&1 }
        "$verbose" | Should -Match 'about \d+ entries removed'
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'shows all to <Name>, or warns' -ForEach @(
        @{ Name = 'Get-ConntrackEntry'; Script = { [Collections.Generic.HashSet[string]]::new([string[]] (Get-ConntrackEntry @here).SourceAddress).Count; , $warnings }; Verb = 'listed. Others may be missing' }
        @{ Name = 'Measure-ConntrackEntry'; Script = { (Measure-ConntrackEntry -GroupBy Protocol @here).Count; , $warnings }; Verb = 'counted. Some may be missing, and some may be counted twice' }
    ) {
        if ($obstacle) {
            Set-ItResult -Skipped -Because $obstacle
            return
        }
        $seen, $said, $resizes = Invoke-InStorm $Script
        $resizes | Should -BeGreaterThan 1
        if ($seen -ne $total) {
            "$said" | Should -BeLike "$seen entries $Verb. *nf_conntrack_buckets*"
        }
    }
}
