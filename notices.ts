import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The licences of the packages that the build contains: THIRD_PARTY_NOTICES.txt of the .vsix. */

/** Licences that may be passed on in a program under the MIT licence, as SPDX names them. */
const allowed = new Set(["0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"]);

/** The texts of packages that bring none of their own, by the package's or the scope's name. */
const added = join(import.meta.dirname, "licences");

/** A part of esbuild's metafile: for each output, how many bytes of each input are in it. */
export interface Metafile {
  outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }>;
}

/** Folders of the packages whose code is in the outputs. */
export function bundledPackages(metafiles: readonly Metafile[]): Set<string> {
  const folders = new Set<string>();
  for (const { outputs } of metafiles)
    for (const { inputs } of Object.values(outputs))
      for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
        const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
        if (folder !== undefined && bytesInOutput > 0) folders.add(folder);
      }
  return folders;
}

/**
 * Name, version, licence and licence text of each package.
 *
 * @param folders of packages
 * @throws Error for a package whose licence is not allowed here, or has no text
 */
export function noticesOf(folders: Iterable<string>): string {
  const packages = [...folders].map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    if (!allowed.has(license))
      throw new Error(
        `${folder}: the licence of ${name} is ${license}: use another package, or add the licence to notices.ts`,
      );
    return { name, version, license, text: textOf(folder, name) };
  });
  packages.sort((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1));
  const head = "BTX Studio contains code of the following packages, each under the licence given after its name.\n";
  const line = "=".repeat(80);
  return [head, ...packages.map((one) => `${one.name} ${one.version} (${one.license})\n\n${one.text}\n`)].join(
    `\n${line}\n\n`,
  );
}

function textOf(folder: string, name: string): string {
  const own = readdirSync(folder).filter((file) =>
    /^(licen[cs]e|copying|notice|thirdpartynotices)(\.\w+)?$/i.test(file),
  );
  const texts = own.sort().map((file) => join(folder, file));
  if (!own.some((file) => /^(licen[cs]e|copying)/i.test(file))) {
    const file = [name, name.split("/")[0]].map((one) => join(added, `${one}.txt`)).find((path) => existsSync(path));
    if (file === undefined) throw new Error(`${folder}: ${name} has no licence text: add one to licences/`);
    texts.unshift(file);
  }
  return texts.map((path) => readFileSync(path, "utf8").replaceAll("\r\n", "\n").trim()).join("\n\n");
}
