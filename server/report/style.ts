import { paletteClasses, paletteCss } from "./palette.ts";

const LIGHT = `color-scheme:light;--page:#fbfbfa;--card:#fff;--ink:#1b2430;--soft:#57616e;--rule:#d9dde2;--faint:#edeff2;--accent:#0b5cad;--tint:#e8f1fb;--good:#1a6b3c;--bad:#b3261e;--warn:#8a5300;
--c0:#5b6673;--c1:#0b5cad;--c2:#b8430a;--c3:#0a7558;--c4:#8b3fa0;--c5:#8a6100;--c6:#0a7286;--c7:#b3186d;${paletteCss("light")}`;
const DARK = `color-scheme:dark;--page:#12171e;--card:#171e27;--ink:#e4e9ef;--soft:#9facba;--rule:#33404e;--faint:#242e3a;--accent:#7cbcff;--tint:#1d3147;--good:#6fd49a;--bad:#ff8f85;--warn:#eebb62;
--c0:#a9b4c0;--c1:#6cb4ff;--c2:#ff9d6e;--c3:#56d0a6;--c4:#d5a3e6;--c5:#e2b94d;--c6:#58cfe0;--c7:#ff94c6;${paletteCss("dark")}`;

/** Replacements for readers who prefer high contrast: nothing is grey, and lines are as strong as text. */
const LIGHT_CONTRAST = "--page:#fff;--card:#fff;--ink:#000;--soft:#000;--rule:#000;--faint:#767676;--tint:#fff";
const DARK_CONTRAST = "--page:#000;--card:#000;--ink:#fff;--soft:#fff;--rule:#fff;--faint:#767676;--tint:#000";

const CURVES = Array.from({ length: 8 }, (_, index) => `.c${index}{stroke:var(--c${index})}`).join("");

const POINTS = Array.from({ length: 8 }, (_, index) => `.p${index}{fill:var(--c${index})}`).join("");

