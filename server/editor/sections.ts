import { isMap, isNode, isScalar, parseDocument } from "yaml";
import { UserError } from "../protocol/errors.ts";

/**
 * An experiment's text with other sections; all other lines, and comments, stay as they are.
 *
 * @param sections by their names: each a line, without its end; "" takes the section out. What was not there comes last.
 * @throws UserError where the text is no list of sections.
 */
export function withSections(experiment: string, sections: Readonly<Record<string, string>>): string {
  const document = parseDocument(experiment);
  const { contents } = document;
  const isEmpty = contents === null || (isScalar(contents) && contents.value === null);
  if (document.errors.length > 0 || !(isEmpty || (isMap(contents) && !contents.flow)))
    throw new UserError("the experiment is no list of sections with a line each, and cannot be changed");
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
