import { readFileSync, writeFileSync } from "node:fs";
import { experimentJsonSchema, experimentReference } from "../server/experiment/reference.ts";
import { editorReference } from "./editorReference.ts";

/** Writes the generated pages of this folder. Run with Node 24: `node docs/generate.ts`. */
writeFileSync(new URL("experiment-file.md", import.meta.url), experimentReference());
writeFileSync(
  new URL("experiment-file.schema.json", import.meta.url),
  `${JSON.stringify(experimentJsonSchema(), null, 2)}\n`,
);
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
writeFileSync(new URL("editor.md", import.meta.url), editorReference(manifest));
