import { UserError } from "../../protocol/errors.ts";
import { nearestName } from "../nearestName.ts";
import type { Document } from "./document.ts";

/** How a record (a JSON line, a Parquet row) becomes a document. */
export interface RecordText {
  /** Fields it reads. */
  fields: string[];
  /** @param where names file and line or row, for errors */
  of(record: object, where: string): Document;
}

const HOLE = /\{([^{}\n]+)\}/g;

/** @param rule a field's name ("text" if absent), or a template: every `{name}` in it stands for that field */
export function recordText(rule = "text"): RecordText {
  const fields = [...rule.matchAll(HOLE)].map((match) => match[1]!);
  if (fields.length === 0) return { fields: [rule], of: (record, where) => ({ text: fieldText(record, rule, where) }) };
  const distinct = [...new Set(fields)];
  const fill = (template: string, record: object, where: string) =>
    template.replace(HOLE, (_, name: string) => fieldText(record, name, where));
  if (distinct.length === 1) return { fields: distinct, of: (record, where) => ({ text: fill(rule, record, where) }) };
  const lastHole = rule.lastIndexOf(`{${fields.at(-1)!}}`);
  return {
    fields: distinct,
    of(record, where) {
      const prompt = fill(rule.slice(0, lastHole), record, where);
      return { text: prompt + fill(rule.slice(lastHole), record, where), promptEnd: prompt.length };
    },
  };
}

function fieldText(record: object, name: string, where: string): string {
  if (!Object.hasOwn(record, name)) throw missingField(name, Object.keys(record), where);
  const value: unknown = (record as Record<string, unknown>)[name];
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  const kind = value === null || value === undefined ? "null" : Array.isArray(value) ? "a list" : "an object";
  throw new UserError(`${where}: the field "${name}" is ${kind}, not text`);
}

export function missingField(name: string, names: string[], where: string): UserError {
  const nearest = nearestName(name, names);
  const known = names.slice(0, 12).map((known) => `"${known.slice(0, 40)}"`);
  const hint = nearest !== undefined ? `did you mean "${nearest}"?` : `its fields are ${known.join(", ") || "none"}`;
  return new UserError(`${where} has no field "${name}": ${hint} Set \`text\` to a field or a template.`);
}
