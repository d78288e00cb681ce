BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-Module "$PSScriptRoot/Support/RestoreLab.psm1" -Force
    Import-PackagedModule
    $lab = New-RestoreLab
    $PSDefaultParameterValues['*-ConntrackEntry:NetworkNamespace'] = $lab.Router
    $PSDefaultParameterValues['Clear-ConntrackTable:NetworkNamespace'] = $lab.Router

    <# Empties the router's table, and creates its entry again from a text form. #>
    function Restore-Entry([int] $Port, [string] $Form) {
        $listing = switch ($Form) {
            'Clixml' { Get-ConntrackEntry -Port $Port | Export-Clixml TestDrive:/entry.xml }
            'CSV' { Get-ConntrackEntry -Port $Port | Export-Csv TestDrive:/entry.csv }
            'list' { Invoke-InNamespace $lab.Router conntrack -L -p tcp --sport $Port }
            'save' { Invoke-InNamespace $lab.Router conntrack -L -p tcp --sport $Port -o save }
            'XML' { Invoke-InNamespace $lab.Router conntrack -L -p tcp --sport $Port -o xml }
            'proc' { Invoke-InNamespace $lab.Router cat /proc/net/nf_conntrack | Where-Object { $_ -match " sport=$Port " } }
        }
        Clear-ConntrackTable -Confirm:$false
        switch ($Form) {
            'Clixml' { Import-Clixml TestDrive:/entry.xml | New-ConntrackEntry }
            'CSV' { Import-Csv TestDrive:/entry.csv | New-ConntrackEntry }
            'parameters' {
                New-ConntrackEntry 10.0.0.10 198.51.100.2 -Protocol tcp -SourcePort $Port -DestinationPort 5000 -State Established -Status SeenReply, Assured -Timeout 1h
            }
            default { $listing | ConvertFrom-ConntrackText | New-ConntrackEntry -Timeout 1h }
        }
    }
}

AfterAll {
    Remove-RestoreLab $lab
    $PSDefaultParameterValues.Remove('Clear-ConntrackTable:NetworkNamespace')
}

Describe 'A TCP connection whose entry was saved, deleted and restored' {
    It 'continues, and no packet of it is invalid: <_>' -ForEach 'Clixml', 'CSV', 'list', 'save', 'XML', 'proc', 'parameters' {
        $transfer = Open-LabTransfer $lab 20MB
        (Get-KernelEntry $lab.Router -Detailed | Where-Object SourcePort -EQ $transfer.Port).State | Should -Be 'ESTABLISHED'
        Restore-Entry $transfer.Port $_
        Get-KernelCount $lab.Router | Should -Be 1
        $before = Get-LabInvalid $lab
        Complete-LabTransfer $transfer | Should -BeTrue
        Get-LabInvalid $lab | Should -Be $before
    }

    It 'keeps the flags that an object carries' {
        $transfer = Open-LabTransfer $lab 1
        $entry = Get-ConntrackEntry -Port $transfer.Port
        $entry.OriginalTcpFlags | Should -Not -Match 'BeLiberal'
        Restore-Entry $transfer.Port Clixml
        (Get-ConntrackEntry -Port $transfer.Port).OriginalTcpFlags | Should -Be $entry.OriginalTcpFlags
        (Get-ConntrackEntry -Port $transfer.Port).ReplyTcpFlags | Should -Be $entry.ReplyTcpFlags
        Complete-LabTransfer $transfer | Should -BeTrue
    }

    It 'has the flags of a connection that is picked up, in state <State>: <Flags>' -ForEach @(
        @{ State = 'SynSent'; Flags = 'SackPerm, BeLiberal' }
        @{ State = 'Established'; Flags = 'SackPerm, BeLiberal' }
        @{ State = 'LastAck'; Flags = 'SackPerm, BeLiberal' }
        @{ State = 'TimeWait'; Flags = 'SackPerm, CloseInit, BeLiberal' }
        @{ State = 'Close'; Flags = 'SackPerm, CloseInit, BeLiberal' }
    ) {
        $entry = New-ConntrackEntry 10.0.0.10 198.51.100.9 -Protocol tcp -SourcePort 1 -DestinationPort 2 -State $State -Timeout 600 -PassThru
        $entry.OriginalTcpFlags, $entry.ReplyTcpFlags | Should -Be $Flags, $Flags
        # A limit of conntrack, which no option changes.
        $entry | Remove-ConntrackEntry
        $name = [regex]::Replace($State, '(?<=.)[A-Z]', '_$0').ToUpperInvariant()
        Invoke-InNamespace $lab.Router conntrack -I -p tcp -s 10.0.0.10 -d 198.51.100.9 --sport 1 --dport 2 --state $name -t 600
        $theirs = Get-ConntrackEntry -DestinationAddress 198.51.100.9
        $theirs.OriginalTcpFlags, $theirs.ReplyTcpFlags | Should -Be $Flags, $Flags
        $theirs | Remove-ConntrackEntry
    }
}

