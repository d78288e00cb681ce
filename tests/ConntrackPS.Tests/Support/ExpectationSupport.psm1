<#
    What the tests of expectations share: masters with helpers, which conntrack can't make, and expectations read back by
    conntrack, the witness.
#>

<# Creates a connection with the kernel's ftp helper. Returns the entry. #>
function New-Master {
    param([Parameter(Mandatory, Position = 0)] [string] $Namespace, [int] $SourcePort = 1000, [switch] $IPv6, [int] $Zone = 0)

    $from, $to = $IPv6 ? ('2001:db8::1', '2001:db8:1::7') : ('192.0.2.1', '198.51.100.7')
    New-ConntrackEntry $from $to -Protocol tcp -SourcePort $SourcePort -DestinationPort 21 -State Established -Timeout 600 `
        -Helper ftp -Zone $Zone -NetworkNamespace $Namespace -PassThru
}

<# The expectations of both families that conntrack lists. #>
function Get-KernelExpectation {
    param([Parameter(Mandatory, Position = 0)] [string] $Namespace)

    foreach ($family in 'ipv4', 'ipv6') {
        Invoke-InNamespace $Namespace conntrack -L expect -f $family | Where-Object { $_ } | ConvertFrom-ExpectationLine
    }
}

<# Reads lines of conntrack -L expect and -E expect. #>
function ConvertFrom-ExpectationLine {
    param([Parameter(Mandatory, ValueFromPipeline)] [string] $Line)

    process {
        $number = { param($Name, $Index = 0) [regex]::Matches($Line, "(?<![-\w])$Name=(\S+)")[$Index].Groups[1].Value }
        [pscustomobject]@{
            EventType              = [regex]::Match($Line, '\[(\w+)\]').Groups[1].Value
            TimeoutSeconds         = [int] [regex]::Match($Line, '(\d+) proto=').Groups[1].Value
            SourceAddress          = & $number src
            DestinationAddress     = & $number dst
            SourcePort             = & $number sport
            DestinationPort        = & $number dport
            SourceMask             = & $number mask-src
            SourcePortMask         = & $number sport 1
            MasterSourceAddress    = & $number master-src
            MasterDestinationPort  = & $number dport 2
            MasterSourcePort       = & $number sport 2
            Class                  = & $number class
            Helper                 = & $number helper
            Flags                  = [regex]::Match($Line, '[A-Z]{6,}[A-Z,]*(?= class)').Value
        }
    }
}

<# The destination ports that conntrack lists, sorted. Tests identify expectations by them. #>
function Get-KernelPort {
    param([Parameter(Mandatory, Position = 0)] [string] $Namespace)

    @(Get-KernelExpectation $Namespace | ForEach-Object { [int] $_.DestinationPort } | Sort-Object)
}

Export-ModuleMember -Function 'New-Master', 'Get-KernelExpectation', 'ConvertFrom-ExpectationLine', 'Get-KernelPort'
