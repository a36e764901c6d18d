import { canonicalJson } from "../experiment/keys.ts";
import { UserError } from "../protocol/errors.ts";
import type { DataSpec, EvaluateSpec, SeedSpec } from "../protocol/stage.ts";
import type { RunResults } from "./results.ts";

/** What a run's models were evaluated on. */
interface HeldOut {
  tokenizer: DataSpec["tokenizer"];
  /** What determines each domain's held-out text, by a description for people. */
  domains: Map<string, Record<string, string>>;
  answers: number;
  /** Whether all held-out text of every domain was evaluated. */
  whole: boolean;
}

function heldOutOf({ record, heldOutTokens }: RunResults): HeldOut | undefined {
  const spec = <K extends string>(kind: K) => record.stages.find((stage) => stage.spec.kind === kind)?.spec;
  const data = spec("data") as DataSpec | undefined;
  const evaluate = spec("evaluate") as EvaluateSpec | undefined;
  const seed = spec("seed") as SeedSpec | undefined;
  if (!data || !evaluate || !seed) return undefined;
  const { context } = seed.model;
  let whole = true;
  const domains = evaluate.domains.map((name) => {
    const { sha256, text, answerAfter } = data.domains[name]!;
    // Every token but the first is a target once; if that is too many, windows as long as the context are chosen.
    const all = (heldOutTokens.get(name) ?? Infinity) - 1 <= evaluate.tokens;
    whole &&= all;
    const facts = {
      "contents of its files": sha256,
      "text template": text ?? "none",
      "answer marker": answerAfter ?? "none",
      "held-out share": String(data.heldOut),
      "evaluated tokens": all ? "all" : `at most ${evaluate.tokens} in windows of ${context}`,
    };
    return [name, facts] as const;
  });
  return { tokenizer: data.tokenizer, domains: new Map(domains), answers: evaluate.answers, whole };
}

/** "bpe, 1024" */
const tokenizerText = (tokenizer: DataSpec["tokenizer"]): string =>
  Object.entries(tokenizer)
    .flatMap(([key, value]) => (key === "path" ? [] : key === "sha256" ? [String(value).slice(0, 8)] : [String(value)]))
    .join(", ");
const tokenizerId = (tokenizer: DataSpec["tokenizer"]): string => {
  const { path: _, ...rest } = { path: undefined, ...tokenizer };
  return canonicalJson(rest);
};

const LONG = 16;
/** Whether a value is readable: not a hash. */
const isWord = (value: string) => !/^[0-9a-f]{32,}$/.test(value);
const quoted = (a: string, b: string) => (isWord(a) && isWord(b) ? `: ${cut(a)} and ${cut(b)}` : "");
const cut = (value: string) =>
  value.includes("{") && value.length > 3 * LONG ? `${value.slice(0, 3 * LONG)}…` : value;

/**
 * Checks that all models were evaluated on the same text and, unless bits per byte are compared, on the same tokens.
 *
 * @returns notes for the reader, if the comparison needs care
 * @throws UserError naming two runs, the domain and the reason
 */
export function checkHeldOut(runs: readonly RunResults[], measure: "nats" | "bitsPerByte"): string[] {
  const all = runs.flatMap((run) => {
    const heldOut = heldOutOf(run);
    return heldOut ? [{ name: `${run.record.name} (${run.record.id})`, ...heldOut }] : [];
  });
  const [first, ...others] = all;
  if (!first) return [];
  const notes = new Set<string>();
  for (const other of others) {
    const refuse = (why: string): never => {
      throw new UserError(`the runs ${first.name} and ${other.name} cannot be compared: ${why}`);
    };
    const alone = (a: typeof first, b: typeof first) => [...a.domains.keys()].find((domain) => !b.domains.has(domain));
    const [missing, more] = [alone(first, other), alone(other, first)];
    if (missing !== undefined) refuse(`only ${first.name} has the domain ${missing}`);
    if (more !== undefined) refuse(`only ${other.name} has the domain ${more}`);
    const sameTokenizer = tokenizerId(first.tokenizer) === tokenizerId(other.tokenizer);
    for (const [domain, facts] of first.domains) {
      for (const [reason, value] of Object.entries(facts)) {
        const theirs = other.domains.get(domain)![reason]!;
        // With different tokenizers, equal numbers of tokens are different text anyway; a note below says so.
        if (value === theirs || (reason === "evaluated tokens" && !sameTokenizer)) continue;
        refuse(`their held-out text differs in domain ${domain} (${reason}${quoted(value, theirs)})`);
      }
    }
    if (!sameTokenizer) {
      if (measure === "nats")
        refuse(
          `their tokenizers differ (${tokenizerText(first.tokenizer)}; ${tokenizerText(other.tokenizer)}), and so do tokens: use --bits for bits per byte`,
        );
      if (!first.whole || !other.whole)
        notes.add(
          "Runs with different tokenizers evaluated different parts of the held-out text: raise `evaluate.tokens` for an exact comparison.",
        );
    }
    if (first.answers !== other.answers)
      notes.add(
        `Exact match is over at most ${first.answers} problems per domain in ${first.name} and ${other.answers} in ${other.name}.`,
      );
  }
  return [...notes];
}
