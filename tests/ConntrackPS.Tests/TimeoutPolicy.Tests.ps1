BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

# Real datagrams, with a rule that attaches the policy to one port. conntrack shows the timeouts.
Describe 'A timeout policy at work' {
    BeforeAll {
        $namespace = New-TestNamespace
        $there = @{ NetworkNamespace = $namespace }
        New-ConntrackTimeoutPolicy game udp -Unreplied 3 @there
        # No host answers, and there are no ICMP errors.
        Invoke-InNamespace $namespace sh -c (@(
                'ip link set lo up', 'iptables -t raw -A OUTPUT -p udp --dport 9999 -j CT --timeout game', 'iptables -A INPUT -p udp -j DROP'
                'iptables -A OUTPUT -m conntrack --ctstate INVALID'
            ) -join ' && ')

        # It sends a datagram from the same port for each letter that it receives.
        $start = [System.Diagnostics.ProcessStartInfo]::new('ip')
        'netns', 'exec', $namespace, 'bash', '-c', 'exec 3>/dev/udp/127.0.0.1/9999 4>/dev/udp/127.0.0.1/9998; while read line; do echo $line >&3; echo $line >&4; done' |
            ForEach-Object { $start.ArgumentList.Add($_) }
        $start.RedirectStandardInput = $true
        $sender = [System.Diagnostics.Process]::Start($start)

        function Send-Datagram {
            $sender.StandardInput.WriteLine('x')
        }

        <# Seconds left by destination port, as conntrack shows them. #>
        function Get-TimeLeft {
            $left = @{}
            Get-KernelEntry $namespace | Where-Object Protocol -EQ 17 | ForEach-Object { $left[[int] $_.DestinationPort] = $_.TimeoutSeconds }
            $left
        }
    }

    AfterAll {
        if ($sender) {
            $sender.StandardInput.Close()
            $sender.WaitForExit()
            $sender.Dispose()
        }
        Remove-TestNamespace $namespace
    }

    It 'is obeyed by the flows of the rule that attaches it, and by no other' {
        Send-Datagram
        Wait-Until { (Get-TimeLeft).Count -eq 2 } 'the flows are not tracked'
        $left = Get-TimeLeft
        $left[9999] | Should -BeLessOrEqual 3
        $left[9998] | Should -BeGreaterThan 10
        (Get-ConntrackTimeoutPolicy game @there).UseCount | Should -Be 1
    }

    It 'lets them go when the time is over' {
        Wait-Until { -not (Get-TimeLeft).ContainsKey(9999) } 'the flow is still there'
        (Get-TimeLeft).Keys | Should -Be 9998
    }

    It 'takes a change for flows that are there, with their next packet' {
        Send-Datagram
        Wait-Until { (Get-TimeLeft).ContainsKey(9999) } 'the flow is not tracked'
        Set-ConntrackTimeoutPolicy game -Unreplied 10m @there
        Send-Datagram
        Wait-Until { (Get-TimeLeft)[9999] -gt 500 } 'the flow does not obey'
        (Get-TimeLeft)[9998] | Should -BeLessOrEqual 30
    }

    It 'is shown by the sample' {
        $output = Invoke-PowerShell '-NoProfile', '-NonInteractive', '-File', "$PSScriptRoot/../../samples/TimeoutPolicy.ps1" 2>&1 | Out-String
        $LASTEXITCODE | Should -Be 0 -Because $output
        $output | Should -Match '(?m)^ *Udp .* 9999 +\d\b'
        $output | Should -Match '(?m)^ *Udp .* 9998 +(2\d|30)\b'
        ip netns list | Should -Not -Match 'policy-demo'
    }
}
