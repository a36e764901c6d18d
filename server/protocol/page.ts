import * as z from "zod";
import { runReferenceSchema } from "./editor/basics.ts";
import { escapeHtml } from "./escapeHtml.ts";
import { stageReferenceSchema } from "./stageReference.ts";
import { maxRuns, originSchema } from "./stream.ts";

/** Maximum number of characters of a page's text. */
export const maxPageText = 20_000;

/** Messages between a page and its host, a panel of the editor, outside the stream. Both sides validate them. */

/**
 * What a page is opened with. Without runs, it uses the ones it has kept. `stages`: names of the stages to show first;
 * absent: all. `roots`: the workspace's run folders, from which runs can be chosen. `model`, `expert`, `layer` (its
 * number in the model), `text`: what a page about one model, expert or text shows.
 */
export const startSchema = z.strictObject({
  runs: z.array(runReferenceSchema).max(maxRuns),
  roots: z.array(runReferenceSchema.shape.root).max(1000).optional(),
  stages: z.array(z.string().max(200)).max(1000).optional(),
  model: stageReferenceSchema.optional(),
  expert: z.string().max(200).optional(),
  layer: z.int().min(0).optional(),
  text: z.string().max(maxPageText).optional(),
});
export type Start = z.infer<typeof startSchema>;

const bytesSchema = z.custom<Uint8Array<ArrayBuffer>>((value) => value instanceof Uint8Array);

/** The pages; the element of one is named `metrics-page`, its files metrics.js and metrics-style.css. */
export const pageNameSchema = z.enum(["metrics", "routing", "expert", "tokens"]);
export type PageName = z.infer<typeof pageNameSchema>;

/** Their titles in links between pages. */
export const pageTitles: Record<PageName, string> = {
  metrics: "Metrics",
  routing: "Routing",
  expert: "Expert",
  tokens: "Tokens",
};

/** From a page to its host. */
export const toHostSchema = z.discriminatedUnion("type", [
  /** The page is ready; its host answers with `start`. */
  z.strictObject({ type: z.literal("ready") }),
  /** Asks where to connect. The host answers with `ticket`. */
  z.strictObject({ type: z.literal("ticket"), origin: originSchema }),
  /** The page cannot connect and asks the host to relay messages. The host answers with `relay`. */
  z.strictObject({ type: z.literal("relay") }),
  z.strictObject({ type: z.literal("send"), text: z.string() }),
  /** Asks the user for a location, writes the file, and answers with `saved`. */
  z.strictObject({ type: z.literal("save"), id: z.int(), name: z.string().max(200), bytes: bytesSchema }),
  z.strictObject({ type: z.literal("title"), text: z.string().max(200) }),
  /** Opens another page. */
  z.strictObject({ type: z.literal("open"), page: pageNameSchema, start: startSchema }),
]);
export type ToHost = z.infer<typeof toHostSchema>;

/** From the host to its page. */
export const toPageSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("start"), start: startSchema }),
  /** `url` is absent if the page cannot reach a socket of the backend. */
  z.strictObject({ type: z.literal("ticket"), url: z.string().optional(), token: z.string().optional() }),
  /** Whether messages are relayed. */
  z.strictObject({ type: z.literal("relay"), open: z.boolean() }),
  z.strictObject({ type: z.literal("message"), data: z.union([z.string(), z.instanceof(ArrayBuffer)]) }),
  /** `place` is absent if nothing was saved. */
  z.strictObject({
    type: z.literal("saved"),
    id: z.int(),
    place: z.string().optional(),
    problem: z.string().optional(),
  }),
]);
export type ToPage = z.infer<typeof toPageSchema>;

/** State that a page keeps until it is opened again. Its host needs the runs. */
export const keptSchema = z.looseObject({
  runs: z.array(runReferenceSchema).max(maxRuns),
  title: z.string().max(200).optional(),
});

export interface PageFiles {
  title: string;
  /** Addresses. */
  script: string;
  styles: string[];
  /** Sources in the content security policy: where to connect, and where scripts, styles and fonts are loaded from. */
  connect: string[];
  resources: string[];
  nonce?: string;
  /** Links to the other pages, for use without an editor to open them. */
  links?: readonly { text: string; address: string; current: boolean }[];
}

/** A page's content security policy: only its own files and its stream, and no inline code or styles. */
export function pagePolicy({ connect, resources, nonce }: PageFiles): string {
  const own = resources.join(" ");
  return [
    "default-src 'none'",
    `script-src ${nonce ? `'nonce-${nonce}'` : own}`,
    `style-src ${own}`,
    `font-src ${own}`,
    `connect-src ${connect.join(" ") || "'none'"}`,
    "img-src blob:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** The HTML of a page: its script creates all visible content. */
export function pageText(element: string, files: PageFiles): string {
  const nonce = files.nonce ? ` nonce="${escapeHtml(files.nonce)}"` : "";
  const styles = files.styles.map((style) => `<link rel="stylesheet" href="${escapeHtml(style)}">`).join("\n");
  const links = (files.links ?? []).map(
    ({ text, address, current }) =>
      `<a href="${escapeHtml(address)}"${current ? ' aria-current="page"' : ""}>${escapeHtml(text)}</a>`,
  );
  const nav = links.length > 0 ? `<nav class="pages" aria-label="Pages">${links.join("")}</nav>\n` : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(pagePolicy(files))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(files.title)}</title>
${styles}
</head>
<body>
${nav}<${element}></${element}>
<script type="module"${nonce} src="${escapeHtml(files.script)}"></script>
</body>
</html>
`;
}
