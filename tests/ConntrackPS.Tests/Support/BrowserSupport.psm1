<#
    A real browser without a window: Chromium, by the WebDriver protocol of chromedriver (Debian packages chromium and chromium-driver).
    They are large, so the tests that need them are skipped if they are missing.
#>
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/TestSupport.psm1"

$driver = $null
$session = $null
$profileFolder = $null

<# True if Chromium and its driver are installed. #>
function Test-Browser {
    [bool] (Get-Command chromium -ErrorAction Ignore) -and [bool] (Get-Command chromedriver -ErrorAction Ignore)
}

function Invoke-Driver([string] $Method, [string] $Path, [object] $Body) {
    $request = @{ Method = $Method; Uri = "http://127.0.0.1:$script:port$Path"; TimeoutSec = 60; NoProxy = $true }
    if ($null -ne $Body) {
        $request.Body = ConvertTo-Json $Body -Depth 9
        $request.ContentType = 'application/json'
    }
    (Invoke-RestMethod @request).value
}

<# Starts the browser. Its log has the console and each request. #>
function Start-Browser {
    $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
    $listener.Start()
    $script:port = $listener.LocalEndpoint.Port
    $listener.Stop()
    $script:profileFolder = [IO.Directory]::CreateTempSubdirectory('ctps-browser-').FullName
    $script:driver = Start-Process chromedriver -ArgumentList "--port=$port" -PassThru -RedirectStandardOutput "$profileFolder/driver.log" -RedirectStandardError "$profileFolder/driver.err"
    Wait-Until { try { (Invoke-Driver Get /status).ready } catch { $false } } 'chromedriver does not answer'
    $options = @{
        args         = @(
            '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update'
            '--disable-sync', '--hide-scrollbars', "--user-data-dir=$profileFolder/profile"
        )
        perfLoggingPrefs = @{ enableNetwork = $true }
    }
    $capabilities = @{ 'goog:chromeOptions' = $options; 'goog:loggingPrefs' = @{ browser = 'ALL'; performance = 'ALL' } }
    $script:session = "/session/$((Invoke-Driver Post /session @{ capabilities = @{ alwaysMatch = $capabilities } }).sessionId)"
}

<# Opens a file, as a screen of this width and colour scheme shows it. #>
function Open-Page([string] $Path, [int] $Width = 1280, [string] $Scheme = 'light', [int] $Height = 900, [double] $Scale = 1) {
    Invoke-DevTool Emulation.setDeviceMetricsOverride @{ width = $Width; height = $Height; deviceScaleFactor = $Scale; mobile = $false }
    Invoke-DevTool Emulation.setEmulatedMedia @{ features = @(@{ name = 'prefers-color-scheme'; value = $Scheme }) }
    $null = Invoke-Driver Post "$session/url" @{ url = "file://$Path" }
}

function Invoke-DevTool([string] $Command, [hashtable] $Parameters) {
    $null = Invoke-Driver Post "$session/goog/cdp/execute" @{ cmd = $Command; params = $Parameters }
}

<# Runs a script in the page; what it returns. #>
function Invoke-PageScript([string] $Script) {
    Invoke-Driver Post "$session/execute/sync" @{ script = $Script; args = @() }
}

<# Presses the element of a CSS selector with the mouse. #>
function Invoke-Click([string] $Selector) {
    $element = Invoke-Driver Post "$session/element" @{ using = 'css selector'; value = $Selector }
    $id = @($element.PSObject.Properties.Value)[0]
    $null = Invoke-Driver Post "$session/element/$id/click" @{}
}

<# The entries of the console since the last call. #>
function Get-BrowserLog {
    @(Invoke-Driver Post "$session/se/log" @{ type = 'browser' } | ForEach-Object { $_ } | ForEach-Object { "$($_.level) $($_.message)" })
}

<# The addresses that were requested since the last call, without those of the browser's own start page. #>
function Get-BrowserRequest {
    @(Invoke-Driver Post "$session/se/log" @{ type = 'performance' } | ForEach-Object { $_ } | ForEach-Object { (ConvertFrom-Json $_.message).message } |
            Where-Object method -EQ 'Network.requestWillBeSent' | ForEach-Object { $_.params.request.url } | Where-Object { $_ -notlike 'chrome:*' -and $_ -notlike 'data:*' })
}

<# Writes what the screen shows as a PNG. #>
function Save-Page([string] $Path) {
    [IO.File]::WriteAllBytes($Path, [Convert]::FromBase64String((Invoke-Driver Get "$session/screenshot")))
}

<# Ends the browser. #>
function Stop-Browser {
    if ($session) {
        try { $null = Invoke-Driver Delete $session } catch { $null = $_ }
        $script:session = $null
    }
    if ($driver) {
        $driver.Kill($true)
        $driver.WaitForExit()
        $script:driver = $null
        Remove-Item $profileFolder -Recurse -Force
    }
}

Export-ModuleMember -Function 'Test-Browser', 'Start-Browser', 'Open-Page', 'Invoke-PageScript', 'Invoke-Click', 'Get-BrowserLog', 'Get-BrowserRequest', 'Save-Page', 'Stop-Browser'
