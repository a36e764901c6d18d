import { isMap, isNode, isScalar, parseDocument } from "yaml";
import type { Compute } from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";

/** Texts of experiments with some sections changed; all other lines, and comments, stay as they are. */

/**
 * An experiment's text with some sections replaced.
 *
 * @param sections by name: each one line without its line end; "" removes the section. New sections are appended.
 * @throws UserError if the text is not a list of sections
 */
export function withSections(experiment: string, sections: Readonly<Record<string, string>>): string {
  const document = parseDocument(experiment);
  const { contents } = document;
  const isEmpty = contents === null || (isScalar(contents) && contents.value === null);
  if (document.errors.length > 0 || !(isEmpty || (isMap(contents) && !contents.flow)))
    throw new UserError(
      "the experiment file cannot be changed, because some sections share a line: start each section on its own line",
    );
  const left = new Map(Object.entries(sections).map(([name, line]) => [name, line === "" ? "" : `${line}\n`]));
  let text = experiment === "" || experiment.endsWith("\n") ? experiment : `${experiment}\n`;
  for (const { key, value } of isMap(contents) ? contents.items.toReversed() : []) {
    const name = isScalar(key) ? String(key.value) : "";
    const line = left.get(name);
    if (!isScalar(key) || !key.range || line === undefined) continue;
    const last = isNode(value) && value.range ? value.range[1] : key.range[1];
    const end = text[last - 1] === "\n" ? last : text.indexOf("\n", last) + 1;
    text = `${text.slice(0, key.range[0])}${line}${text.slice(end)}`;
    left.delete(name);
  }
  return text + [...left.values()].join("");
}

/** An experiment's text with its compute settings replaced. */
export function withCompute(text: string, compute: Compute | undefined): string {
  const { engine = "auto", devices = [] } = compute ?? {};
  return withSections(text, {
    engine: engine === "auto" ? "" : `engine: ${engine}`,
    devices: devices.length === 0 ? "" : `devices: [${devices.join(", ")}]`,
  });
}

/**
 * An experiment's text with a checkpoint as its seed.
 * @param note a comment for the first line
 */
export function forkText(experiment: string, checkpoint: string, note: string): string {
  const document = parseDocument(experiment);
  // The checkpoint defines the tokenizer and sizes; the remaining keys must not contradict it.
  const kept = ["context", "moeLayers"].flatMap((key) => {
    const value = document.getIn(["model", key]);
    return value === undefined ? [] : [`${key}: ${isNode(value) ? JSON.stringify(value.toJSON()) : value}`];
  });
  const model = kept.length > 0 ? `model: {${kept.join(", ")}}` : "";
  const seed = `seed: {from: ${JSON.stringify(checkpoint)}}`;
  return `# ${note}\n${withSections(experiment, { name: "", tokenizer: "", model, seed })}`;
}
