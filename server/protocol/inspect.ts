import * as z from "zod";
import { chartColors } from "./colors.ts";
import { stageReferenceSchema } from "./editor/basics.ts";
import { cellMeasureSchema, layerRowSchema } from "./measures.ts";

/**
 * Questions about a finished model: where a text's tokens go, how it continues a text, what an expert is for. The
 * inspector, a process of its own (inspect/main.ts), answers one at a time.
 */

/** Maximum number of characters of a text that is routed or continued. */
export const maxCharacters = 1_000_000;
/** Maximum number of tokens of a continuation. */
export const maxTokens = 1_000_000;
/** Maximum number of experts per token and layer in an answer: those with the largest gates. */
export const maxChoices = 8;

const expertSchema = z.string().min(1).max(200);
const layerSchema = z.int().min(0);

/** Changes to the routing of a trained model. */
const changesSchema = {
  /** Experts switched off in every layer: tokens go to the others, with gates computed among those alone. */
  off: z.array(expertSchema).max(10_000).optional(),
  /** Experts per token instead of the model's own number; for top-k routers. */
  k: z.int().min(1).optional(),
};

export const routedExpertSchema = z.strictObject({ name: z.string(), color: z.enum(chartColors).optional() });
export type RoutedExpert = z.infer<typeof routedExpertSchema>;

/** The axes of routing: no layers and experts, and a `k` of 0, for a dense model. */
export const axesSchema = z.strictObject({
  /** The Mixture-of-Experts layers (L of them), ascending. */
  layers: z.array(z.int()),
  /** In the order of the model (E of them). */
  experts: z.array(routedExpertSchema),
  /** Choices per token and layer (K), at most `maxChoices`. */
  k: z.int(),
});
export type RoutingAxes = z.infer<typeof axesSchema>;

/** Indices into `experts`, largest gate first; -1 if fewer than K experts have a gate. */
const chosenSchema = z.array(z.int());
const gatesSchema = z.array(z.number());

/** Measures of a text's routing as a whole; see measures.ts. */
export const textMeasuresSchema = z.strictObject({
  /** [L, E] each, flattened. */
  cells: z.partialRecord(cellMeasureSchema, z.array(z.number())),
  layers: layerRowSchema,
  /** Share of tokens by an expert's probability, [L, E, bins] flattened, with bins of equal width from 0 to 1. */
  histogram: z.array(z.number()),
});
export type TextMeasures = z.infer<typeof textMeasuresSchema>;

export const routedTextSchema = z.strictObject({
  ...axesSchema.shape,
  /**
   * The N tokens as positions in the text, UTF-16 units, end exclusive. They tile the text. A character that consists
   * of several tokens belongs to the first one; the others are empty and follow it.
   */
  tokens: z.array(z.strictObject({ start: z.int(), end: z.int() })),
  /** [L, N, K], flattened. */
  chosen: chosenSchema,
  /** [L, N, K], flattened; 0 where nothing is chosen. */
  gates: gatesSchema,
  /** Negative log-likelihood of each token given the preceding ones, nats [N]; null for the first. */
  surprise: z.array(z.number().nullable()),
  /** Text of the most likely token after each one [N]; "" for the end of the text. */
  predicted: z.array(z.string()),
  /** Present if requested, for a Mixture-of-Experts and a text that is not empty. */
  measures: textMeasuresSchema.optional(),
});
export type RoutedText = z.infer<typeof routedTextSchema>;

/** One token of a continuation. */
export const sampledTokenSchema = z.strictObject({
  /**
   * Text added by this token: empty while a character is incomplete, else including characters begun by earlier tokens.
   */
  text: z.string(),
  /** [L, K], flattened. */
  chosen: chosenSchema,
  gates: gatesSchema,
  /** Negative log-likelihood, nats, at temperature 1 and without top-p. */
  surprise: z.number(),
});
export type SampledToken = z.infer<typeof sampledTokenSchema>;

/** News of a continuation: the axes first, then each token. */
export const sampleNewsSchema = z.union([axesSchema, sampledTokenSchema]);

export const progressSchema = z.strictObject({ done: z.number(), total: z.number() });
export type InspectionProgress = z.infer<typeof progressSchema>;

/**
 * A token that goes to an expert more often than other tokens do. Each occurrence makes K choices per layer; in layers
 * where all experts are computed, only the expert with the largest gate counts.
 */
export const particularTokenSchema = z.strictObject({
  text: z.string(),
  /**
   * Share of its choices that are the expert: OLMoE's vocabulary specialisation (arXiv 2409.02060 §5.4) divided by K.
   */
  share: z.number(),
  /** The same share over all tokens. */
  base: z.number(),
  /** Number of its choices that are the expert, and of all its choices. */
  chosen: z.int(),
  choices: z.int(),
  /** How often the token occurs in the text, or is the most likely next token. */
  occurrences: z.int(),
  /** Examples with the token between `before` and `after`. A predicted token takes the place of the actual next one. */
  contexts: z.array(
    z.strictObject({ domain: z.string(), layer: z.int(), before: z.string(), token: z.string(), after: z.string() }),
  ),
});
export type ParticularToken = z.infer<typeof particularTokenSchema>;