Describe 'An SCTP association whose entry was saved, deleted and restored' {
    BeforeAll {
        # The packets that are sent here have no checksum.
        Invoke-InNamespace $lab.Router sysctl -qw net.netfilter.nf_conntrack_checksum=0
        $clientTag, $serverTag = 0x1111, 0x22220000

        <# Sends data in both directions. Returns how many of the two packets were invalid. #>
        function Measure-Invalid {
            $before = Get-LabInvalid $lab
            Send-LabSctp $lab data -Tag $clientTag
            Send-LabSctp $lab data -FromServer -Tag $serverTag
            (Get-LabInvalid $lab) - $before
        }
    }

    BeforeEach {
        Clear-ConntrackTable -Confirm:$false
        # The kernel learns the tags from packets.
        Send-LabSctp $lab heartbeat -Tag $clientTag
        Send-LabSctp $lab heartbeat-ack -FromServer -Tag $serverTag
        Set-ConntrackEntry -Protocol sctp -SetStatus SeenReply -NewTimeout 1h
    }

    It 'continues with the tags that <Form> keeps' -ForEach @{ Form = 'Clixml' }, @{ Form = 'CSV' }, @{ Form = 'save' } {
        Measure-Invalid | Should -Be 0
        switch ($Form) {
            'Clixml' { Get-ConntrackEntry -Protocol sctp | Export-Clixml TestDrive:/sctp.xml }
            'CSV' { Get-ConntrackEntry -Protocol sctp | Export-Csv TestDrive:/sctp.csv }
            'save' { Invoke-InNamespace $lab.Router conntrack -L -p sctp -o save > TestDrive:/sctp.txt }
        }
        Clear-ConntrackTable -Confirm:$false
        $told = switch ($Form) {
            'Clixml' { Import-Clixml TestDrive:/sctp.xml | New-ConntrackEntry 3>&1 }
            'CSV' { Import-Csv TestDrive:/sctp.csv | New-ConntrackEntry 3>&1 }
            'save' { Get-Content TestDrive:/sctp.txt | ConvertFrom-ConntrackText | New-ConntrackEntry 3>&1 }
        }
        $told | Should -BeNullOrEmpty
        $entry = Get-ConntrackEntry -Protocol sctp
        $entry.OriginalVerificationTag, $entry.ReplyVerificationTag | Should -Be $clientTag, $serverTag
        Measure-Invalid | Should -Be 0
    }

    It 'warns that <_> has no tags, which the kernel needs and learns from heartbeats' -ForEach 'list', 'XML', 'proc', 'parameters' {
        $text = switch ($_) {
            'list' { Invoke-InNamespace $lab.Router conntrack -L -p sctp }
            'XML' { Invoke-InNamespace $lab.Router conntrack -L -p sctp -o xml }
            'proc' { Invoke-InNamespace $lab.Router cat /proc/net/nf_conntrack }
        }
        Clear-ConntrackTable -Confirm:$false
        $told = if ($text) {
            $text | ConvertFrom-ConntrackText | New-ConntrackEntry -Timeout 1h -State Established 3>&1
        }
        else {
            New-ConntrackEntry 10.0.0.10 198.51.100.2 -Protocol sctp -SourcePort 4000 -DestinationPort 5000 -State Established -Status SeenReply -Timeout 1h 3>&1
        }
        "$told" | Should -BeLike '1 SCTP entry created without verification tags*Export-Clixml*'
        Get-KernelCount $lab.Router | Should -Be 1
        Measure-Invalid | Should -Be 2
        Send-LabSctp $lab heartbeat -Tag $clientTag
        Send-LabSctp $lab heartbeat-ack -FromServer -Tag $serverTag
        Measure-Invalid | Should -Be 0
    }
}

Describe 'A connection whose sequence numbers a helper had shifted' {
    It 'keeps the shift, and warns where it is missing' {
        $whole = [pscustomobject]@{
            Protocol = 'Tcp'; SourceAddress = '10.0.0.10'; SourcePort = 7; DestinationAddress = '198.51.100.2'; DestinationPort = 21
            State = 'Established'; Status = 'SeenReply, SeqAdjust'; TimeoutSeconds = 600
            OriginalSequencePosition = 1000; OriginalSequenceOffsetBefore = 0; OriginalSequenceOffsetAfter = -3
        }
        $whole | New-ConntrackEntry 3>&1 | Should -BeNullOrEmpty
        (Get-ConntrackEntry -SourcePort 7).OriginalSequenceOffsetAfter | Should -Be -3
        Get-ConntrackEntry -SourcePort 7 | Remove-ConntrackEntry
        $told = $whole | Select-Object * -ExcludeProperty Original* | New-ConntrackEntry 3>&1
        "$told" | Should -BeLike '1 entry created without the offset of sequence numbers*Export-Clixml*'
    }
}
