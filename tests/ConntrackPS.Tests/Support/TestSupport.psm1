<#
    What the suite's files share: namespaces to work in, entries put there and read back by the conntrack tool, which is
    the witness of every test, and child processes.
#>
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/../../../build/ChildPowerShell.psm1"

$repository = Resolve-Path "$PSScriptRoot/../../.."
$numberOfProtocol = @{ icmp = 1; tcp = 6; udp = 17; gre = 47; icmpv6 = 58; sctp = 132; udplite = 136 }
$namesOf = @{}
$idsOf = @{}
$processesOf = @{}
$created = 0

<# The folder of the package that is tested: out/ConntrackPS/<version>. #>
function Get-PackagePath {
    $version = (Import-PowerShellDataFile "$repository/ConntrackPS.psd1").ModuleVersion
    $package = "$repository/out/ConntrackPS/$version"
    if (-not (Test-Path "$package/ConntrackPS.psd1")) {
        throw "There is no package in $package. Run './build.ps1 Build' first."
    }
    $package
}

<# Imports the packaged module, and no other module with that name. #>
function Import-PackagedModule {
    $package = Get-PackagePath
    Import-Module "$package/ConntrackPS.psd1" -Global
    $loaded = @(Get-Module ConntrackPS)
    if ($loaded.Count -ne 1 -or $loaded[0].ModuleBase -ne $package) {
        throw "ConntrackPS was loaded from $($loaded.ModuleBase), not from $package. Run the suite in a fresh pwsh."
    }
}

<# Runs a program. If it fails, the test fails. #>
function Invoke-Program {
    # Not by a multiple assignment: one argument would be a text, and splatting a text gives its letters.
    $program = $args[0]
    $arguments = @($args | Select-Object -Skip 1)
    $lines = & $program @arguments 2>&1
    if ($LASTEXITCODE -ne 0) {
        throw "'$args' ended with $LASTEXITCODE`: $lines"
    }
    $lines | Where-Object { $_ -isnot [System.Management.Automation.ErrorRecord] }
}

<# Runs a program inside a namespace. #>
function Invoke-InNamespace {
    $namespace, $command = $args
    Invoke-Program ip netns exec $namespace @command
}

<# Creates a namespace with the named entries. Returns its name. #>
function New-TestNamespace {
    param([System.Collections.IDictionary] $Table)

    if ($script:created++ -eq 0) {
        Remove-AbandonedNamespace
    }
    $name = "ctps-$PID-$script:created-$(Get-Random -Maximum 0x10000)"
    Invoke-Program ip netns add $name
    $processesOf[$name] = [System.Collections.Generic.List[System.Diagnostics.Process]]::new()
    if ($Table) {
        Add-KernelEntry $name $Table
    }
    $name
}

<# Removes the namespaces of interrupted runs. Their names contain the process id. #>
function Remove-AbandonedNamespace {
    foreach ($line in @(ip netns list) -match '^ctps-\d+-') {
        $name = ($line -split ' ')[0]
        if (-not (Test-Path "/proc/$(($name -split '-')[1])")) {
            ip netns delete $name 2>$null
        }
    }
}

<# Removes namespaces and the processes that were started in them. A missing one is not an error. #>
function Remove-TestNamespace {
    param([Parameter(Position = 0)] [string[]] $Namespace)

    foreach ($name in $Namespace | Where-Object { $_ -and $processesOf.ContainsKey($_) }) {
        foreach ($process in $processesOf[$name]) {
            if (-not $process.HasExited) {
                $process.Kill($true)
                $process.WaitForExit()
            }
        }
        # A setting of one file must not affect the next file, which would then use the machine's table.
        foreach ($pattern in @($global:PSDefaultParameterValues.Keys | Where-Object { $global:PSDefaultParameterValues[$_] -eq $name })) {
            $global:PSDefaultParameterValues.Remove($pattern)
        }
        $processesOf.Remove($name)
        $namesOf.Remove($name)
        $idsOf.Remove($name)
        Invoke-Program ip netns delete $name
    }
}

<# Adds a rule that uses connection tracking. Without such a rule, packets are not tracked. #>
function Enable-Tracking {
    param([Parameter(Mandatory, Position = 0)] [string] $Namespace)

    Invoke-InNamespace $Namespace ip link set lo up
    Invoke-InNamespace $Namespace nft 'add table inet track; add chain inet track output { type filter hook output priority 0; ct state invalid counter; }'
}