/** Distance by layer [L] between an expert's block and another one, each block's three weights taken as one vector. */
export const distanceSchema = z.strictObject({
  /** Kind and name of the other block: the stage "seed", or an expert of the same layer. */
  is: z.enum(["seed", "expert"]),
  to: z.string(),
  /** |a - b| / |b|, Frobenius norms. */
  relative: z.array(z.number()),
  cosine: z.array(z.number()),
});
export type WeightDistance = z.infer<typeof distanceSchema>;

export const expertFactsSchema = z.strictObject({
  layers: z.array(z.int()),
  /** Number of the expert's parameters in all layers. */
  parameters: z.int(),
  /** Distances to the seed, if its blocks are comparable, then to each other expert in the order of the model. */
  distances: z.array(distanceSchema),
  /**
   * Specific tokens, by the token that goes to the expert and by the most likely token after it. Sorted by how unlikely
   * their share is by chance, using the log-likelihood ratio 2 (n ln(s / b) + (N - n) ln((1 - s) / (1 - b))) for n of N
   * choices, with share s and base b (Dunning 1993).
   */
  input: z.array(particularTokenSchema),
  predicted: z.array(particularTokenSchema),
  /** Number of held-out tokens examined. */
  tokens: z.int(),
});
export type ExpertFacts = z.infer<typeof expertFactsSchema>;

export const withoutSchema = z.strictObject({
  /** Held-out losses, nats per token, on the windows of the model's evaluation. */
  domains: z.array(z.strictObject({ domain: z.string(), with: z.number(), without: z.number(), tokens: z.int() })),
});
export type Without = z.infer<typeof withoutSchema>;

export const saturationSchema = z.strictObject({
  layers: z.array(z.int()),
  domains: z.array(z.string()),
  /**
   * [L, domains + 1]: mean share of a token's K experts that agree in both models; the last column covers all domains.
   */
  saturation: z.array(z.array(z.number())),
});
export type Saturation = z.infer<typeof saturationSchema>;

const model = stageReferenceSchema;

/** Parameters, news while it runs, and result of each inspection. */
export const inspections = {
  /**
   * Where each token of a text goes. A text longer than the model's context is cut into windows that overlap by half.
   * Only the second half counts in all but the first, so each token past the first half-context sees at least half a
   * context of the text before it.
   */
  route: {
    params: z.strictObject({
      model,
      text: z.string().max(maxCharacters),
      /** Also requests measures of the text as a whole. */
      measured: z.boolean().optional(),
      ...changesSchema,
    }),
    news: z.never(),
    result: routedTextSchema,
  },
  /** Continues a prompt token by token. */
  sample: {
    params: z.strictObject({
      model,
      prompt: z.string().max(maxCharacters),
      tokens: z.int().min(1).max(maxTokens),
      /** 0 always takes the most likely token. */
      temperature: z.number().min(0).max(100),
      /** Samples from the most likely tokens that together have this probability; 1: from all. */
      topP: z.number().min(0).max(1),
      randomSeed: z.int().min(0),
      ...changesSchema,
    }),
    news: sampleNewsSchema,
    /** Why it ended: at the end of the text, at the requested number of tokens, or at the end of the context. */
    result: z.strictObject({ ended: z.enum(["text", "tokens", "context"]) }),
  },
  /** Held-out losses with an expert and with it switched off, in one layer or, without `layer`, in all. */
  without: {
    params: z.strictObject({ model, expert: expertSchema, layer: layerSchema.optional() }),
    news: progressSchema,
    result: withoutSchema,
  },
  /** Facts about an expert in one layer or, without `layer`, in all: its weights, and which tokens go to it. */
  expert: {
    params: z.strictObject({ model, expert: expertSchema, layer: layerSchema.optional() }),
    news: progressSchema,
    result: expertFactsSchema,
  },
  /**
   * Router saturation of `other` with respect to `model` on the held-out windows of `model`'s evaluation: OLMoE (arXiv
   * 2409.02060) §5.1, the mean over tokens of |experts of other ∩ experts of model| / K. To compare the start and the
   * end of a stage, use its parent and the stage itself.
   */
  saturation: {
    params: z.strictObject({ model, other: model }),
    news: progressSchema,
    result: saturationSchema,
  },
};
type Inspections = typeof inspections;
export type Inspection = keyof Inspections;
export type InspectionParams<I extends Inspection> = z.infer<Inspections[I]["params"]>;
export type InspectionNews<I extends Inspection> = z.infer<Inspections[I]["news"]>;
export type InspectionResult<I extends Inspection> = z.infer<Inspections[I]["result"]>;

/** From the client to the inspector's process. */
export const toInspectorSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("ask"),
    id: z.int(),
    inspection: z.enum(["route", "sample", "without", "expert", "saturation"]),
    params: z.unknown(),
  }),
  z.strictObject({ type: z.literal("cancel"), id: z.int() }),
]);
export type ToInspector = z.infer<typeof toInspectorSchema>;

/** From the inspector's process to the client. */
export const fromInspectorSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("news"), id: z.int(), news: z.unknown() }),
  z.strictObject({ type: z.literal("answer"), id: z.int(), answer: z.unknown() }),
  /** `forUser`: the message is a sentence for the user, else the trace of an internal error. */
  z.strictObject({ type: z.literal("failed"), id: z.int(), message: z.string(), forUser: z.boolean() }),
]);
export type FromInspector = z.infer<typeof fromInspectorSchema>;
