<# Several routers at once by PowerShell remoting: the commands of docs/fleet.md. #>
BeforeDiscovery {
    Import-Module "$PSScriptRoot/Support/FleetSupport.psm1" -Force
    $missing = -not (Test-SshServer)
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-Module "$PSScriptRoot/Support/FleetSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'A fleet of routers' -Skip:$missing {
    BeforeAll {
        $tables = @{
            r1 = [ordered]@{
                web     = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 7'
                nat     = '-s 10.0.0.5 -d 198.51.100.7 -p tcp --sport 40002 --dport 443 --state ESTABLISHED -u SEEN_REPLY,ASSURED --src-nat 203.0.113.1'
                dns     = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 5000 --dport 53'
                already = '-s 192.0.2.8 -d 198.51.100.7 -p tcp --sport 1 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
            }
            r2 = [ordered]@{
                web6    = '-s 2001:db8::1 -d 2001:db8::7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
                dns     = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 5000 --dport 53'
                already = '-s 192.0.2.8 -d 198.51.100.7 -p tcp --sport 1 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
            }
        }
        $namespace = @{}
        $options = @{}
        $session = @{}
        foreach ($router in 'r1', 'r2') {
            $namespace[$router] = New-TestNamespace
            $options[$router] = Start-SshServer $namespace[$router] $TestDrive
            $session[$router] = New-PSSession -HostName $router -UserName root -Options $options[$router]
        }
        $fleet = $session['r1', 'r2']
        $package = "$(Get-PackagePath)/ConntrackPS.psd1"
        Invoke-Command $fleet { Import-Module $using:package } -ErrorAction Stop
    }

    BeforeEach {
        foreach ($router in 'r1', 'r2') {
            Reset-KernelTable $namespace[$router] $tables[$router]
        }
    }

    AfterAll {
        $session.Values | Remove-PSSession
        Remove-TestNamespace @($namespace.Values)
    }

    It 'lists all, and every entry says of which router it is' {
        $entries = Invoke-Command $fleet { Get-ConntrackEntry }
        $entries | Group-Object PSComputerName | Sort-Object Name | ForEach-Object Count | Should -Be 4, 3
        ($entries | Group-Object SourceAddress | Where-Object Name -EQ 192.0.2.1).Group.PSComputerName | Sort-Object | Should -Be 'r1', 'r1', 'r2'
    }

    It 'removes entries on the router that they are of' {
        $entries = Invoke-Command $fleet { Get-ConntrackEntry -DestinationPort 53 } | Where-Object PSComputerName -EQ r2
        $entries | Group-Object PSComputerName | ForEach-Object {
            $_.Group | Invoke-Command $session[$_.Name] { $input | Remove-ConntrackEntry }
        }
        Get-KernelName $namespace.r1 | Should -Be 'already', 'dns', 'nat', 'web'
        Get-KernelName $namespace.r2 | Should -Be 'already', 'web6'
    }

    It 'copies a table to the router that takes over' {
        Invoke-Command $session.r1 { Get-ConntrackEntry -Status Assured } | Invoke-Command $session.r2 { $input | New-ConntrackEntry -Force }
        $copied = Get-KernelEntry $namespace.r2 -Detailed | Where-Object { $_.SourceAddress -in '192.0.2.1', '10.0.0.5' -and $_.Protocol -eq 6 } | Sort-Object SourcePort
        $copied.SourcePort | Should -Be 40001, 40002
        $copied.State | Should -Be 'ESTABLISHED', 'ESTABLISHED'
        $copied.ReplyDestinationAddress | Should -Be '192.0.2.1', '203.0.113.1'
        $copied.Mark | Should -Be 7, 0
        $copied.Assured | Should -Be $true, $true
        Get-KernelCount $namespace.r2 | Should -Be 5
    }

    It 'reads a router without PowerShell, and removes entries there' {
        $arguments = @($options.r1.GetEnumerator() | ForEach-Object { '-o', "$($_.Key)=$($_.Value)" }) + 'root@r1'
        $entries = ssh @arguments conntrack -L -o extended 2>$null | ConvertFrom-ConntrackText
        $entries.Count | Should -Be 4
        $entries | Where-Object DestinationPort -EQ 443 | ConvertTo-ConntrackText -Format Delete |
            ssh @arguments conntrack -R - 2>$null | Out-Null
        Get-KernelName $namespace.r1 | Should -Be 'already', 'dns', 'web'
    }

    It 'names the router in an error' {
        $failure = Get-Failure { Invoke-Command $fleet { Get-ConntrackEntry -NetworkNamespace nowhere } -ErrorAction Continue }
        $failure.OriginInfo.PSComputerName | Sort-Object | Should -Be 'r1', 'r2'
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'NetworkNamespaceNotFound*'
    }
}
