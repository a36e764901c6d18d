import type { z } from "zod";
import { didYouMean, nearestName } from "../data/nearestName.ts";
import { expectedText, givenText, mappingOf, namesOf, schemaAt, sectionsWith } from "./describe.ts";
import { type Path, type Positions, type Problem, pathText, sortProblems } from "./problem.ts";
import { type Experiment, resolveExperiment } from "./resolve.ts";
import { experimentFileSchema } from "./schema.ts";
import { readSource } from "./source.ts";

/** Most mistakes that are reported of one file. */
const maxProblems = 100;

/**
 * Reads the text of an experiment file. Reports all mistakes at once, in the order of their positions (the first
 * hundred); the experiment is there only if there is no error. Never throws.
 * @param file path of the file, which gives the experiment its default name; it is not read.
 */
export function parseExperiment(text: string, file: string): { experiment?: Experiment; problems: Problem[] } {
  const source = readSource(text);
  if (source.value === undefined) return { problems: sortProblems(source.problems) };
  const parsed = experimentFileSchema.safeParse(source.value);
  if (!parsed.success) {
    const found = explainIssues(parsed.error.issues, source.value, source.positions);
    return { problems: sortProblems([...source.problems, ...found]).slice(0, maxProblems) };
  }
  if (source.problems.length > 0) return { problems: sortProblems(source.problems) };
  return { experiment: resolveExperiment(parsed.data, source.positions, file), problems: [] };
}

type Issue = z.core.$ZodIssue;

/** The schema's issues as problems with positions; at most one per value. */
function explainIssues(issues: readonly Issue[], value: unknown, positions: Positions): Problem[] {
  const seen = new Set<string>();
  const problems: Problem[] = [];
  for (const issue of issues.flatMap(matchingBranch)) {
    const path = issue.path as Path;
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) problems.push(unknownKey(key, path, positions));
      continue;
    }
    const id = JSON.stringify(path);
    if (seen.has(id)) continue;
    seen.add(id);
    problems.push(issue.code === "invalid_key" ? badName(path, positions) : badValue(path, value, positions));
  }
  return problems;
}

/** The issues in the branch of a union that has the value's type, if there is one; else the issue as it is. */
function matchingBranch(issue: Issue): Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const ofType = (inner: Issue) => inner.path.length > 0 || inner.code === "unrecognized_keys";
  const branch = issue.errors.find((errors) => errors.length > 0 && errors.every(ofType));
  if (!branch) return [issue];
  return branch.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(matchingBranch);
}

function unknownKey(key: string, section: Path, positions: Positions): Problem {
  const path = [...section, key];
  const schema = schemaAt(section);
  const valid = Object.keys((schema && mappingOf(schema))?.properties ?? {});
  const suggestion = nearestName(key, valid);
  const elsewhere = sectionsWith(key)[0];
  let hint = didYouMean(suggestion);
  if (!hint && elsewhere !== undefined)
    hint = elsewhere === "" ? ": it belongs at the top of the file" : `: it belongs in \`${elsewhere}\``;
  const where = section.length > 0 && !suggestion ? ` in \`${pathText(section)}\`` : "";
  return {
    ...positions.key(path),
    message: `unknown key \`${key}\`${where}${hint}`,
    path,
    expected: `one of ${valid.map((name) => `\`${name}\``).join(", ")}`,
    suggestion,
    severity: "error",
  };
}

function badName(path: Path, positions: Positions): Problem {
  const names = schemaAt(path.slice(0, -1))?.propertyNames;
  const expected = names ? expectedText(names) : "a name";
  const message = `\`${String(path.at(-1))}\` must be ${expected}`;
  return { ...positions.key(path), message, path, expected, severity: "error" };
}

function badValue(path: Path, root: unknown, positions: Positions): Problem {
  const node = schemaAt(path);
  const expected = node ? expectedText(node) : "something else";
  const name = path.length === 0 ? "an experiment" : `\`${pathText(path)}\``;
  const present = positions.has(path) || path.length === 0;
  if (!present) {
    const message = `${name} is missing: it must be ${expected}`;
    return { ...positions.key(path), message, path, expected, severity: "error" };
  }
  const given = valueAt(root, path);
  const names = node && namesOf(node);
  const suggestion = typeof given === "string" && names ? nearestName(given, names) : undefined;
  const instead = suggestion ? didYouMean(suggestion) : "";
  const message = `${name} must be ${expected}, not ${givenText(given)}${instead}`;
  return { ...positions.value(path), message, path, expected, suggestion, severity: "error" };
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
