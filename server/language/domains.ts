import type { Path } from "../experiment/problem.ts";
import { type Entry, entriesOf, type Token, touches } from "./syntax.ts";

/** Where the name of a domain stands: under `domains`, in `mix.experts` or in a mixture. */
export interface DomainName {
  name: string;
  token: Token;
  entry: Entry;
  role: "definition" | "expert" | "weight";
}

/** The role of a domain's name at this path; undefined if the path holds no domain's name. */
export function domainRole(path: Path): DomainName["role"] | undefined {
  const [first, second] = path;
  if (path.length === 2 && first === "domains") return "definition";
  if (path.length !== 3) return undefined;
  if (first === "mix" && second === "experts") return "expert";
  return (first === "seed" || first === "finetune") && second === "mixture" ? "weight" : undefined;
}

/** Every occurrence of a domain's name, in the order of the text; `seed` among the experts is not a domain. */
export function domainNames(root: Entry): DomainName[] {
  const found: DomainName[] = [];
  for (const entry of entriesOf(root)) {
    const role = domainRole(entry.path);
    const token = role === "expert" ? scalarOf(entry) : entry.key;
    if (role && token && !(role === "expert" && token.text === "seed"))
      found.push({ name: token.text, token, entry, role });
  }
  return found;
}

const scalarOf = ({ value }: Entry): Token | undefined => (value?.kind === "scalar" ? value : undefined);

/** The domain that is named at an offset. */
export const domainNameAt = (root: Entry, offset: number): DomainName | undefined =>
  domainNames(root).find(({ token }) => touches(token, offset));

/** Names that the file defines. */
export const definedDomains = (root: Entry): string[] => [
  ...new Set(
    domainNames(root)
      .filter(({ role }) => role === "definition")
      .map(({ name }) => name),
  ),
];
