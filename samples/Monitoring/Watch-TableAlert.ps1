#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Watches the connection-tracking table, and sends alerts to the journal, by mail, or to a webhook.
.DESCRIPTION
    Runs until it is stopped. An alert is sent when the table passes a fill, when the kernel drops packets or entries, and when the
    health check finds a problem; and once more when that is over. The alerts are also written as output, one line each.

    An alert that can't be sent is a warning, and the next alert is sent anyway.
.PARAMETER FillAbove
    The percentage of the maximum above which an alert is sent.
.PARAMETER FillBelow
    The percentage below which that alert is over.
.PARAMETER Finding
    The findings of Test-ConntrackHealth that send an alert, with wildcards. In a unit, several are one word with commas.
.PARAMETER Interval
    The time between two readings: seconds, or a span such as 1m.
.PARAMETER QuietTime
    The time without drops after which an alert about drops is over.
.PARAMETER NetworkNamespace
    The network namespaces to watch; the default is the caller's own. In a unit, several are one word with commas.
.PARAMETER Count
    Ends after this number of alerts. The default is never.
.PARAMETER Journal
    Sends the alerts to the journal, or to syslog.
.PARAMETER JournalSocket
    The socket of the journal or of syslog.
.PARAMETER MailTo
    Sends the alerts to this address.
.PARAMETER MailFrom
    The sender of the mail.
.PARAMETER SmtpServer
    The mail server, as name or name:port.
.PARAMETER WebhookUri
    Posts each alert to this address as JSON.
.EXAMPLE
    ./Watch-TableAlert.ps1 -FillAbove 80 -Journal
.EXAMPLE
    ./Watch-TableAlert.ps1 -MailTo noc@example.net -MailFrom router@example.net -SmtpServer mail.example.net:25
.EXAMPLE
    ./Watch-TableAlert.ps1 -WebhookUri https://chat.example.net/hooks/conntrack
#>
[CmdletBinding()]
param(
    [ValidateRange(0.0, 100.0)] [double] $FillAbove = 80,
    [ValidateRange(0.0, 100.0)] [double] $FillBelow = $FillAbove * 0.9,
    [string[]] $Finding = 'HalfOpenFlood,SourceShare,InvalidPackets,TableFullLogged',
    [string] $Interval = '10s',
    [string] $QuietTime = '5m',
    [string[]] $NetworkNamespace,
    [ValidateRange(1, [int]::MaxValue)] [int] $Count = [int]::MaxValue,
    [switch] $Journal,
    [string] $JournalSocket = '/dev/log',
    [string] $MailTo,
    [string] $MailFrom = "conntrack@$([System.Net.Dns]::GetHostName())",
    [string] $SmtpServer = 'localhost',
    [uri] $WebhookUri
)

$ErrorActionPreference = 'Stop'
Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../../out/ConntrackPS")

$send = @{}
foreach ($name in 'Journal', 'JournalSocket', 'MailTo', 'MailFrom', 'SmtpServer', 'WebhookUri') {
    $send[$name] = Get-Variable $name -ValueOnly
}
$watch = @{
    SourceIdentifier = 'TableAlert'
    FillAbove        = $FillAbove
    FillBelow        = $FillBelow
    Drop             = $true
    Finding          = @($Finding -split ',' | Where-Object { $_ })
    Interval         = $Interval
    QuietTime        = $QuietTime
}
if ($NetworkNamespace) {
    $watch.NetworkNamespace = @($NetworkNamespace -split ',')
}

Register-ConntrackAlert @watch
try {
    for ($number = 0; $number -lt $Count; $number++) {
        $happened = Wait-Event TableAlert
        Remove-Event -EventIdentifier $happened.EventIdentifier
        if ($happened.SourceEventArgs.Exception) {
            throw $happened.SourceEventArgs.Exception
        }
        $alert = $happened.SourceEventArgs.Alert
        "$alert"
        try {
            $alert | & "$PSScriptRoot/Send-TableAlert.ps1" @send
        }
        catch {
            Write-Warning "The alert was not sent: $_"
        }
    }
}
finally {
    Unregister-Event TableAlert
}