/** The style sheet of a report: light; dark or of high contrast, if the reader's system asks for it; light on paper. */
export const STYLE = `
:root{${LIGHT}}
@media screen and (prefers-color-scheme:dark){:root{${DARK}}}
@media screen and (prefers-contrast:more){:root{${LIGHT_CONTRAST}}}
@media screen and (prefers-color-scheme:dark) and (prefers-contrast:more){:root{${DARK_CONTRAST}}}
*{box-sizing:border-box}
html{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%;background:var(--page);color:var(--ink)}
body{margin:0 auto;max-width:1180px;padding:48px 24px 72px;overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.2;font-weight:650;letter-spacing:-.015em;margin:0 0 8px}
h2{font-size:1.2rem;font-weight:650;letter-spacing:-.005em;margin:56px 0 14px}
h3{font-size:1rem;font-weight:600;margin:30px 0 12px}
p{margin:0 0 12px;max-width:75ch}
.kicker{color:var(--soft);font-size:.8rem;letter-spacing:.06em;text-transform:uppercase;margin:0 0 6px}
.lead{font-size:1.2rem;line-height:1.45;margin:18px 0 0}
.lead+p{margin-top:14px}
.facts{display:flex;flex-wrap:wrap;gap:6px 28px;margin:18px 0 0;padding:14px 0 0;border-top:1px solid var(--rule);font-size:.875rem}
.facts div{min-width:0}
.facts dt{color:var(--soft);font-size:.75rem}
.facts dd{margin:0;font-variant-numeric:tabular-nums}
.status{font-weight:600}.status.done{color:var(--good)}.status.failed{color:var(--bad)}.status.stopped,.status.running{color:var(--warn)}
.error{border-left:3px solid var(--bad);padding:8px 14px;background:var(--card);max-width:none;white-space:pre-wrap}
.muted,.unit{color:var(--soft);font-weight:400}.unit{font-size:.75rem}
.note,figcaption{color:var(--soft);font-size:.84rem;line-height:1.5;margin:10px 0 0;max-width:80ch}
.empty{color:var(--soft)}
.num{font-variant-numeric:tabular-nums}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.cut{display:inline-block;max-width:15ch;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;vertical-align:bottom}
th .cut{max-width:22ch}thead .cut{max-width:9.5ch}
.scroll{position:relative;overflow-x:auto;max-width:100%}
.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;overflow-wrap:normal}
table.compare{width:100%}
caption{text-align:left;color:var(--soft);font-size:.84rem;padding:0 0 6px}
th,td{text-align:right;padding:6px 8px;white-space:nowrap;font-weight:400}
th:first-child,td.word,th.word{text-align:left}
thead th{color:var(--soft);font-size:.8rem;vertical-align:bottom}
thead th[scope=colgroup]{color:var(--ink);font-weight:600;border-bottom:1px solid var(--rule)}
thead th[colspan]:not([colspan="1"]){text-align:left}thead th[scope=colgroup] .unit{display:block}.group:not(:first-child){padding-left:22px}
table.many{font-size:.8rem}table.many th,table.many td{padding-left:4px;padding-right:4px}table.many .group:not(:first-child){padding-left:10px}table.many .best{padding:1px 3px;margin:0 -3px}
.mean{font-weight:600}thead .mean{color:var(--ink)}
tbody{border-top:1.5px solid var(--rule)}tbody:last-child{border-bottom:1.5px solid var(--rule)}
tbody tr+tr>*{border-top:1px solid var(--faint)}
table.compare th:first-child,table.compare td:first-child{position:sticky;left:0;background:var(--page);padding-left:0;z-index:1}
.ours{font-weight:650}
.best{font-weight:700;background:var(--tint);box-shadow:0 0 0 1px var(--accent);border-radius:3px;padding:1px 5px;margin:0 -5px}
.level{box-shadow:0 0 0 1px var(--rule);border-radius:3px;padding:1px 5px;margin:0 -5px}
.config{display:block;color:var(--soft);font-size:.78rem;font-weight:400;white-space:normal;max-width:26ch}
table.small{font-size:.82rem}table.small th,table.small td{padding:4px 12px 4px 0;vertical-align:top}table.small thead th{font-size:.78rem}.layers tbody th[scope=row]{text-align:right}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.92em}
pre{margin:0;width:max-content;min-width:100%;padding:16px 18px;background:var(--card);border:1px solid var(--rule);border-radius:6px;font-size:.82rem;line-height:1.5;tab-size:2;overflow-wrap:normal}
figure{margin:0}
.plot{display:grid;grid-template:auto 340px auto auto/auto minmax(0,1fr);column-gap:8px;font-size:.78rem;color:var(--soft);font-variant-numeric:tabular-nums}
.y-name{grid-area:1/1/2/3;padding-bottom:8px}
.y-ticks{grid-area:2/1;position:relative;width:3.2ch}
.y-ticks span{position:absolute;right:0;transform:translateY(-50%)}
.canvas{grid-area:2/2;display:block;width:100%;height:100%;overflow:hidden;border-left:1px solid var(--rule);border-bottom:1px solid var(--rule)}
.x-ticks{grid-area:3/2;position:relative;height:1.9em}
.x-ticks span{position:absolute;top:5px;transform:translateX(-50%);white-space:nowrap}.x-ticks .edge{transform:translateX(-100%)}
.x-name{grid-area:4/2;text-align:right}
path{fill:none;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:butt;vector-effect:non-scaling-stroke}
path.wide{stroke-width:2.75}path.raw{stroke-width:1;opacity:.17}path.grid{stroke:var(--faint);stroke-width:1}
${CURVES}
.legend{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:4px 24px;list-style:none;margin:14px 0 0;padding:0;font-size:.86rem}
.legend li{display:flex;align-items:center;gap:10px;min-width:0}.legend svg{flex:none}.legend .cut{flex:1;min-width:0;max-width:none}
.scatter{display:block;max-width:none;height:auto;font-size:12px;font-variant-numeric:tabular-nums}
.scatter text{fill:var(--soft)}.scatter .name{fill:var(--ink)}.scatter .mid{text-anchor:middle}.scatter .end{text-anchor:end}.scatter .lead{stroke:var(--soft);stroke-width:1;opacity:.6}.scatter .frame{stroke:var(--rule);stroke-width:1}.scatter circle{stroke:var(--page);stroke-width:1}
${POINTS}
.panels{display:flex;flex-wrap:wrap;gap:22px 32px}
.panel{min-width:0;max-width:100%}.panel figcaption{margin:0 0 6px;color:var(--ink);font-size:.88rem}
.heat{display:block;max-width:none;height:auto;font-size:11px;font-variant-numeric:tabular-nums}
.heat text{text-anchor:middle}.heat .axis{fill:var(--soft)}.heat .end{text-anchor:end}
.scale{display:flex;align-items:flex-start;gap:8px;margin:16px 0 12px;font-size:.78rem;line-height:1;color:var(--soft)}
.scale .strip{display:grid;justify-items:center;gap:3px}.scale svg{display:block;border-radius:2px}.scale .notch{width:1px;height:5px;background:var(--soft)}
details{margin:12px 0 0}summary{cursor:pointer;color:var(--accent);font-size:.9rem;padding:2px 0;width:fit-content}
details[open]>summary{margin-bottom:12px}
footer{margin-top:56px;padding-top:14px;border-top:1px solid var(--rule);color:var(--soft);font-size:.8rem}
${paletteClasses()}
@media (max-width:640px){body{padding:28px 16px 48px}h1{font-size:1.45rem}h2{margin-top:44px}.lead{font-size:1.08rem}.plot{grid-template-rows:auto 260px auto auto}
th,td{padding:6px 8px}table.compare tbody th .cut{width:13ch;white-space:normal;overflow-wrap:break-word}.group:not(:first-child){padding-left:16px}.panels{gap:20px}}
@media print{:root{--page:#fff}html{font-size:10.5pt}body{padding:0;max-width:none}.scroll{overflow:visible}figure,tr,.panel{break-inside:avoid}h2,h3{break-after:avoid}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}details::details-content{content-visibility:visible;display:block}pre{width:auto;white-space:pre-wrap}}
`;
