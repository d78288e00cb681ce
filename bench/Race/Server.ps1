# ConntrackPS.Bench as a process that stays: it is warm, and measures on demand between the others.

# Compiles the program; where it is then.
function Build-BenchProgram {
    $project = "$PSScriptRoot/../ConntrackPS.Bench"
    $log = dotnet build $project --configuration Release --nologo 2>&1
    if ($LASTEXITCODE -ne 0) {
        throw "The bench program does not build:`n$($log | Out-String)"
    }
    "$project/bin/Release/net10.0/ConntrackPS.Bench.dll"
}

function Start-BenchServer([string] $Program, [string] $NetworkNamespace) {
    $start = [Diagnostics.ProcessStartInfo]::new('dotnet')
    foreach ($argument in $Program, 'serve', '--namespace', $NetworkNamespace) {
        $start.ArgumentList.Add($argument)
    }
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    [Diagnostics.Process]::Start($start)
}

# Sends one order, such as 'fill 200000'; gives the milliseconds it took and the number it found.
function Invoke-BenchServer([Diagnostics.Process] $Server, [string] $Order) {
    $Server.StandardInput.WriteLine($Order)
    $answer = $Server.StandardOutput.ReadLine()
    if ($null -eq $answer) {
        throw "The bench program ended at the order '$Order'; what it said stands above."
    }
    $milliseconds, $result = $answer.Split(' ')
    [pscustomobject]@{ Milliseconds = [double]$milliseconds; Result = [long]$result }
}

# Closing its input makes it put the table's limit back and end.
function Stop-BenchServer([Diagnostics.Process] $Server) {
    $Server.StandardInput.Close()
    $Server.WaitForExit()
}