<# Starts a process in a namespace, which ends with the namespace. Returns its id. #>
function Start-NamespaceProcess {
    param([string] $Namespace)

    Start-NamespaceProgram $Namespace sleep 600
}

<# Starts a program in a namespace, which ends with the namespace. Returns its id. #>
function Start-NamespaceProgram {
    $namespace, $program, $arguments = $args
    $process = Start-Process ip -ArgumentList (@('netns', 'exec', $namespace, $program) + $arguments) -PassThru
    Register-NamespaceProcess $namespace $process
    # ip enters the namespace and then executes the program, with the same process id.
    Wait-Until { (Get-Content "/proc/$($process.Id)/comm") -ne 'ip' } "$program has not started"
    $process.Id
}

<# Makes a process end with the namespace. #>
function Register-NamespaceProcess {
    param([Parameter(Position = 0)] [string] $Namespace, [Parameter(Position = 1)] [System.Diagnostics.Process] $Process)

    $processesOf[$Namespace].Add($Process)
}

<# Adds entries by "conntrack -R". A value has the arguments of "conntrack -I", and the key is the test's name for the entry. #>
function Add-KernelEntry {
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Namespace,
        [Parameter(Mandatory, Position = 1)] [System.Collections.IDictionary] $Table,
        [switch] $Reset
    )

    if ($Reset -or -not $namesOf[$Namespace]) {
        $namesOf[$Namespace] = @{}
    }
    foreach ($name in $Table.Keys) {
        $namesOf[$Namespace][(Get-LineKey $Table[$name])] = $name
    }
    $listing = Invoke-Load $Namespace @($Table.Values) -Before ($Reset ? 'conntrack -F;' : '') -After '; conntrack -L -o xml,id'
    $idsOf[$Namespace] = @{}
    foreach ($entry in ConvertFrom-KernelXml $Namespace $listing) {
        $idsOf[$Namespace][$entry.Id] = $entry.Name
    }
}

<# Empties the table and adds these entries. #>
function Reset-KernelTable {
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Namespace,
        [Parameter(Mandatory, Position = 1)] [System.Collections.IDictionary] $Table
    )

    Add-KernelEntry $Namespace $Table -Reset
}

<# Adds thousands of entries without names. #>
function Add-KernelLine {
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Namespace,
        [Parameter(Mandatory, Position = 1)] [string[]] $Line
    )

    $null = Invoke-Load $Namespace $Line
}

<# Loads lines in one process, with shell commands before and after. Returns the output of the commands after. #>
function Invoke-Load([string] $Namespace, [string[]] $Line, [string] $Before, [string] $After) {
    $answer = @(
        ($Line | ForEach-Object { "-I -t 3000 $_" }) -join "`n" |
            ip netns exec $Namespace sh -c "exec 2>&1; $Before echo; conntrack -C; conntrack -R -; echo; conntrack -C $After"
    )
    $start = [array]::IndexOf($answer, '')
    $end = [array]::IndexOf($answer, '', $start + 1)
    if ($end -ne $start + 2 -or [int] $answer[$end + 1] -ne [int] $answer[$start + 1] + $Line.Count) {
        throw "conntrack -R did not add all entries: $answer"
    }
    $answer | Select-Object -Skip ($end + 2)
}

<# Lines for many entries of one host, for Add-KernelLine. #>
function New-ManyLine {
    param([int] $Count)

    foreach ($i in 0..($Count - 1)) {
        "-s 10.$($i -shr 16).$(($i -shr 8) -band 255).$($i -band 255) -d 198.51.100.7 -p tcp --sport 4000 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED"
    }
}

<# Whether a netfilter socket of the namespace has joined the groups of events. #>
function Test-Listening {
    param([Parameter(Mandatory, Position = 0)] [string] $Namespace)

    [bool] (Invoke-InNamespace $Namespace cat /proc/net/netlink | Where-Object { $_ -match '^\S+ +12 +\d+ +0000000[1-7] ' })
}

<# The number of entries that conntrack counts. #>
function Get-KernelCount {
    param([Parameter(Mandatory, Position = 0)] [string] $Namespace)

    [int] (Invoke-InNamespace $Namespace conntrack -C)
}

