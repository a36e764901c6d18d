import type { Path } from "../experiment/problem.ts";
import { type Entry, entriesOf, type Token, touches } from "./syntax.ts";

/**
 * An occurrence of a domain's name: under `domains`, in `mix.experts`, in a mixture, or as `expert:NAME` in
 * `finetune.freeze`.
 */
export interface DomainName {
  name: string;
  token: Token;
  entry: Entry;
  role: "definition" | "expert" | "weight" | "frozen";
}

/** The role of a domain's name at this path; undefined if the path holds no domain's name. */
export function domainRole(path: Path): DomainName["role"] | undefined {
  const [first, second] = path;
  if (path.length === 2 && first === "domains") return "definition";
  const inList = path.length === 3 || (path.length === 4 && path[2] === "all-but");
  if (inList && first === "finetune" && second === "freeze" && typeof path.at(-1) === "number") return "frozen";
  if (path.length !== 3) return undefined;
  if (first === "mix" && second === "experts") return "expert";
  return (first === "seed" || first === "finetune") && second === "mixture" ? "weight" : undefined;
}

/** Every occurrence of a domain's name, in the order of the text; `seed` among the experts is not a domain. */
export function domainNames(root: Entry): DomainName[] {
  const found: DomainName[] = [];
  for (const entry of entriesOf(root)) {
    const role = domainRole(entry.path);
    const token = role === "frozen" ? frozenExpert(entry) : role === "expert" ? scalarOf(entry) : entry.key;
    if (role && token && !((role === "expert" || role === "frozen") && token.text === "seed"))
      found.push({ name: token.text, token, entry, role });
  }
  return found;
}

const scalarOf = ({ value }: Entry): Token | undefined => (value?.kind === "scalar" ? value : undefined);

const prefix = "expert:";

/** The domain's name in "expert:NAME", or in "expert:NAME.1" of a split expert. */
function frozenExpert(entry: Entry): Token | undefined {
  const token = scalarOf(entry);
  if (!token?.text.startsWith(prefix)) return undefined;
  const [text = ""] = token.text.slice(prefix.length).split(".");
  const start = token.inner.start + prefix.length;
  return { ...token, text, inner: { start, end: start + text.length } };
}

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
