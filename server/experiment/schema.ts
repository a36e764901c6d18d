import * as z from "zod";
import { devicesSchema, engineSchema } from "./schema/compute.ts";
import { domainsSchema } from "./schema/domains.ts";
import { modelSchema, tokenizerSchema } from "./schema/model.ts";
import { notes } from "./schema/notes.ts";
import {
  compareSchema,
  evaluateSchema,
  expertsSchema,
  finetuneSchema,
  mixSchema,
  seedSchema,
  trainingSchema,
} from "./schema/stages.ts";

/**
 * The experiment file, `*.btx.yaml`: the single source of types, validation, JSON schema and reference page.
 * Keys whose default depends on other keys stay absent here; `resolve.ts` fills them in.
 */
export const experimentFileSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/\S/)
      .max(100)
      .optional()
      .meta(
        notes({
          description: "Name of the experiment, for people. It does not affect results.",
          defaultText: "the file's name without `.btx.yaml`",
          expects: "text of 1 to 100 characters",
        }),
      ),
    model: modelSchema,
    tokenizer: tokenizerSchema,
    domains: domainsSchema,
    training: trainingSchema,
    seed: seedSchema,
    experts: expertsSchema,
    mix: mixSchema,
    finetune: finetuneSchema,
    evaluate: evaluateSchema,
    compare: compareSchema,
    engine: engineSchema,
    devices: devicesSchema,
    heldOut: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.1)
      .meta(
        notes({
          description:
            "Share of each domain's documents that is held out for evaluation. Documents are chosen by a hash of their content, so a document never changes sides.",
          unit: "share",
          default: 0.1,
        }),
      ),
    randomSeed: z
      .int()
      .min(0)
      .default(1)
      .meta(
        notes({
          description:
            "Seed of all random numbers. Each stage derives its own seed from it and the stage's name, so experts see their data in different orders.",
          default: 1,
        }),
      ),
  })
  .meta(
    notes({
      description: "A Branch-Train-MiX experiment (arXiv 2403.07816).",
      expects: "a mapping with at least the key `domains`",
    }),
  );

/** An experiment file after validation, before defaults that depend on other keys. */
export type ExperimentFile = z.output<typeof experimentFileSchema>;
