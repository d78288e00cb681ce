namespace ConntrackPS.Reporting;

/// <summary>The style and the script of a page. They are part of it, so that it needs no network.</summary>
internal static class PageAssets
{
    /// <summary>Sorts a table by the column whose heading is pressed: numbers from the highest, text from A. A second press reverses.</summary>
    public const string Script = """

        for (const table of document.querySelectorAll('table')) {
          const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
          heads.forEach((head, column) => head.firstElementChild.addEventListener('click', () => {
            const isNumber = head.classList.contains('n');
            const before = head.getAttribute('aria-sort');
            const isDown = before ? before === 'ascending' : isNumber;
            const value = row => isNumber ? parseFloat(row.cells[column].dataset.v ?? '-1e300') : row.cells[column].textContent;
            const order = (a, b) => isNumber ? value(a) - value(b) : value(a).localeCompare(value(b), 'en', { numeric: true });
            const rows = [...body.rows].sort((a, b) => isDown ? order(b, a) : order(a, b));
            heads.forEach(other => other.removeAttribute('aria-sort'));
            head.setAttribute('aria-sort', isDown ? 'descending' : 'ascending');
            body.append(...rows);
          }));
        }

        """;

    /// <summary>The colours follow the reader's system: dark or light.</summary>
    public const string Style = """

        :root {
          color-scheme: light dark;
          --page: #f6f7f9; --card: #fff; --ink: #1c2430; --soft: #5b6675; --edge: #dde2e8; --grid: #e9edf1;
          --one: #2563c9; --two: #b4540a; --three: #7a3fb0; --bar: #dbe7fb;
          --open: #2a8a5c; --opening: #d9822b; --closing: #8895a5; --none: #2563c9;
          --bad: #b3261e; --bad-back: #fdecea; --warn: #8a5a00; --warn-back: #fff4dc; --info: #1d5fa8; --info-back: #e6f0fc; --good: #1f7a4d; --good-back: #e4f5ec;
          --code: #eef1f5;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #0e1217; --card: #171c23; --ink: #e4e9ef; --soft: #9aa6b4; --edge: #2a323c; --grid: #242c35;
            --one: #6ea8ff; --two: #f0a35e; --three: #c79bf2; --bar: #22395f;
            --open: #4cc38a; --opening: #f0a35e; --closing: #7c8896; --none: #6ea8ff;
            --bad: #ff8a80; --bad-back: #3a1a1a; --warn: #f5c26b; --warn-back: #352a12; --info: #8abaff; --info-back: #17273d; --good: #6fdaa4; --good-back: #142c20;
            --code: #0e1217;
          }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
        main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 40px; }
        h1 { margin: 0; font-size: 26px; line-height: 1.25; letter-spacing: -.01em; overflow-wrap: anywhere; }
        h2 { margin: 0 0 4px; font-size: 18px; }
        h3 { margin: 22px 0 4px; font-size: 15px; }
        p { margin: 0 0 10px; } .soft { color: var(--soft); }
        section { margin-top: 18px; padding: 18px 20px 16px; background: var(--card); border: 1px solid var(--edge); border-radius: 10px; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; margin-top: 20px; }
        .tile { padding: 12px 16px; background: var(--card); border: 1px solid var(--edge); border-radius: 10px; }
        .tile b { display: block; font-size: 24px; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums; }
        .tile span { color: var(--soft); font-size: 13px; } .tile.bad b { color: var(--bad); } .tile.warn b { color: var(--warn); } .tile.good b { color: var(--good); }
        .meter { height: 6px; margin: 5px 0 3px; background: var(--grid); border-radius: 3px; overflow: hidden; } .meter i { display: block; height: 100%; background: var(--one); }
        .bad .meter i { background: var(--bad); } .warn .meter i { background: var(--opening); }
        svg { display: block; width: 100%; height: auto; font-size: 12px; font-variant-numeric: tabular-nums; } svg text { fill: var(--soft); }
        .narrow { display: none; }
        .grid { stroke: var(--grid); } .tick { stroke: var(--edge); } line.limit { stroke: var(--bad); stroke-dasharray: 5 4; } svg text.limit { fill: var(--bad); stroke: var(--card); stroke-width: 4px; paint-order: stroke; }
        .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .line.one { stroke: var(--one); } .line.two { stroke: var(--two); } .line.three { stroke: var(--three); }
        .area { opacity: .16; } .area.one, circle.one { fill: var(--one); } circle.two { fill: var(--two); } circle.three { fill: var(--three); }
        .legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 2px 0 6px; font-size: 13px; color: var(--soft); }
        .legend i { display: inline-block; width: 14px; height: 3px; margin: 0 7px 3px 0; border-radius: 2px; vertical-align: middle; }
        i.one { background: var(--one); } i.two { background: var(--two); } i.three { background: var(--three); }
        .scroll { overflow-x: auto; margin: 6px -20px 0; padding: 0 20px; }
        table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
        th { padding: 0; text-align: left; border-bottom: 1px solid var(--edge); white-space: nowrap; }
        th button { all: unset; box-sizing: border-box; width: 100%; padding: 6px 10px; color: var(--soft); font-size: 13px; font-weight: 600; cursor: pointer; }
        th button:hover { color: var(--ink); } th button:focus-visible { outline: 2px solid var(--one); outline-offset: -2px; border-radius: 4px; }
        th.n button { text-align: right; }
        th[aria-sort] button { color: var(--ink); } th[aria-sort="ascending"] button::after { content: " \25B4"; } th[aria-sort="descending"] button::after { content: " \25BE"; }
        td { padding: 5px 10px; border-bottom: 1px solid var(--grid); vertical-align: top; } td bdi { display: inline-block; max-width: 30em; overflow-wrap: break-word; } tr:last-child td { border-bottom: 0; }
        td:first-child { min-width: 9em; } .n { text-align: right; white-space: nowrap; }
        td.bar { background: linear-gradient(to left, var(--bar) var(--w), transparent 0) no-repeat 0 3px / 100% calc(100% - 6px); min-width: 8em; }
        .columns { display: grid; grid-template-columns: 1fr 1fr; gap: 6px 36px; }
        .rows { display: grid; grid-template-columns: max-content 1fr max-content; gap: 5px 12px; align-items: center; font-size: 14px; font-variant-numeric: tabular-nums; }
        .rows i { display: block; height: 12px; min-width: 2px; border-radius: 3px; } .rows span:nth-child(3n) { text-align: right; }
        i.open { background: var(--open); } i.opening { background: var(--opening); } i.closing { background: var(--closing); } i.none { background: var(--none); }
        .finding { padding: 12px 0; border-bottom: 1px solid var(--grid); } .finding:last-child { border-bottom: 0; padding-bottom: 0; } .finding p { margin: 4px 0 0; }
        .badge { display: inline-block; margin-right: 8px; padding: 0 9px; border-radius: 9px; font-size: 12px; font-weight: 650; line-height: 20px; }
        .badge.bad { color: var(--bad); background: var(--bad-back); } .badge.warn { color: var(--warn); background: var(--warn-back); }
        .badge.info { color: var(--info); background: var(--info-back); } .badge.good { color: var(--good); background: var(--good-back); }
        pre { margin: 8px 0 0; padding: 8px 12px; background: var(--code); border: 1px solid var(--edge); border-radius: 6px; font: 13px/1.5 ui-monospace, "JetBrains Mono", "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
        footer { margin-top: 18px; color: var(--soft); font-size: 13px; }
        @media (max-width: 640px) {
          main { padding: 18px 12px 28px; } section { padding: 14px 14px 12px; } h1 { font-size: 21px; } .scroll { margin: 6px -14px 0; padding: 0 14px; }
          .wide { display: none; } .narrow { display: block; } .columns { grid-template-columns: 1fr; } .tiles { grid-template-columns: 1fr 1fr; gap: 8px; } .tile { padding: 10px 12px; } .tile b { font-size: 20px; }
        }
        @media print { body { background: #fff; } section, .tile { break-inside: avoid; } }

        """;
}
