<#
    Starts PowerShell in processes of their own: the same one that runs this, be it a program (pwsh) or a .NET tool
    (dotnet pwsh.dll). Nothing else in the repository starts PowerShell.
#>

<# The words of the command line, for programs that take one. It begins with env, which becomes the prefix, or PowerShell,
   and lets Ctrl+C through: what a shell runs in the background ignores SIGINT, and its children would too. #>
function Get-PowerShellCommand([string[]] $Argument = @(), [string[]] $Prefix = @()) {
    $program = [Environment]::ProcessPath
    $assembly = [IO.Path]::GetFileName($program) -eq 'dotnet' ? "$PSHOME/pwsh.dll" : @()
    @('env', '--default-signal=INT') + $Prefix + $program + $assembly + $Argument
}

<# Runs it: its output, and $LASTEXITCODE. What is piped in is its standard input. #>
function Invoke-PowerShell([string[]] $Argument = @(), [string[]] $Prefix = @()) {
    # In the words of an array PowerShell would replace * by the files of the folder; not so in quoted ones.
    $words = Get-PowerShellCommand $Argument $Prefix |
        ForEach-Object { "'$([System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($_))'" }
    if ($MyInvocation.ExpectingInput) {
        $input | & ([scriptblock]::Create("`$input | & $words"))
    }
    else {
        & ([scriptblock]::Create("& $words"))
    }
}

<# Starts it: the process. Its output goes nowhere, or to the process's readers. #>
function Start-PowerShell([string[]] $Argument = @(), [string[]] $Prefix = @(), [switch] $Redirect) {
    if (-not $Redirect) {
        $Prefix = @('sh', '-c', 'exec "$@" >/dev/null', 'sh') + $Prefix
    }
    $program, [string[]] $words = Get-PowerShellCommand $Argument $Prefix
    $start = [Diagnostics.ProcessStartInfo]::new($program, $words)
    $start.RedirectStandardOutput = $start.RedirectStandardError = $Redirect
    [Diagnostics.Process]::Start($start)
}

Export-ModuleMember -Function Get-PowerShellCommand, Invoke-PowerShell, Start-PowerShell
