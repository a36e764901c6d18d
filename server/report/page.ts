import { type Html, html } from "./html.ts";
import { STYLE } from "./style.ts";

/** Nothing may be fetched and no script may run: the page is style, text and inline SVG. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** A self-contained page without scripts, for light and dark themes. */
export function renderPage({ title, header, main }: { title: string; header: Html; main: Html }): string {
  const head = html`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} – BTX Studio</title>
<link rel="icon" href="data:,">
`;
  const body = html`<body>
${header}
<main>
${main}
</main>
<footer>Written by BTX Studio. The method: Sukhbaatar et al., Branch-Train-MiX, arXiv 2403.07816.</footer>
</body>
</html>
`;
  return `<!doctype html>\n${head.text}<style>${STYLE}</style>\n</head>\n${body.text}`;
}

/** Wraps content so that it scrolls sideways where the page is too narrow. */
export function scrolling(label: string, content: Html): Html {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${label}">${content}</div>`;
}
