<#
    A terminal to test programs in that take the whole screen: tmux, with a shell that waits for the program and notes the
    terminal's state before and after.
#>
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/TestSupport.psm1"

$server = $null
$work = $null
$count = 0

<# True if tmux is installed. #>
function Test-Terminal {
    [bool] (Get-Command tmux -ErrorAction Ignore)
}

function Invoke-Terminal {
    tmux -L $server @args
    if ($LASTEXITCODE -ne 0) {
        throw "tmux $args failed."
    }
}

<# The lines of the screen. #>
function Get-Screen {
    @(Invoke-Terminal capture-pane -p -t it)
}

<# The escape sequences of colours on the screen. #>
function Get-ScreenColour {
    [regex]::Matches((Invoke-Terminal capture-pane -p -e -t it), '\e\[[0-9;]*\b[39][0-7]m').Value
}

<# Waits until a line of the screen matches, and no line matches the text that must disappear. #>
function Wait-Screen([string] $Pattern, [string] $Gone) {
    Wait-Until { (Get-Screen) -match $Pattern -and -not ($Gone -and (Get-Screen) -match $Gone) } { "'$Pattern' is not on the screen:`n$((Get-Screen) -join "`n")" }
}

<# Presses keys, by the names that tmux gives them. #>
function Send-Key {
    Invoke-Terminal send-keys -t it @args
}

<# Types a text literally. #>
function Send-Text([string] $Text) {
    Invoke-Terminal send-keys -t it -l '--' $Text
}

<# Starts a shell, or another program, on a terminal. #>
function Start-Terminal([string[]] $Command = 'sh', [int] $Columns = 100, [int] $Lines = 24) {
    # A separate server, because the previous one may be about to end, and would end this terminal too.
    $script:count++
    $script:server = "ctps-$PID-$count"
    $script:work = [IO.Directory]::CreateTempSubdirectory('ctps-terminal-').FullName
    Invoke-Terminal new-session -d -s it -x $Columns -y $Lines @Command
}

<# Starts the live view in a PowerShell of its own, and waits for its first frame. #>
function Start-View([string] $Parameters, [string] $Environment) {
    Start-Terminal
    $command = (Get-PowerShellCommand) -join ' '
    $script = "Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; Show-ConntrackTop $Parameters"
    # Ctrl+C also reaches the shell and must not end it.
    Set-Content "$work/run.sh" "trap : INT; unset NO_COLOR; echo before; stty -a > $work/before; $Environment $command -NoProfile -Command `"$script`"; stty -a > $work/after; echo done`n"
    Send-Key "sh $work/run.sh" Enter
    Wait-Screen 'q quit'
}

<# Fails unless the program has ended and the terminal is restored: its settings, its screen, its cursor. #>
function Assert-TerminalRestored {
    Wait-Screen '^done'
    Compare-Object (Get-Content "$work/before") (Get-Content "$work/after") | ForEach-Object { throw "stty: $($_.SideIndicator) $($_.InputObject)" }
    Assert-ScreenRestored
    if (-not ((Get-Screen) -match '\bbefore$')) {
        throw "What stood on the screen did not come back:`n$((Get-Screen) -join "`n")"
    }
}

<# Fails unless the first screen, the cursor and line wrap are back. #>
function Assert-ScreenRestored {
    $state = Invoke-Terminal display -p -t it '#{alternate_on} #{cursor_flag} #{wrap_flag}'
    if ($state -ne '0 1 1') {
        throw "Alternate screen, cursor and line wrap are $state, not 0 1 1."
    }
}

<# Ends the terminal and its programs. #>
function Stop-Terminal {
    if ($work) {
        tmux -L $server kill-server 2>$null
        Remove-Item $work -Recurse
        $script:work = $null
    }
}

Export-ModuleMember -Function @(
    'Test-Terminal', 'Invoke-Terminal', 'Get-Screen', 'Get-ScreenColour', 'Wait-Screen', 'Send-Key', 'Send-Text', 'Start-Terminal', 'Start-View'
    'Assert-TerminalRestored', 'Assert-ScreenRestored', 'Stop-Terminal'
)
