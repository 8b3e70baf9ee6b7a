// The style that pages share: colours for light and dark, by what the reader's system prefers, and what is on every page.

export const STYLE = `:root {
  --back: #fbfaf8; --raised: #f0eee9; --line: #dcd8d0; --text: #23211e; --quiet: #6d6860; --accent: #a4420c;
  --mark: #ffe08a; --heat-lightness: 82%; --heat-saturation: 62%; --on-heat: #23211e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #191816; --raised: #24221f; --line: #3a3732; --text: #e6e2da; --quiet: #9a948a; --accent: #f0955c;
    --mark: #6b5310; --heat-lightness: 30%; --heat-saturation: 38%; --on-heat: #f2eee6;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 14px/1.45 system-ui, sans-serif; }
code, .code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px; }
header { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: baseline; padding: 12px 16px; border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 16px; }
.quiet { color: var(--quiet); }
input[type=search] { font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--line); border-radius: 4px; padding: 3px 8px; }
kbd { font: 11px ui-monospace, monospace; border: 1px solid var(--line); border-radius: 3px; padding: 0 4px; background: var(--raised); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 2px 12px 2px 0; vertical-align: baseline; }
th { font-weight: 600; color: var(--quiet); }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tbody tr:hover { background: var(--raised); }
mark, .mark { background: var(--mark); color: inherit; }`;
