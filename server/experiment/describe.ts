import * as z from "zod";
import type { Path } from "./problem.ts";
import type { Notes } from "./schema/notes.ts";
import { experimentFileSchema } from "./schema.ts";

/** The part of JSON Schema that zod writes here, with the notes of each key. */
export interface SchemaNode extends Partial<Notes> {
  type?: string;
  enum?: string[];
  const?: unknown;
  anyOf?: SchemaNode[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  pattern?: string;
  items?: SchemaNode;
  properties?: Record<string, SchemaNode>;
  required?: string[];
  additionalProperties?: SchemaNode | false;
  propertyNames?: SchemaNode;
}

let root: SchemaNode | undefined;

/** The experiment file's schema with notes, as data. */
export function schemaRoot(): SchemaNode {
  root ??= z.toJSONSchema(experimentFileSchema, { io: "input" }) as SchemaNode;
  return root;
}

/** Schema of the value at a path; undefined if the path is not valid. */
export function schemaAt(path: Path): SchemaNode | undefined {
  let node: SchemaNode | undefined = schemaRoot();
  for (const part of path) {
    if (!node) return undefined;
    if (typeof part === "number") node = itemsOf(node);
    else {
      const mapping = mappingOf(node);
      if (mapping?.properties && Object.hasOwn(mapping.properties, part)) node = mapping.properties[part];
      else node = mapping?.additionalProperties || undefined;
    }
  }
  return node;
}

/** Schema of a list's items, if the value may be a list. */
export const itemsOf = (node: SchemaNode): SchemaNode | undefined =>
  (node.anyOf ?? [node]).find(({ items }) => items)?.items;

/** The part of a schema that is a mapping, if the value may be one. */
export const mappingOf = (node: SchemaNode): SchemaNode | undefined =>
  (node.anyOf ?? [node]).find((choice) => choice.properties || choice.additionalProperties);

/** The names among which a value is chosen, if it is chosen among names. */
export const namesOf = (node: SchemaNode): string[] | undefined =>
  node.enum ?? node.anyOf?.find((choice) => choice.enum)?.enum;

const bound = (value: number | undefined): number | undefined =>
  value === undefined || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? undefined : value;

function numberText(node: SchemaNode): string {
  const noun = node.type === "integer" ? "a whole number" : "a number";
  const [least, most] = [bound(node.minimum), bound(node.maximum)];
  const [above, below] = [node.exclusiveMinimum, node.exclusiveMaximum];
  if (least !== undefined && most !== undefined) return `${noun} from ${least} to ${most}`;
  const low = least !== undefined ? `of at least ${least}` : above !== undefined ? `above ${above}` : "";
  const high = most !== undefined ? `at most ${most}` : below !== undefined ? `below ${below}` : "";
  return [noun, [low, high].filter(Boolean).join(" and ")].filter(Boolean).join(" ");
}

/** Describes valid values: "a whole number of at least 1". */
export function expectedText(node: SchemaNode): string {
  if (node.expects) return node.expects;
  const names = node.enum ?? (node.const === undefined ? undefined : [String(node.const)]);
  if (names) return names.length === 1 ? `\`${names[0]}\`` : `one of ${names.map((name) => `\`${name}\``).join(", ")}`;
  if (node.type === "integer" || node.type === "number") return numberText(node);
  if (node.type === "boolean") return "true or false";
  if (node.type === "string") return "text";
  if (node.type === "array") return "a list";
  return "a mapping";
}

/** Describes a given value: "the text `four`". */
export function givenText(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "string") return `the text \`${shorten(value)}\``;
  return `the ${Array.isArray(value) ? "list" : "mapping"} \`${shorten(JSON.stringify(value) ?? "")}\``;
}

const shorten = (text: string): string => {
  const line = text.replace(/\s+/g, " ");
  return line.length > 40 ? `${line.slice(0, 39)}…` : line;
};

/** Paths of the sections that have a key of this name, outermost first. */
export function sectionsWith(key: string): string[] {
  const found: string[] = [];
  const visit = (node: SchemaNode, path: string) => {
    for (const [name, child] of Object.entries(node.properties ?? {})) {
      if (name === key) found.push(path);
      visit(child, path ? `${path}.${name}` : name);
    }
  };
  visit(schemaRoot(), "");
  return found;
}