<# The table as conntrack shows it: its XML, and with -Detailed the values that the XML lacks or has wrong (ICMP, states of SCTP). #>
function Get-KernelEntry {
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Namespace,
        [switch] $Detailed
    )

    $command = 'conntrack -L -o xml,id,ktimestamp' + ($Detailed ? ' && conntrack -L -o extended,id' : '')
    ConvertFrom-KernelXml $Namespace (Invoke-InNamespace $Namespace sh -c $command)
}

<# Reads conntrack's XML, and the lines of its text that may follow. #>
function ConvertFrom-KernelXml([string] $Namespace, [string[]] $Text) {
    # conntrack prints nothing for an empty table.
    if (-not $Text) {
        return
    }
    $start = [array]::FindIndex($Text, [Predicate[string]] { $args[0].StartsWith('<?xml') })
    if ($start -lt 0) {
        return
    }
    $end = [array]::IndexOf($Text, '</conntrack>')
    $details = @{}
    foreach ($line in $Text | Select-Object -Skip ($end + 1)) {
        $details[[regex]::Match($line, ' id=(\d+)\s*$').Groups[1].Value] = $line
    }
    foreach ($flow in ([xml] ($Text[$start..$end] -join "`n")).conntrack.flow) {
        $original, $reply, $common = $flow.meta
        $line = $details[$common.id]
        $icmp = [regex]::Matches("$line", 'type=(?<type>\d+) code=(?<code>\d+) id=(?<id>\d+)')
        $entry = [pscustomobject]@{
            Name                    = $null
            Id                      = [uint] $common.id
            AddressFamily           = $original.layer3.protonum -eq 10 ? 'IPv6' : 'IPv4'
            Protocol                = [int] $original.layer4.protonum
            State                   = [regex]::Match("$line", '^\S+ +\d+ \S+ +\d+ \d+ (?<state>[A-Z_0-9]+) src=').Groups['state'].Value
            TimeoutSeconds          = [int] $common.timeout
            SourceAddress           = $original.layer3.src
            SourcePort              = $original.layer4.sport
            DestinationAddress      = $original.layer3.dst
            DestinationPort         = $original.layer4.dport
            ReplySourceAddress      = $reply.layer3.src
            ReplySourcePort         = $reply.layer4.sport
            ReplyDestinationAddress = $reply.layer3.dst
            ReplyDestinationPort    = $reply.layer4.dport
            GreSourceKey            = ConvertFrom-Hex $original.layer4.srckey
            GreDestinationKey       = ConvertFrom-Hex $original.layer4.dstkey
            ReplyGreSourceKey       = ConvertFrom-Hex $reply.layer4.srckey
            ReplyGreDestinationKey  = ConvertFrom-Hex $reply.layer4.dstkey
            IcmpType                = Get-Detail $icmp 0 'type'
            IcmpCode                = Get-Detail $icmp 0 'code'
            IcmpId                  = Get-Detail $icmp 0 'id'
            ReplyIcmpType           = Get-Detail $icmp 1 'type'
            ReplyIcmpCode           = Get-Detail $icmp 1 'code'
            ReplyIcmpId             = Get-Detail $icmp 1 'id'
            Mark                    = [uint] $common.mark
            Zone                    = [int] $common.zone
            OriginalZone            = $original.zone
            ReplyZone               = $reply.zone
            OriginalPackets         = $original.counters.packets
            OriginalBytes           = $original.counters.bytes
            ReplyPackets            = $reply.counters.packets
            ReplyBytes              = $reply.counters.bytes
            StartNanoseconds        = $common.timestamp.start
            UseCount                = [uint] $common.use
            Helper                  = $flow.helper
            Assured                 = $null -ne $common.assured
            Unreplied               = $null -ne $common.unreplied
        }
        $entry.Name = ($namesOf[$Namespace] ?? @{})[(Get-EntryKey $entry)]
        $entry
    }
}

<# The test's names of the entries that conntrack shows, sorted. #>
function Get-KernelName {
    param([Parameter(Mandatory, Position = 0)] [string] $Namespace)

    @(Get-KernelEntry $Namespace).Name | Sort-Object
}

<# The test's names for entries of our cmdlets, sorted: by the id that conntrack showed for them when they were added. #>
function Resolve-EntryName {
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Namespace,
        [Parameter(Mandatory, Position = 1)] [AllowEmptyCollection()] [object[]] $Entry
    )

    @($Entry | ForEach-Object { $idsOf[$Namespace][[uint] $_.Id] ?? "unknown: $_" }) | Sort-Object
}

