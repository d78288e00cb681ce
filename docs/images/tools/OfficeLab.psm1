<#
    The router of the pictures: samples/Lab with an office's addresses behind it, servers before it, and traffic between them.
    Its ends are network namespaces, so that no packet leaves the machine.
#>
$ErrorActionPreference = 'Stop'
$lab = "$PSScriptRoot/../../../samples/Lab/lab.sh"
Import-Module "$PSScriptRoot/../../../tests/ConntrackPS.Tests/Support/TestSupport.psm1"

# What a firewall drops there nobody answers.
$firewall = @'
flush ruleset
add table inet firewall
add chain inet firewall input { type filter hook input priority 0; tcp dport { 23, 445, 3389 } drop; }
'@

<# Makes the lab and starts its traffic; the name of the router's namespace. #>
function Start-OfficeLab([string] $Prefix) {
    $null = Invoke-Program sh $lab up $Prefix
    $router, $office, $internet = "$Prefix-router", "$Prefix-client2", "$Prefix-server1"
    foreach ($number in @(2) + 20..60) {
        Invoke-Program ip -n $office address add "10.77.1.$number/24" dev eth0
        Invoke-Program ip -n $office address add "2001:db8:77::$number/64" dev eth0 nodad
    }
    foreach ($number in 9, 22, 44) {
        Invoke-Program ip -n $internet address add "2001:db8:2::$number/64" dev lo nodad
    }
    Invoke-Program ip -n $router address add 2001:db8:77::1/64 dev lan nodad
    # IPv4 servers have every address of these networks.
    foreach ($network in '203.0.113.0/24', '192.0.2.0/24') {
        Invoke-Program ip -n $internet route add local $network dev lo
        Invoke-Program ip -n $router route add $network via 198.51.100.10
    }
    Invoke-Program ip -n $router route add 2001:db8:2::/64 via 2001:db8:100::10
    Invoke-Program ip -n $internet route add 2001:db8:77::/64 via 2001:db8:100::1
    $firewall | ip netns exec $internet nft -f -
    # The lab keeps such entries for long; here they have the kernel's own times.
    foreach ($protocol in 'udp', 'icmp') {
        Invoke-InNamespace $router sh -c "echo 30 > /proc/sys/net/netfilter/nf_conntrack_${protocol}_timeout"
    }
    Start-Traffic $internet Internet
    Wait-Until { (Invoke-InNamespace $internet cat /proc/net/udp) -match ':0035 ' } 'the servers do not serve'
    Start-Traffic $office Office
    Start-Traffic "$Prefix-client1" Scan
    $router
}

<# Ends the traffic and takes the lab away. #>
function Stop-OfficeLab([string] $Prefix) {
    $null = Invoke-Program sh $lab down $Prefix
}

function Start-Traffic([string] $Namespace, [string] $Name) {
    $null = Start-PowerShell '-NoProfile', '-File', "$PSScriptRoot/$Name.ps1" ip, netns, exec, $Namespace
}

Export-ModuleMember -Function Start-OfficeLab, Stop-OfficeLab
