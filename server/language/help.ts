import { expectedText, type SchemaNode } from "../experiment/describe.ts";
import { type Path, pathText } from "../experiment/problem.ts";
import { expertPrefix } from "../experiment/schema/stages.ts";

/** Markdown help for a key: what it does, valid values, unit, default and the paper's value. */
export function keyHelp(path: Path, node: SchemaNode): string {
  const facts = [
    ["Value", capital(expectedText(node))],
    ["Unit", node.unit],
    ["Default", defaultText(node)],
    ["BTX paper", node.paper],
  ].filter(([, text]) => text);
  const isSection = node.properties !== undefined;
  const lines = isSection ? [] : facts.map(([name, text]) => `- ${name}: ${text}`);
  return [`**\`${pathText(path)}\`**`, node.description ?? "", lines.join("\n")].filter(Boolean).join("\n\n");
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export function defaultText({ defaultText: text, default: value }: SchemaNode): string | undefined {
  if (text !== undefined || value === undefined) return text;
  return `\`${JSON.stringify(value).replaceAll('"', "")}\``;
}

/** What a key's description says about one value, in the form "`name`: what it is."; undefined if nothing. */
export function valueHelp({ description }: SchemaNode, value: string): string | undefined {
  const name = value.startsWith(expertPrefix) ? `${expertPrefix}NAME` : value;
  const parts = description?.split(/(?=`[\w:-]+`: )/) ?? [];
  return parts.find((part) => part.startsWith(`\`${name}\`: `))?.trim();
}
