# The rules for the classes of cmdlets, so that a parameter and its use are easy to find.
BeforeDiscovery {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    # Exclusions have their own parameters.
    $settable = [ConntrackPS.Conntrack.Filtering.ConntrackFilter].GetProperties().Where{ $_.CanWrite -and $_.Name -ne 'Exclude' }.Name
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $assembly = (Get-Command Get-ConntrackEntry).ImplementingType.Assembly
    $members = [Reflection.BindingFlags]'Instance, Static, Public, NonPublic, DeclaredOnly'
    $classes = $assembly.GetTypes().Where{ $_.IsSubclassOf([System.Management.Automation.PSCmdlet]) }
    $parse = $assembly.GetType('ConntrackPS.Terminal.FilterLine').GetMethod('Parse')

    function Get-BaseClass([type] $Type) {
        for ($class = $Type.BaseType; $class -ne [object]; $class = $class.BaseType) { $class }
    }
}

Describe 'Classes of cmdlets' {
    It 'are at most four deep below PSCmdlet' {
        $classes.Count | Should -BeGreaterThan 25
        $classes.Where{ @(Get-BaseClass $_).IndexOf([System.Management.Automation.PSCmdlet]) -ge 4 }.Name | Should -BeNullOrEmpty
    }

    It 'have no property that hides a member of a base class' {
        $hidden = foreach ($class in $classes) {
            foreach ($property in $class.GetProperties($members)) {
                $accessor = $property.GetAccessors($true)[0]
                if ($accessor.GetBaseDefinition() -ne $accessor) { continue }
                # Cmdlets that change something accept one namespace. They hide the parameter of the base class.
                if ($property.Name -eq 'NetworkNamespace' -and $property.PropertyType -eq [string]) { continue }
                foreach ($base in Get-BaseClass $class) {
                    if ($base.GetMember($property.Name, $members).Where{ -not $_.IsPrivate }) { "$($class.Name).$($property.Name) hides $($base.Name)'s" }
                }
            }
        }
        $hidden | Should -BeNullOrEmpty
    }

    It 'are not the only ones of their base class' {
        $classes.Where{ $_.IsAbstract }.Where{ $base = $_; $classes.Where{ $_.BaseType -eq $base }.Count -lt 2 }.Name | Should -BeNullOrEmpty
    }
}

Describe 'The filter property <_>' -ForEach $settable {
    BeforeAll {
        $property = [ConntrackPS.Conntrack.Filtering.ConntrackFilter].GetProperty($_)
        $name = $_
    }

    It 'has a parameter on each cmdlet that selects entries' {
        foreach ($command in 'Get-ConntrackEntry', 'Remove-ConntrackEntry', 'Measure-ConntrackEntry', 'Watch-ConntrackEvent', 'Register-ConntrackEvent',
            'Block-ConntrackTraffic', 'Show-ConntrackTop', 'Set-ConntrackEntry') {
            (Get-Command $command).Parameters[$name].ParameterSets.Keys | Should -Be 'Filter' -Because "$command -$name selects"
        }
    }

    It 'takes what the parameter is given' {
        $typed, $expected = switch -Regex ($name) {
            'Address$' { '192.0.2.0/24', '192.0.2.0/24'; break }
            'Port$' { '1000-2000', '1000-2000'; break }
            'Nat$|^Unreplied$' { '', 'True'; break }
            'Status$' { 'Assured,SeenReply', 'SeenReply, Assured'; break }
            '^Protocol$' { 'udp', 'Udp'; break }
            '^State$' { 'SYN_SENT', 'SynSent'; break }
            '^Mark$' { '0x100/0xff00', '0x100/0xff00'; break }
            '^(Helper|SecurityContext)$' { "'a name'", 'a name'; break }
            '^Timeout' { '2h', '7200'; break }
            '^OlderThan$' { '1h', '01:00:00'; break }
            '^Minimum' { '1MB', '1048576'; break }
            '^AddressFamily$' { 'IPv6', 'IPv6'; break }
            default { '17', '17' }
        }
        $filter = $parse.Invoke($null, @("-$name $typed".TrimEnd()))
        "$($property.GetValue($filter))" | Should -Be $expected
        $untouched = [ConntrackPS.Conntrack.Filtering.ConntrackFilter]::new()
        foreach ($other in [ConntrackPS.Conntrack.Filtering.ConntrackFilter].GetProperties().Where{ $_.CanWrite -and $_.Name -ne $name }) {
            "$($other.GetValue($filter))" | Should -Be "$($other.GetValue($untouched))" -Because "-$name says nothing of $($other.Name)"
        }
    }
}

Describe 'What leaves out <_>' -ForEach ($settable -match '(Address|Port)$|^Icmp|^Gre|^(Protocol|State|Mark|Zone|Label|Helper)$') {
    It 'has a parameter on each cmdlet that selects entries, with the attributes of the one that asks' {
        foreach ($command in 'Get-ConntrackEntry', 'Remove-ConntrackEntry', 'Measure-ConntrackEntry', 'Watch-ConntrackEvent', 'Register-ConntrackEvent',
            'Block-ConntrackTraffic', 'Show-ConntrackTop', 'Set-ConntrackEntry') {
            $asks, $leaves = foreach ($name in $_, "Exclude$_") { (Get-Command $command).Parameters[$name] }
            $leaves.ParameterSets.Keys | Should -Be 'Filter' -Because "$command -Exclude$_ selects"
            $leaves.ParameterType | Should -Be $asks.ParameterType
            foreach ($kind in [System.Management.Automation.ArgumentTransformationAttribute], [System.Management.Automation.ArgumentCompleterAttribute]) {
                $leaves.Attributes.Where{ $_ -is $kind }.ForEach{ "$($_.TypeId) $($_.Type)" } | Should -Be $asks.Attributes.Where{ $_ -is $kind }.ForEach{ "$($_.TypeId) $($_.Type)" }
            }
        }
    }

    It 'is one filter of those that are excluded' {
        $asks = $_
        $value = switch -Regex ($_) { 'Address$' { '192.0.2.0/24' } 'Port$' { '1000-2000' } 'Protocol' { 'Udp' } 'State' { 'SynSent' } 'Helper' { 'ftp' } 'Mark' { '0x11' } default { '17' } }
        $filter = $parse.Invoke($null, @("-Exclude$asks $value"))
        $filter.Exclude.Count | Should -Be 1
        "$($filter.Exclude[0].$asks)" | Should -Be $value
        $filter.NamesEntries | Should -BeFalse
        foreach ($name in [ConntrackPS.Conntrack.Filtering.ConntrackFilter].GetProperties().Where{ $_.CanWrite -and $_.Name -ne 'Exclude' }.Name) {
            "$($filter.$name)" | Should -Be "$([ConntrackPS.Conntrack.Filtering.ConntrackFilter]::new().$name)"
        }
    }
}
