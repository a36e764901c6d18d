import { type Document, LineCounter, parseDocument } from "yaml";

export interface YamlDocument {
  document: Document.Parsed;
  lines: LineCounter;
}

/** An editor asks many things about a text, and about few others: reading takes longer than all answers. */
const kept = 3;
const known = new Map<string, YamlDocument>();

/** A text as the YAML library reads it, mistakes and all; only to be read. @throws RangeError for a text that is nested too deeply. */
export function yamlDocument(text: string): YamlDocument {
  const before = known.get(text);
  if (before) {
    known.delete(text);
    known.set(text, before);
    return before;
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: "error",
  });
  const read = { document, lines };
  known.set(text, read);
  if (known.size > kept) known.delete(known.keys().next().value!);
  return read;
}
