# Results as Markdown.

# The first contestant is the one that the others are measured against. The promises go by the medians; the ratio of the
# fastest runs shows what a busy machine hides.
function Write-Report([object[]] $Contestant, [long] $Entries) {
    $reference = $Contestant[0]
    "| | median ms | fastest ms | ns an entry | ratio | of the fastest | promised | |"
    "|---|---:|---:|---:|---:|---:|---|---|"
    foreach ($one in $Contestant) {
        $promises = @(Get-Promise $one $reference $Contestant)
        $verdict = if (-not $promises) { '' } elseif ($promises | Where-Object Kept -eq $false) { 'fail' } else { 'pass' }
        '| {0} | {1:0} | {2:0} | {3:0} | {4:0.00} | {5:0.00} | {6} | {7} |' -f @(
            $one.Name.Replace('|', '\|'), $one.Median, $one.Fastest, ($one.Median * 1e6 / $Entries)
            ($one.Median / $reference.Median), ($one.Fastest / $reference.Fastest), (($promises | ForEach-Object Text) -join ', ').Replace('|', '\|'), $verdict)
    }
}

function Get-Promise([object] $One, [object] $Reference, [object[]] $Contestant) {
    if (-not [double]::IsNaN($One.Limit)) {
        [pscustomobject]@{
            Text = 'at most {0:0.00}' -f $One.Limit
            Kept = $One.Median -le $One.Limit * $Reference.Median
        }
    }
    $other = $Contestant | Where-Object Name -eq $One.FasterThan
    if ($other) {
        $times = $other.Median / $One.Median
        $than = if ($One.Times -eq 1) { 'faster' } else { '{0} x faster' -f $One.Times }
        [pscustomobject]@{
            Text = '{0} than `{1}` (is {2:0.0} x)' -f $than, $other.Name.Trim('`'), $times
            Kept = $times -ge $One.Times
        }
    }
}
