import * as z from "zod";
import { notes } from "./notes.ts";
import { tokenCount } from "./tokens.ts";
import { trainingKeys } from "./training.ts";

/** Names that mean something else in the place of a domain: the seed as an expert, and the mean over domains. */
export const reservedNames: readonly string[] = ["seed", "mean"];

export const domainNamePattern = /^[A-Za-z][\w-]*$/;

const domainName = z
  .string()
  .regex(domainNamePattern)
  .max(64)
  .refine((name) => !reservedNames.includes(name))
  .meta(
    notes({
      description: "Name of the domain and of its expert.",
      expects:
        "a name of at most 64 letters, digits, `_` and `-` that begins with a letter and is neither `seed` nor `mean`",
    }),
  );

const domainSchema = z
  .strictObject({
    files: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).meta(
      notes({
        description:
          "The domain's text: a path, a folder or a glob, or a list of them, relative to the experiment file. Text files of any kind (`.txt`, `.md`, source code), `.jsonl` and `.parquet`, each also as `.gz`. Links are followed. A glob or folder stays on the file system that it begins on: to include a disk that is mounted inside it, name that folder too.",
        defaultText: "none; required",
        expects: "a path, a folder or a glob, or a list of them",
      }),
    ),
    text: z
      .string()
      .min(1)
      .optional()
      .meta(
        notes({
          description:
            'For `.jsonl` and `.parquet`: the field that holds the text, or a template such as `"{question}\\n{answer}"`.',
          defaultText: "the field `text`",
        }),
      ),
    answerAfter: z
      .string()
      .min(1)
      .optional()
      .meta(
        notes({
          description:
            "Marks the answer in a document: the answer is the text after the last such marker, up to the end of that line. If given, evaluation measures the share of held-out answers that greedy decoding reproduces exactly. If `text` is a template of two or more fields, the model is given the document up to the last field (the question) and writes the solution itself; the marker must then be in the last field. Otherwise the model is given the document up to and including its last marker.",
          defaultText: "none: answers are not compared",
        }),
      ),
    tokens: tokenCount({
      description: "Number of tokens on which this domain's expert is trained.",
      paper: "math 201B, code 210B, wiki 42B",
      defaultText: "`experts.tokens`",
    }),
    ...trainingKeys("that of `experts`"),
  })
  .meta(notes({ description: "One domain.", expects: "a mapping such as {files: code/**/*.py}" }));

export const domainsSchema = z
  .record(domainName, domainSchema)
  .refine((domains) => Object.keys(domains).length > 0)
  .meta(
    notes({
      description: "The domains by name. One expert is trained on each.",
      paper: "math, code, wiki",
      defaultText: "none; required",
      expects: "a mapping with at least one domain, such as {code: {files: code/**/*.py}}",
    }),
  );
