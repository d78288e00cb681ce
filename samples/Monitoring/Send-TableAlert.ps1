#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Sends an alert about connection tracking to the journal, by mail, or to a webhook.
.DESCRIPTION
    Sends each alert of the pipeline in every way that is given. Each way is tried, and the first error is thrown at the end.

    The journal gets one line per alert, in the form of syslog (RFC 3164), through its socket /dev/log. The priority is warning for a
    raised alert and notice for a cleared one. The webhook gets a JSON object by POST.

    Mail needs a server that accepts it without a password, such as the one of the machine itself. PowerShell's own cmdlet for mail is
    obsolete, so .NET's client sends it.
.PARAMETER Alert
    The alert: the property Alert of the arguments of an event of Register-ConntrackAlert.
.PARAMETER Journal
    Sends it to the journal, or to syslog.
.PARAMETER JournalSocket
    The socket of the journal or of syslog.
.PARAMETER MailTo
    Sends it to this address.
.PARAMETER MailFrom
    The sender of the mail.
.PARAMETER SmtpServer
    The mail server, as name or name:port.
.PARAMETER WebhookUri
    Posts it to this address as JSON.
.EXAMPLE
    Register-ConntrackAlert -FillAbove 80 -MessageData "$PWD/Send-TableAlert.ps1" -Action { $EventArgs.Alert | & $Event.MessageData -Journal }
.EXAMPLE
    (Get-Event).SourceEventArgs.Alert | ./Send-TableAlert.ps1 -WebhookUri https://chat.example.net/hooks/conntrack
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory, ValueFromPipeline)] [object] $Alert,
    [switch] $Journal,
    [string] $JournalSocket = '/dev/log',
    [string] $MailTo,
    [string] $MailFrom = "conntrack@$([System.Net.Dns]::GetHostName())",
    [string] $SmtpServer = 'localhost',
    [uri] $WebhookUri
)

begin {
    $ErrorActionPreference = 'Stop'
    $hostName = [System.Net.Dns]::GetHostName()
    $problems = [System.Collections.Generic.List[object]]::new()

    function Send-Journal {
        # Facility daemon (3), severity warning (4) or notice (5).
        $priority = 3 * 8 + ($Alert.State -eq 'Raised' ? 4 : 5)
        $time = (Get-Date).ToString('MMM dd HH:mm:ss', [cultureinfo]::InvariantCulture) -replace ' 0(?=\d )', '  '
        $line = "<$priority>$time conntrackps[$PID]: $Alert" -replace '[\x00-\x1f]+', ' '
        $socket = [System.Net.Sockets.Socket]::new('Unix', 'Dgram', 'Unspecified')
        try {
            $socket.Connect([System.Net.Sockets.UnixDomainSocketEndPoint]::new($JournalSocket))
            $null = $socket.Send([System.Text.Encoding]::UTF8.GetBytes($line))
        }
        finally {
            $socket.Dispose()
        }
    }

    function Send-Mail {
        $server, $port = $SmtpServer -split ':(?=\d+$)'
        $client = [System.Net.Mail.SmtpClient]::new($server, $port ? [int] $port : 25)
        $client.Timeout = 10000
        # A line feed in a subject would begin another header.
        $subject = "[$hostName] conntrack: $Alert" -replace '[\x00-\x1f]+', ' '
        $lines = foreach ($name in 'Time', 'State', 'Kind', 'Finding', 'Value', 'Limit', 'Namespace', 'Evidence') {
            if ($null -ne $Alert.$name) {
                '{0,-9} : {1}' -f $name, ("$($Alert.$name)" -replace '[\x00-\x1f]+', ' ')
            }
        }
        $message = [System.Net.Mail.MailMessage]::new($MailFrom, $MailTo, $subject, $lines -join "`r`n")
        # Otherwise .NET encodes the ends of the lines, and some programs show the codes.
        if ($message.Body -match '^[\x00-\x7f]*$') {
            $message.BodyTransferEncoding = 'SevenBit'
        }
        try {
            $client.Send($message)
        }
        finally {
            $message.Dispose()
            $client.Dispose()
        }
    }

    function Send-Webhook {
        $body = [ordered]@{
            host      = $hostName
            time      = ([datetime] $Alert.Time).ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [cultureinfo]::InvariantCulture)
            state     = "$($Alert.State)"
            kind      = "$($Alert.Kind)"
            finding   = $Alert.Finding
            value     = $Alert.Value
            limit     = $Alert.Limit
            namespace = $Alert.Namespace
            evidence  = $Alert.Evidence
            text      = "[$hostName] $Alert"
        }
        $null = Invoke-RestMethod $WebhookUri -Method Post -ContentType 'application/json; charset=utf-8' -Body ($body | ConvertTo-Json -EnumsAsStrings) -TimeoutSec 10
    }
}

process {
    foreach ($way in @{ Name = 'journal'; Is = $Journal; Script = ${function:Send-Journal} }, @{ Name = 'mail'; Is = $MailTo; Script = ${function:Send-Mail} }, @{ Name = 'webhook'; Is = $WebhookUri; Script = ${function:Send-Webhook} }) {
        try {
            if ($way.Is) {
                & $way.Script
            }
        }
        catch {
            $problems.Add("$($way.Name): $($_.Exception.GetBaseException().Message)")
        }
    }
}

end {
    if ($problems) {
        throw $problems -join '; '
    }
}
