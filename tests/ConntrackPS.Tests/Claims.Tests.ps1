# docs/claims.md against the README and against the tests that it names.
BeforeDiscovery {
    $rows = Get-Content "$PSScriptRoot/../../docs/claims.md" | Where-Object { $_ -match '^\| (?!Section|---)' } | ForEach-Object {
        $section, $claim, $proof = $_.Trim('|', ' ') -split ' \| '
        @{ Section = $section; Claim = $claim; Proof = $proof.Trim('`') }
    }
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    $readme = Get-Content "$root/README.md"
    # A row of a comparison claims what its first two cells say: "what: how".
    $text = ($readme -replace '^\| ([^`|]+) \| ([^|]+) \|.*', '$1: $2') -join ' ' -replace '\s+', ' '
    $claims = @(Get-Content "$root/docs/claims.md" | Where-Object { $_ -match '^\| (?!Section|---)' })
}

Describe 'The claim "<Claim>"' -ForEach $rows {
    It 'stands in the README' {
        $text.Contains($Claim, [StringComparison]::OrdinalIgnoreCase) | Should -BeTrue
        $readme -match "^#+ $([regex]::Escape($Section))$" | Should -Not -BeNullOrEmpty
    }

    It 'has a proof that is there' {
        switch -Regex ($Proof) {
            "^Invoke-Pester (\S+)(?: -FullNameFilter '\*(.+)\*')?$" {
                "$PSScriptRoot/$($Matches[1])" | Should -Exist
                if ($Matches[2]) {
                    "$PSScriptRoot/$($Matches[1])" | Should -FileContentMatch "It '.*$([regex]::Escape($Matches[2]))"
                }
            }
            '^dotnet test (\S+) --filter (\w+)$' {
                Get-ChildItem "$root/$($Matches[1])" -Recurse -Filter "$($Matches[2]).cs" | Should -Not -BeNullOrEmpty
            }
            '^[./]*(build\.sh) (Demo|Test)$|^((?:samples|bench)/\S+)$' {
                "$root/$($Matches[1] ?? $Matches[3])" | Should -Exist
            }
            default { throw "'$Proof' is no command that this test knows." }
        }
    }
}

Describe 'The README' {
    It 'has no section without a claim' {
        $sections = $readme -match '^#+ ' -replace '^#+ ' | Where-Object { $_ -notin 'Map', 'License' }
        $sections.Count | Should -BeGreaterThan 5
        $sections | Where-Object { -not ($claims -like "| $_ | *") } | Should -BeNullOrEmpty -Because 'docs/claims.md needs a line for each'
    }

    It 'has no row of a comparison without a claim, unless it is what others do better' {
        $rows = $readme | Where-Object { $_ -match '^\| ([^`|]+) \| ([^|]+) \|.*\|.*\|.*\|' -and $Matches[2] -notin 'no', 'ConntrackPS', '---' } |
            ForEach-Object { "$($Matches[1]): $($Matches[2])" }
        $rows.Count | Should -BeGreaterThan 15
        $rows | Where-Object { $row = $_; -not ($claims | Where-Object { $_.Contains("| $row |") }) } | Should -BeNullOrEmpty -Because 'docs/claims.md needs a line for each'
    }

    It 'has no command without a claim' {
        $does = $readme | Where-Object { $_ -match '^\| `[A-Z][a-z]+-' } | ForEach-Object { ($_.Trim('|', ' ') -split ' \| ', 2)[1] }
        $does.Count | Should -BeGreaterThan 15
        $does | Where-Object { $line = $_; -not ($claims | Where-Object { $_.Contains("| $line |") }) } | Should -BeNullOrEmpty -Because 'docs/claims.md needs a line for each'
    }
}
