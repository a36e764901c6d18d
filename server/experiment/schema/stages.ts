import * as z from "zod";
import { freezeItemSchema, parameterGroupSchema } from "../../protocol/stage.ts";
import { notes } from "./notes.ts";
import { routerSchema } from "./router.ts";
import { tokenCount } from "./tokens.ts";
import { trainingKeys } from "./training.ts";

export const stageDefaults = {
  seedTokens: 1_000_000,
  expertTokens: 500_000,
  finetuneTokens: 500_000,
  evaluateTokens: 16_384,
} as const;

const mixture = (description: string, paper?: string) =>
  z
    .record(z.string(), z.number().positive())
    .refine((weights) => Object.keys(weights).length > 0)
    .optional()
    .meta(
      notes({
        description,
        unit: "weights on any scale",
        paper,
        defaultText: "every domain equally",
        expects: "a mapping of domains to weights above 0, such as {code: 2, prose: 1}",
      }),
    );

export const trainingSchema = z
  .strictObject(trainingKeys())
  .prefault({})
  .meta(
    notes({
      description:
        "How models are trained, in all stages. `seed`, `experts`, `finetune` and, for its own expert, a domain may override any of these keys.",
    }),
  );

export const seedSchema = z
  .strictObject({
    tokens: tokenCount({
      description: "Number of tokens on which the seed is trained from random weights. Cannot be combined with `from`.",
      defaultText: "1M, unless `from` is given",
    }),
    from: z
      .string()
      .min(1)
      .optional()
      .meta(
        notes({
          description:
            "Folder of a checkpoint in the Hugging Face format (`config.json`, `*.safetensors`) that is used as the seed instead of training one. Relative to the experiment file.",
          paper: "Llama-2 7B",
          defaultText: "none: the seed is trained",
          expects: "the folder of a checkpoint",
        }),
      ),
    mixture: mixture("Weight of each domain in the seed's training text. Domains that are not named are left out."),
    ...trainingKeys("that of `training`"),
  })
  .prefault({})
  .meta(notes({ description: "The seed: the model from which all experts start." }));

export const expertsSchema = z
  .strictObject({
    tokens: tokenCount({
      description: "Number of tokens of its own domain on which each expert is trained.",
      paper: "math 201B, code 210B, wiki 42B",
      default: stageDefaults.expertTokens,
    }),
    ...trainingKeys("that of `training`"),
  })
  .prefault({})
  .meta(
    notes({ description: "Branch and train: a copy of the seed is trained on each domain, in parallel. BTX §3.1." }),
  );

export const mixSchema = z
  .strictObject({
    experts: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .meta(
        notes({
          description:
            "Domains whose experts are mixed, in this order; `seed` stands for the seed itself. All other parameters are averaged over the same models.",
          paper: "math, code, wiki and the seed",
          defaultText: "all domains and `seed`",
          expects: "a list of domains and `seed`, such as [code, prose, seed]",
        }),
      ),
    split: z
      .int()
      .min(2)
      .max(1024)
      .optional()
      .meta(
        notes({
          description:
            "Each model's feed-forward block is split into this many experts of equal width (C), so that N models become N x C experts. Must divide `model.ffn`. Cannot be combined with `blend`. BTX §3.3.",
          paper: "2, an ablation of table 5",
          defaultText: "none: each model's whole block is one expert",
        }),
      ),
    blend: z
      .boolean()
      .optional()
      .meta(
        notes({
          description:
            "Each feed-forward block is split into as many parts as there are models, and expert n consists of the n-th part of every model, so that no expert belongs to one domain. The number of models must divide `model.ffn`. BTX §3.3.",
          paper: "true, an ablation of table 5",
          default: false,
        }),
      ),
    router: routerSchema,
  })
  .prefault({})
  .meta(notes({ description: "Mix: the experts' feed-forward blocks become the experts of one model. BTX §3.2." }));

/** Prefix of the name of a single expert among the groups of `freeze`. */
export const expertPrefix = "expert:";

const frozenParameters = z.array(
  freezeItemSchema.meta(
    notes({
      description: "A group of parameters, or one expert by its name.",
      expects: `one of ${parameterGroupSchema.options.map((group) => `\`${group}\``).join(", ")}, or one expert such as \`${expertPrefix}code\``,
    }),
  ),
);

export const finetuneSchema = z
  .strictObject({
    tokens: tokenCount({
      description: "Number of tokens on which the mixed model is finetuned.",
      paper: "80B",
      default: stageDefaults.finetuneTokens,
    }),
    mixture: mixture(
      "Weight of each domain in the finetuning text. Domains that are not named are left out.",
      "math 30.16, code 40.31, wiki 10.30, Llama-2 data 19.23",
    ),
    freeze: z
      .union([
        frozenParameters,
        z.strictObject({
          "all-but": frozenParameters.min(1).meta(
            notes({
              description: "What finetuning trains; all other parameters are frozen. Named as in a list of `freeze`.",
              defaultText: "none; required",
              expects: "a list of what is trained, such as [router]",
            }),
          ),
        }),
      ])
      .default([])
      .meta(
        notes({
          description:
            "Parameters of the mixed model that finetuning does not train. `experts`: the experts' feed-forward blocks. `attention`: the attention projections. `router`: the routers. `embeddings`: the embedding and the head. `norms`: the norms. `dense`: the feed-forward blocks of layers without experts. `expert:NAME`: one expert, such as `expert:code`, with all its parts if it was split. `{all-but: [router]}` freezes everything else. Baselines are always trained in full.",
          paper: "[]; [experts] in an ablation of table 5",
          default: [],
          expects: "a list such as [experts, norms, expert:code], or {all-but: [router]}",
        }),
      ),
    ...trainingKeys("that of `training`"),
  })
  .prefault({})
  .meta(notes({ description: "Finetune: the mixed model learns to route. BTX §3.2." }));

export const evaluateSchema = z
  .strictObject({
    tokens: tokenCount({
      description: "Maximum number of held-out tokens per domain on which every model is evaluated.",
      default: stageDefaults.evaluateTokens,
    }),
    batch: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(8)
      .meta(notes({ description: "Sequences processed at once.", unit: "sequences", default: 8 })),
    answers: z
      .int()
      .min(0)
      .default(50)
      .meta(
        notes({
          description:
            "Maximum number of problems per domain whose answers are compared, in domains with `answerAfter`; 0 for none.",
          unit: "problems",
          default: 50,
        }),
      ),
  })
  .prefault({})
  .meta(notes({ description: "How models are evaluated on held-out text." }));

export const baselines = ["average", "dense", "upcycling", "upcycling-compute", "btm"] as const;
export type Baseline = (typeof baselines)[number];

export const compareSchema = z
  .array(z.enum(baselines))
  .default([])
  .meta(
    notes({
      description:
        "Baselines of BTX §4.1.2. `average`: the average of all weights of the mixed models. `dense`: the seed, trained further on the same tokens in the same phases (equal data). `upcycling`: a mixture of copies of the seed with the same router, trained like `dense` (equal data). `upcycling-compute`: the same mixture, trained throughout as the mixed model is finetuned, on as many tokens as cost the FLOPs of experts and finetuning together (equal compute). `btm`: Branch-Train-Merge, the ensemble of the experts, weighted by tf-idf and by the Bayes posterior, with the best one and with the best two experts. `average` and `btm` need no training.",
      paper: "dense, upcycling, upcycling-compute, btm",
      default: [],
      expects: "a list of `average`, `dense`, `upcycling`, `upcycling-compute` and `btm`",
    }),
  );
