# Names instead of numbers and long names: services, protocols, host names, short names of parameters.
BeforeDiscovery {
    $short = @{ Source = 'SourceAddress'; Destination = 'DestinationAddress'; SPort = 'SourcePort'; DPort = 'DestinationPort'; Namespace = 'NetworkNamespace' }
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $aliases = foreach ($command in Get-Command -Module ConntrackPS) {
        foreach ($alias in $short.Keys | Sort-Object) {
            if ($command.Parameters.ContainsKey($short[$alias])) {
                @{ Command = $command.Name; Alias = $alias; Name = $short[$alias] }
            }
        }
    }
    # Every parameter that accepts a port, by name.
    $ports = foreach ($command in Get-Command -Module ConntrackPS) {
        foreach ($name in $command.Parameters.Keys -match 'Port$') {
            @{ Command = $command.Name; Name = $name }
        }
    }
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $table = [ordered]@{
        web   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 443 --state ESTABLISHED'
        dns   = '-s 192.0.2.9 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        proxy = '-s 127.0.0.1 -d 198.51.100.7 -p tcp --sport 40002 --dport 8080 --state ESTABLISHED'
        sctp  = '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2'
    }
    $namespace = New-TestNamespace $table
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
    $hasServices = Test-Path /etc/services

    <# The error of a command on a machine without /etc/services. #>
    function Should-TellOfMissingFile([scriptblock] $Script) {
        "$(Get-Failure $Script)" | Should -BeLike "*no /etc/services*netbase*number from 0 to 65535*"
    }

    function Get-Completion([string] $Line) {
        (TabExpansion2 $Line $Line.Length).CompletionMatches
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Names of services' {
    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    It 'are ports, alone, in a list with ranges, and in any case' {
        if (-not $hasServices) { return Should-TellOfMissingFile { Get-ConntrackEntry -DestinationPort https } }
        Resolve-EntryName $namespace @(Get-ConntrackEntry -DestinationPort https) | Should -Be 'web'
        Resolve-EntryName $namespace @(Get-ConntrackEntry -DestinationPort DOMAIN) | Should -Be 'dns'
        Resolve-EntryName $namespace @(Get-ConntrackEntry -Port https, domain, 8000-8100) | Should -Be 'dns', 'proxy', 'web'
        Resolve-EntryName $namespace @(Get-ConntrackEntry -ExcludePort https, domain) | Should -Be 'proxy', 'sctp'
        # Ranges from one to another, of names and numbers.
        Resolve-EntryName $namespace @(Get-ConntrackEntry -DestinationPort http-https) | Should -Be 'web'
        Resolve-EntryName $namespace @(Get-ConntrackEntry -DestinationPort 80-https, domain-80) | Should -Be 'dns', 'web'
        Resolve-EntryName $namespace @(Get-ConntrackEntry -DestinationPort sip-sip-tls, https-9000) | Should -Be 'proxy', 'sctp', 'web'
        "$(Get-Failure { Get-ConntrackEntry -DestinationPort https-http })" | Should -BeLike "*443-80*"
        "$(Get-Failure { Get-ConntrackEntry -DestinationPort http-nothing })" | Should -BeLike "*http-nothing*is not a service*"
        "$(Get-Failure { New-ConntrackEntry 192.0.2.1 192.0.2.2 -Protocol udp -SourcePort 1 -DestinationPort http-https })" | Should -BeLike '*http-https*'

        # An alias in the file, and a name with a hyphen that is not a range.
        Resolve-EntryName $namespace @(Get-ConntrackEntry -DestinationPort http-alt, sip-tls) | Should -Be 'proxy', 'sctp'
    }

    It 'delete what the port names, and nothing else' {
        if (-not $hasServices) { return Should-TellOfMissingFile { Remove-ConntrackEntry -DestinationPort https } }
        Remove-ConntrackEntry -DestinationPort https
        Get-KernelName $namespace | Should -Be 'dns', 'proxy', 'sctp'
    }

    It 'come from files too' {
        if (-not $hasServices) { return Should-TellOfMissingFile { Get-ConntrackEntry -DestinationPort https } }
        'Service', 'https', 'domain' | Set-Content TestDrive:/services.csv
        Resolve-EntryName $namespace @(Get-ConntrackEntry -DestinationPort (Import-Csv TestDrive:/services.csv).Service) | Should -Be 'dns', 'web'
        Resolve-EntryName $namespace @(Get-ConntrackEntry -DestinationPort ('["https", 53]' | ConvertFrom-Json)) | Should -Be 'dns', 'web'
    }

    It 'make an entry' {
        if (-not $hasServices) { return Should-TellOfMissingFile { New-ConntrackEntry 192.0.2.5 198.51.100.5 -Protocol tcp -SourcePort 4000 -DestinationPort ssh -State Established -Timeout 60 } }
        New-ConntrackEntry 192.0.2.5 198.51.100.5 -Protocol tcp -SourcePort 4000 -DestinationPort ssh -State Established -Timeout 60
        "$(Invoke-InNamespace $namespace conntrack -L -s 192.0.2.5)" | Should -Match 'dport=22 '
        foreach ($name in 'SourcePort', 'DestinationPort', 'ReplySourcePort', 'ReplyDestinationPort', 'TranslatedSourcePort', 'TranslatedDestinationPort') {
            $with = @{ SourcePort = 1; DestinationPort = 2 }
            $with[$name] = 'no-such-service'
            "$(Get-Failure { New-ConntrackEntry 192.0.2.5 198.51.100.5 -Protocol udp @with })" | Should -BeLike "*'$name'*'no-such-service' is not a service of /etc/services*number from 0 to 65535*"
        }
    }

    It 'that are unknown are an error, which names the file and what is accepted' {
        $failure = Get-Failure { Remove-ConntrackEntry -DestinationPort no-such-service }
        $failure.FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentTransformationError,*'
        "$failure" | Should -BeLike "*'no-such-service'*/etc/services*number from 0 to 65535, a range such as 1000-2000, or a service such as https*"
        Get-KernelCount $namespace | Should -Be $table.Count
    }

    It 'are taken by -<Name> of <Command>' -ForEach $ports {
        $attribute = (Get-Command $Command).ImplementingType.GetProperty($Name).GetCustomAttributes($true).Where{ $_ -is [System.Management.Automation.ArgumentTransformationAttribute] }
        $read = { $attribute[0].Transform($null, 'domain') }
        if ($hasServices) {
            "$(& $read)" | Should -Be '53'
        }
        else {
            $read | Should -Throw '*netbase*'
        }
        { $attribute[0].Transform($null, '65536') } | Should -Throw '*from 0 to 65535*service*'
        "$($attribute[0].Transform($null, 80))" | Should -Be '80'
        (Get-Command $Command).Parameters[$Name].Attributes.Where{ $_ -is [System.Management.Automation.ArgumentCompleterAttribute] }.Count | Should -Be 1
    }
}

Describe 'Services in views' {
    BeforeAll {
        Reset-KernelTable $namespace $table
        $https, $domain = $hasServices ? 'https', 'domain' : 443, 53

        function Get-Line($Object, [int] $Width = 80, [hashtable] $With = @{}) {
            $rendering, $PSStyle.OutputRendering = $PSStyle.OutputRendering, 'PlainText'
            try { (($With.Count ? ($Object | Format-Table @With) : $Object) | Out-String -Width $Width) -split "`n" } finally { $PSStyle.OutputRendering = $rendering }
        }
    }

    It 'are shown of entries, whose ports stay numbers' {
        $web = Get-ConntrackEntry -DestinationPort 443 -ResolveService
        $web.DestinationPort | Should -BeOfType ([ushort])
        $web.DestinationPort | Should -Be 443
        $web.DestinationService | Should -Be ($hasServices ? 'https' : $null)
        $web.SourceService | Should -BeNullOrEmpty
        $lines = Get-Line $web
        $lines -match '^Protocol State .*SPort .*Service' | Should -HaveCount 1
        $lines -match "^Tcp +Established +192\.0\.2\.1 +40001 198\.51\.100\.7 +$https" | Should -HaveCount 1
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
        Get-Line (Get-ConntrackEntry -Protocol tcp) | Should -Not -Match 'https'
    }

    It 'come along through CSV, JSON and CLIXML, and the objects still name their entries' {
        $web = Get-ConntrackEntry -DestinationPort 443 -ResolveService
        foreach ($copy in ($web | ConvertTo-Csv | ConvertFrom-Csv), ($web | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json)) {
            "$($copy.DestinationService)" | Should -Be ($hasServices ? 'https' : '')
            Resolve-EntryName $namespace @($copy | Get-ConntrackEntry) | Should -Be 'web'
        }
        $web | Export-Clixml TestDrive:/web.xml
        Import-Clixml TestDrive:/web.xml | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be 'dns', 'proxy', 'sctp'
        Reset-KernelTable $namespace $table
    }

    It 'are shown of groups, which still name their entries' {
        $group = Measure-ConntrackEntry -GroupBy Protocol, DestinationPort -DestinationPort 53 -ResolveService
        $group.Name, $group.ServiceName, $group.DestinationPort | Should -Be 'Udp, 53', "Udp, $domain", 53
        (Get-Line $group) -match " Udp, $domain" | Should -HaveCount 1
        (Get-Line (Measure-ConntrackEntry -GroupBy DestinationPort -DestinationPort 443 -ResolveService)) -match " $https" | Should -HaveCount 1
        $group | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be 'proxy', 'sctp', 'web'
        Reset-KernelTable $namespace $table
    }

    It 'are shown of events' {
        $seen = Watch-ConntrackEvent -IncludeExisting -DestinationPort 443 -MaxEvents 1 -Timeout 30 -ResolveService -WarningAction Ignore
        $seen.DestinationService | Should -Be ($hasServices ? 'https' : $null)
        (Get-Line $seen) -match "Existing +192\.0\.2\.1 +40001 198\.51\.100\.7 +$https" | Should -HaveCount 1
        (Get-Line $seen) | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
    }

    It 'are shown in the live view' {
        (Show-ConntrackTop -Once -ResolveService -Width 80) -match "^192\.0\.2\.1 .* $https tcp" | Should -HaveCount 1
        (Show-ConntrackTop -Once -Width 80) -match '^192\.0\.2\.1 .* 443 tcp' | Should -HaveCount 1
    }
}

Describe 'Names of protocols' {
    It 'are ours, the kernel''s and those of /etc/protocols' {
        Resolve-EntryName $namespace @(Get-ConntrackEntry -Protocol SCTP, UDP) | Should -Be 'dns', 'sctp'
        if (Test-Path /etc/protocols) {
            # EGP is 8 by IANA, and has no name of ours.
            $told = "$(Get-ConntrackEntry -Protocol egp -Debug:$false -Verbose 4>&1)"
            $told | Should -Match '^0 entries'
        }
        else {
            "$(Get-Failure { Get-ConntrackEntry -Protocol egp })" | Should -BeLike "*'egp' is not a protocol*"
        }
        "$(Get-Failure { Get-ConntrackEntry -Protocol no-such-protocol })" | Should -BeLike "*'no-such-protocol' is not a protocol*number from 0 to 255*"
    }
}

Describe 'Completion of ports' {
    It 'offers those of the table, the most frequent first, and then services: <Line>' -ForEach @(
        @{ Line = '-DestinationPort '; First = '443', '5061', '53', '8080'; Service = 'https' }
        @{ Line = '-ExcludeDestinationPort 4'; First = @('443'); Service = $null }
        @{ Line = '-DestinationPort htt'; First = @(); Service = 'https' }
        @{ Line = '-Port https,dom'; First = @(); Service = 'domain' }
        @{ Line = '-SPort 400'; First = '40001', '40002'; Service = $null }
    ) {
        $found = @(Get-Completion "Get-ConntrackEntry -NetworkNamespace $namespace $Line").CompletionText
        if ($First) { $found | Select-Object -First $First.Count | Sort-Object | Should -Be $First }
        if ($Service -and $hasServices) {
            $found | Should -Contain $Service
            $found.IndexOf($Service) | Should -BeGreaterOrEqual $First.Count
        }
        if (-not $Service) { $found.Count | Should -Be $First.Count }
    }

    It 'offers services where nothing need be in the table' {
        $found = @(Get-Completion 'New-ConntrackEntry -DestinationPort htt').CompletionText
        $found -contains 'https' | Should -Be $hasServices
    }
}

Describe 'Host names' {
    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    It 'are refused with the way to look them up: <Command> -<Name>' -ForEach @(
        foreach ($name in 'SourceAddress', 'Address', 'ExcludeDestinationAddress', 'TranslatedAddress') {
            @{ Command = 'Remove-ConntrackEntry'; Name = $name; Expression = "([System.Net.Dns]::GetHostAddresses('router.example'))" }
        }
        @{ Command = 'Get-ConntrackExpectation'; Name = 'MasterSourceAddress'; Expression = "([System.Net.Dns]::GetHostAddresses('router.example'))" }
        @{ Command = 'New-ConntrackEntry'; Name = 'SourceAddress'; Expression = "([System.Net.Dns]::GetHostAddresses('router.example')[0])" }
        @{ Command = 'New-ConntrackExpectation'; Name = 'DestinationAddress'; Expression = "([System.Net.Dns]::GetHostAddresses('router.example')[0])" }
    ) {
        $with = @{ $Name = 'router.example' }
        $failure = @(Get-Failure { & $Command @with -Protocol tcp })
        $failure.Count | Should -Be 1
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentTransformationError,*'
        "$failure" | Should -BeLike "*'$Name'*'router.example' is a name, not an address.*address*"
        "$failure".EndsWith($Expression) | Should -BeTrue -Because "'$failure' ends with what one can type"
        Get-KernelCount $namespace | Should -Be $table.Count
    }

    It 'work in the way that the error shows' {
        $told = "$(Get-Failure { Get-ConntrackEntry -SourceAddress localhost })"
        $expression = [regex]::Match($told, '\(\[System\.Net\.Dns\].*$').Value
        Resolve-EntryName $namespace @(& ([scriptblock]::Create("Get-ConntrackEntry -SourceAddress $expression"))) | Should -Be 'proxy'
        & ([scriptblock]::Create("Remove-ConntrackEntry -SourceAddress $expression"))
        Get-KernelName $namespace | Should -Be 'dns', 'sctp', 'web'
    }

    It 'are distinguished from incomplete or wrong addresses: <_>' -ForEach '10.1', '300.1.1.1', '192.0.2.*', '0x0a000001', '2001:db8::g', '192.0.2.1-192.0.2.9', 'fe80::1%eth0', '-a.example' {
        $value = $_
        "$(Get-Failure { Get-ConntrackEntry -SourceAddress $value })" | Should -Not -BeLike '*GetHostAddresses*'
    }
}

Describe 'Short names of parameters' {
    It '-<Alias> is -<Name> of <Command>' -ForEach $aliases {
        $parameters = (Get-Command $Command).Parameters
        # If objects have a namespace, -Namespace is the parameter that it is bound to.
        if ($Alias -eq 'Namespace' -and $parameters.ContainsKey('Namespace')) {
            $parameters.Namespace.ParameterSets.Count | Should -BeGreaterThan 0
            $parameters.NetworkNamespace.Aliases | Should -BeNullOrEmpty
        }
        else {
            $parameters[$Name].Aliases | Should -Be $Alias
        }
    }

    It 'are there on each cmdlet with filters' -ForEach @{ Found = $aliases } {
        foreach ($name in 'Source', 'Destination', 'SPort', 'DPort') {
            $Found.Where{ $_.Alias -eq $name }.Count | Should -BeGreaterOrEqual 12
        }
        $Found.Where{ $_.Alias -eq 'Namespace' }.Count | Should -BeGreaterOrEqual 24
    }

    It 'select as the long names do' {
        Reset-KernelTable $namespace $table
        $PSDefaultParameterValues.Remove('*-Conntrack*:NetworkNamespace')
        try {
            Resolve-EntryName $namespace @(Get-ConntrackEntry -Source 192.0.2.0/24 -Destination 198.51.100.7 -SPort 40000-40010 -DPort 443 -Namespace $namespace) | Should -Be 'web'
            Remove-ConntrackEntry -Destination 198.51.100.7 -DPort 443 -Namespace $namespace
            Get-KernelName $namespace | Should -Be 'dns', 'proxy', 'sctp'
            (Show-ConntrackTop -Source 192.0.2.9 -Namespace $namespace -Once)[1] | Should -BeLike 'Shown 1 *'
            @(Get-Completion "Get-ConntrackEntry -Namespace $namespace -Source 192.0.2.9").CompletionText | Should -Be '192.0.2.9'
            @(Get-Completion "Get-ConntrackEntry -Namespace $namespace").CompletionText | Should -Contain $namespace
        }
        finally {
            $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
        }
    }

    It '-Namespace is where a setting is changed, whatever objects say' {
        $other = New-TestNamespace
        $PSDefaultParameterValues.Remove('*-Conntrack*:NetworkNamespace')
        try {
            Set-ConntrackSetting Accounting $true -Namespace $other
            Invoke-InNamespace $other sysctl -n net.netfilter.nf_conntrack_acct | Should -Be 1
            Get-ConntrackSetting Accounting -Namespace $other | Set-ConntrackSetting -Namespace $namespace
            Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_acct | Should -Be 1
            $null = Invoke-InNamespace $other sysctl -qw net.netfilter.nf_conntrack_acct=0
            Get-ConntrackSetting Accounting -Namespace $namespace | Set-ConntrackSetting -NetworkNamespace $other
            Invoke-InNamespace $other sysctl -n net.netfilter.nf_conntrack_acct | Should -Be 1
            # Without either, objects are processed in the namespace that they came from.
            Get-ConntrackSetting Accounting -Namespace $other | ForEach-Object { $_ } | Set-ConntrackSetting -Value $false
            Invoke-InNamespace $other sysctl -n net.netfilter.nf_conntrack_acct | Should -Be 0
            $null = New-ConntrackTimeoutPolicy -Namespace $other -Name policy -Protocol Udp -Replied 5
            (Get-ConntrackTimeoutPolicy -Namespace $other, $namespace).Name | Should -Be 'policy'
            (Get-ConntrackTimeoutPolicy -Namespace "$($other.Substring(0, $other.Length - 1))*").Name | Should -Be 'policy'
        }
        finally {
            $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
            Remove-TestNamespace $other
        }
    }
}
