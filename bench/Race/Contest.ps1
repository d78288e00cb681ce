# Contestants in turn, round by round, so that what else the machine does hits all of them alike.

function New-Contestant {
    param(
        [string] $Name,
        # Gives the milliseconds it took.
        [scriptblock] $Run,
        # The promise: at most so many times the raw loop.
        [double] $Limit = [double]::NaN,
        # The promise: at least so many times faster than this other contestant.
        [string] $FasterThan,
        [double] $Times = 1
    )
    [pscustomobject]@{
        Name = $Name; Run = $Run; Limit = $Limit; FasterThan = $FasterThan; Times = $Times
        Samples = [Collections.Generic.List[double]]::new(); Median = [double]::NaN; Fastest = [double]::NaN
    }
}

# Milliseconds that a script block takes in this process.
function Measure-Block([scriptblock] $Block) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    & $Block
    $watch.Elapsed.TotalMilliseconds
}

# Milliseconds that a shell command takes, its start included; its output must go to /dev/null by itself.
function Measure-Shell([string] $Command) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    sh -c $Command
    $elapsed = $watch.Elapsed.TotalMilliseconds
    if ($LASTEXITCODE -ne 0) {
        throw "'$Command' failed with exit code $LASTEXITCODE."
    }
    $elapsed
}

function Invoke-Contest([object[]] $Contestant, [int] $Rounds, [int] $WarmUpRounds) {
    for ($round = -$WarmUpRounds; $round -lt $Rounds; $round++) {
        foreach ($one in $Contestant) {
            $milliseconds = & $one.Run
            if ($round -ge 0) {
                $one.Samples.Add($milliseconds)
            }
        }
    }
    foreach ($one in $Contestant) {
        $one.Median = Get-Median $one.Samples
        $one.Fastest = ($one.Samples | Measure-Object -Minimum).Minimum
    }
}

function Get-Median([double[]] $Value) {
    $sorted = $Value | Sort-Object
    ($sorted[[math]::Floor(($Value.Count - 1) / 2)] + $sorted[[math]::Floor($Value.Count / 2)]) / 2
}