<# The error records of a command, terminating and non-terminating. #>
function Get-Failure {
    param([Parameter(Mandatory, Position = 0)] [scriptblock] $Script)

    try {
        & $Script 2>&1 | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] }
    }
    catch {
        $_
    }
}

<# Waits until the condition is true. After a long time it fails with a text or the output of a script. #>
function Wait-Until {
    param(
        [Parameter(Mandatory, Position = 0)] [scriptblock] $Condition,
        [Parameter(Mandatory, Position = 1)] [object] $Problem,
        [int] $Seconds = 30
    )

    $deadline = [DateTime]::UtcNow.AddSeconds($Seconds)
    while (-not (& $Condition)) {
        if ([DateTime]::UtcNow -gt $deadline) {
            throw "After $Seconds seconds: $($Problem -is [scriptblock] ? (& $Problem) : $Problem)."
        }
        Start-Sleep -Milliseconds 20
    }
}

<# Writes the file of a child process: the module is imported, $Namespace is set, and $Support is this folder. #>
function New-ChildScript {
    param(
        [Parameter(Mandatory, Position = 0)] [scriptblock] $Script,
        [string] $Namespace,
        [string] $Package = (Get-PackagePath),
        [string] $Folder = [System.IO.Path]::GetTempPath()
    )

    $file = Join-Path $Folder "ctps-$PID-$(New-Guid).ps1"
    Set-Content $file @"
`$ErrorActionPreference = 'Continue'
`$PSStyle.OutputRendering = 'PlainText'
Import-Module '$Package/ConntrackPS.psd1' -ErrorAction Stop
`$Namespace = '$Namespace'
`$Support = '$PSScriptRoot'
$Script
"@
    $file
}

<# Runs a script in a new pwsh, with a prefix as another user or in another namespace. Returns the lines of its output. #>
function Invoke-Child {
    param(
        [Parameter(Mandatory, Position = 0)] [scriptblock] $Script,
        [string] $Namespace,
        [string[]] $Prefix = @(),
        [string] $Folder = [System.IO.Path]::GetTempPath(),
        [string[]] $Answer
    )

    $file = New-ChildScript $Script -Namespace $Namespace -Folder $Folder
    try {
        $Answer | Invoke-PowerShell '-NoProfile', '-File', $file $Prefix 2>&1
    }
    finally {
        Remove-Item $file
    }
}

function Get-LineKey([string] $Line) {
    $value = @{}
    foreach ($match in [regex]::Matches($Line, '(?<!\S)-{1,2}(?<name>s|d|p|w|sport|dport|srckey|dstkey) (?<value>\S+)')) {
        $value[$match.Groups['name'].Value] = $match.Groups['value'].Value
    }
    $protocol = $numberOfProtocol[$value.p] ?? $value.p
    "$protocol $($value.s) $($value.sport)$($value.srckey) $($value.d) $($value.dport)$($value.dstkey) $([int] $value.w)"
}

function Get-EntryKey($Entry) {
    "$($Entry.Protocol) $($Entry.SourceAddress) $($Entry.SourcePort)$($Entry.GreSourceKey) $($Entry.DestinationAddress) $($Entry.DestinationPort)$($Entry.GreDestinationKey) $($Entry.Zone)"
}

function ConvertFrom-Hex([string] $Text) {
    if ($Text) {
        [Convert]::ToInt32($Text, 16)
    }
}

function Get-Detail($Match, [int] $Index, [string] $Name) {
    if ($Match.Count -gt $Index) {
        $Match[$Index].Groups[$Name].Value
    }
}

Export-ModuleMember -Function @(
    'Enable-Tracking'
    'Get-PackagePath', 'Import-PackagedModule', 'Invoke-Program', 'Invoke-InNamespace', 'New-TestNamespace', 'Remove-TestNamespace'
    'Start-NamespaceProcess', 'Start-NamespaceProgram', 'Register-NamespaceProcess', 'Add-KernelEntry', 'Add-KernelLine', 'New-ManyLine', 'Reset-KernelTable', 'Get-KernelCount'
    'Get-KernelEntry', 'Get-KernelName', 'Resolve-EntryName', 'Get-Failure', 'Wait-Until'
    'Get-PowerShellCommand', 'Invoke-PowerShell', 'Start-PowerShell'
    'New-ChildScript', 'Invoke-Child', 'Test-Listening'
)
