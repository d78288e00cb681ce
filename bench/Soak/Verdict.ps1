# Whether anything grew or was lost. The first quarter of the samples is warm-up: caches fill, code is compiled.

# How much more than at the beginning the process may hold at the end, by the medians of the first and last third.
$allowed = @{ Rss = 10.0; Heap = 5.0; Handles = 3.0; Threads = 3.0 }
$unit = @{ Rss = 'MB'; Heap = 'MB'; Handles = 'handles'; Threads = 'threads' }

function Get-Verdict([object[]] $Sample, [hashtable] $Counts) {
    $warm = @($Sample | Select-Object -Skip ([math]::Floor($Sample.Count / 4)))
    $third = [math]::Max(1, [math]::Floor($warm.Count / 3))
    foreach ($name in 'Rss', 'Heap', 'Handles', 'Threads') {
        $first = Get-Middle ($warm | Select-Object -First $third).$name
        $last = Get-Middle ($warm | Select-Object -Last $third).$name
        $good = $last - $first -le $allowed[$name]
        [pscustomobject]@{
            Good = $good
            Text = '- {0}: {1:0.0} at first, {2:0.0} at last ({3}; at most {4} {5} more): {6}' -f @(
                $name, $first, $last, ('{0:+0.0;-0.0;0.0}' -f ($last - $first)), $allowed[$name], $unit[$name], ($good ? 'flat' : 'it grows'))
        }
    }
    $whole = $Counts.Lost -eq 0 -and $Counts.New -eq $Counts.Destroy
    [pscustomobject]@{
        Good = $whole
        Text = '- Events: {0} beginnings, {1} ends, {2} updates, {3} lost: {4}' -f @(
            $Counts.New, $Counts.Destroy, $Counts.Update, $Counts.Lost, ($whole ? 'every connection that began also ended' : 'some are missing'))
    }
}

function Get-Middle([double[]] $Value) {
    ($Value | Sort-Object)[[math]::Floor($Value.Count / 2)]
}
