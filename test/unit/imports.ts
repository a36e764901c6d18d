import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** What imports what, over a set of TypeScript sources. */

/** Text of files by their path from the project's folder, with forward slashes. */
export type Sources = ReadonlyMap<string, string>;

export interface Import {
  /** The file that imports. */
  from: string;
  /** A path in the project for a relative specifier, else the specifier: "node:fs", "zod/v4". */
  to: string;
  /** Gone at run time. */
  typeOnly: boolean;
}

/** All `.ts` files below the given folders of `root`; folders that do not exist hold none. */
export function readSources(root: string, folders: string[]): Sources {
  const sources = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.name.endsWith(".ts")) sources.set(path, readFileSync(join(root, path), "utf8"));
    }
  };
  const present = new Set(readdirSync(root));
  for (const folder of folders) if (present.has(folder)) walk(folder);
  return sources;
}

const statement = /^(?:import|export)(\s+type)?\s+(?:[^;"']*?\sfrom\s+)?["']([^"']+)["']/gm;
const dynamic = /\bimport\(\s*["']([^"']+)["']/g;

/** Every import and re-export of a file, as they stand in its text. */
function importsOf(from: string, text: string): Import[] {
  const to = (specifier: string) =>
    specifier.startsWith(".") ? posix.normalize(posix.join(posix.dirname(from), specifier)) : specifier;
  return [
    ...Array.from(text.matchAll(statement), ([, type, specifier]) => ({ from, to: to(specifier!), typeOnly: !!type })),
    ...Array.from(text.matchAll(dynamic), ([, specifier]) => ({ from, to: to(specifier!), typeOnly: false })),
  ];
}

export const allImports = (sources: Sources): Import[] => [...sources].flatMap(([path, text]) => importsOf(path, text));

/** The first circle among the edges from a name to others, as the names along it; undefined if there is none. */
export function findCircle(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): string[] | undefined => {
    if (finished.has(name)) return undefined;
    const at = path.indexOf(name);
    if (at >= 0) return [...path.slice(at), name];
    path.push(name);
    for (const next of edges.get(name) ?? []) {
      const circle = visit(next);
      if (circle) return circle;
    }
    path.pop();
    finished.add(name);
    return undefined;
  };
  for (const name of edges.keys()) {
    const circle = visit(name);
    if (circle) return circle;
  }
  return undefined;
}
