import type { Problem } from "../../experiment/problem.ts";
import type { Costs } from "../facts/costs.ts";

/**
 * What the language server asks of disks on behalf of an experiment file: a path in it may lead anywhere, so looking
 * there may take long, need much memory or never end. `processes.ts` asks other processes, `answers.ts` answers.
 */
export interface Lookups {
  /** What `btx check` finds beyond the schema. */
  check: { asked: ExperimentText; answer: Problem[] };
  /** What training takes; undefined where the seed cannot be read. */
  costs: { asked: ExperimentText; answer: Costs | undefined };
  /** How many files patterns match. */
  files: { asked: { folder: string; patterns: string[] }; answer: FilesSeen };
  /** The entries of a folder, sorted by name; none where it cannot be read. */
  entries: { asked: { folder: string }; answer: FolderEntry[] };
  /** For each path the file to open for it; undefined where there is none. */
  targets: { asked: { paths: string[] }; answer: (string | undefined)[] };
}

export type Lookup = keyof Lookups;
export type Asked<L extends Lookup> = Lookups[L]["asked"];
export type Answer<L extends Lookup> = Lookups[L]["answer"];

/** A text that parses without mistakes. */
export interface ExperimentText {
  /** Path of the experiment file; its folder is where relative paths begin. */
  file: string;
  text: string;
}

/** The files that a domain's patterns match, or one sentence on why none match. */
export type FilesSeen = { count: number; bytes: number } | { problem: string };

export interface FolderEntry {
  name: string;
  isFolder: boolean;
}

export interface AskOptions {
  /** Path of the experiment file that it is asked for: one whose lookups are slow does not hold up others. */
  owner: string;
  /** How long the work may take, ms. */
  ms: number;
  /** Drops the question. */
  signal?: AbortSignal | undefined;
}

/** Looks something up. @throws UserError when it takes too long or too much memory; the signal's reason. */
export type Ask = <L extends Lookup>(lookup: L, asked: Asked<L>, options: AskOptions) => Promise<Answer<L>>;

/** To the process. `folders`: what it may read; undefined: everything. */
export type ToLookup =
  | { type: "ask"; id: number; lookup: Lookup; asked: unknown; folders: readonly string[] | undefined }
  | { type: "cancel"; id: number };

/** From the process. */
export type FromLookup =
  /** It has started. */
  | { type: "ready" }
  | { type: "answer"; id: number; answer: unknown }
  /** `forUser`: the message is a sentence for a person, else a stack trace for the log. */
  | { type: "failed"; id: number; message: string; forUser: boolean };
