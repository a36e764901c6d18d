import * as z from "zod";
import { chartColors } from "./colors.ts";
import { stageReferenceSchema } from "./editor/basics.ts";
import { cellMeasureSchema, layerRowSchema } from "./measures.ts";

/**
 * Questions about a finished model: where a text's tokens go, how it continues a text, what an expert is for. The inspector, a
 * process of its own (inspect/main.ts), answers one at a time.
 */

/** Most characters of a text that is routed or continued. */
export const mostCharacters = 1_000_000;
/** Most tokens of a continuation. */
export const mostTokens = 1_000_000;
/** Most experts per token and layer in an answer: those with the largest gates. */
export const mostChoices = 8;

const expertSchema = z.string().min(1).max(200);
const layerSchema = z.int().min(0);

/** Changes to the routing that a model was trained with. */
const changesSchema = {
  /** Experts switched off in every layer: tokens go to the others, and the gates are those of the others alone. */
  off: z.array(expertSchema).max(10_000).optional(),
  /** Experts per token in place of the model's own; for top-k routers. */
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
  /** Choices per token and layer (K), at most `mostChoices`. */
  k: z.int(),
});
export type RoutingAxes = z.infer<typeof axesSchema>;

/** Indices into `experts`, the largest gate first; -1 where fewer experts than K have a gate. */
const chosenSchema = z.array(z.int());
const gatesSchema = z.array(z.number());

/** What is measured of a text's routing as a whole, see measures.ts. */
export const textMeasuresSchema = z.strictObject({
  /** [L, E] flat each. */
  cells: z.partialRecord(cellMeasureSchema, z.array(z.number())),
  layers: layerRowSchema,
  /** Tokens by the probability of an expert, as shares, [L, E, bins] flat; bins of equal width from 0 to 1. */
  histogram: z.array(z.number()),
});
export type TextMeasures = z.infer<typeof textMeasuresSchema>;

export const routedTextSchema = z.strictObject({
  ...axesSchema.shape,
  /**
   * N tokens as places of the text, UTF-16 units, end exclusive. They tile the text: where a character is made of several
   * tokens the first has it, and the others are empty places after it.
   */
  tokens: z.array(z.strictObject({ start: z.int(), end: z.int() })),
  /** [L, N, K] flat. */
  chosen: chosenSchema,
  /** [L, N, K] flat; 0 where nothing is chosen. */
  gates: gatesSchema,
  /** Negative log-likelihood of each token after those before it, nats [N]; null for the first. */
  surprise: z.array(z.number().nullable()),
  /** Text of the likeliest token after each one [N]; "" for the end of a text. */
  predicted: z.array(z.string()),
  /** Where they were asked for, of a Mixture-of-Experts and a text that is not empty. */
  measures: textMeasuresSchema.optional(),
});
export type RoutedText = z.infer<typeof routedTextSchema>;

/** One token of a continuation. */
export const sampledTokenSchema = z.strictObject({
  /** Of the continuation; it ends a character that began in earlier tokens, or is empty while one is unfinished. */
  text: z.string(),
  /** [L, K] flat. */
  chosen: chosenSchema,
  gates: gatesSchema,
  /** Nats, at temperature 1 and before any choice among the likeliest. */
  surprise: z.number(),
});
export type SampledToken = z.infer<typeof sampledTokenSchema>;

/** What a continuation begins with, and each token after that. */
export const sampleNewsSchema = z.union([axesSchema, sampledTokenSchema]);

export const progressSchema = z.strictObject({ done: z.number(), total: z.number() });
export type InspectionProgress = z.infer<typeof progressSchema>;

/**
 * A token that an expert gets more often than others do. Choices are K a layer and occurrence; of a layer where all experts
 * are computed, the one with the largest gate.
 */
export const particularTokenSchema = z.strictObject({
  text: z.string(),
  /** Share of its choices that are the expert: OLMoE's vocabulary specialisation (arXiv 2409.02060 §5.4) over K. */
  share: z.number(),
  /** The same of all tokens. */
  base: z.number(),
  /** Its choices that are the expert, and all its choices. */
  chosen: z.int(),
  choices: z.int(),
  /** How often it is in the text, or the likeliest token after another. */
  occurrences: z.int(),
  /** Where it goes to the expert; the token is between `before` and `after`. A predicted one is in the next one's place. */
  contexts: z.array(
    z.strictObject({ domain: z.string(), layer: z.int(), before: z.string(), token: z.string(), after: z.string() }),
  ),
});
export type ParticularToken = z.infer<typeof particularTokenSchema>;

/** How far an expert's block lies from another one, by layer [L]: its three weights as one vector. */
export const distanceSchema = z.strictObject({
  /** What the other one is, and its name: the stage "seed", or an expert of the same layer. */
  is: z.enum(["seed", "expert"]),
  to: z.string(),
  /** |a - b| / |b|, Frobenius norms. */
  relative: z.array(z.number()),
  cosine: z.array(z.number()),
});
export type WeightDistance = z.infer<typeof distanceSchema>;

export const expertFactsSchema = z.strictObject({
  layers: z.array(z.int()),
  /** Parameters of the expert in all layers. */
  parameters: z.int(),
  /** To the seed, where its blocks can be compared, then to each other expert in the order of the model. */
  distances: z.array(distanceSchema),
  /**
   * By the token that goes to the expert, and by the token that is the likeliest after it. First those whose share is the
   * least likely by chance: by the log-likelihood ratio 2 (n ln(s / b) + (N - n) ln((1 - s) / (1 - b))) of n of N choices,
   * s the share and b the base (Dunning 1993).
   */
  input: z.array(particularTokenSchema),
  predicted: z.array(particularTokenSchema),
  /** Held-out tokens that were looked at. */
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
  /** [L, domains + 1]: mean share of a token's K experts that are the same in both models; the last of all domains. */
  saturation: z.array(z.array(z.number())),
});
export type Saturation = z.infer<typeof saturationSchema>;

const model = stageReferenceSchema;

/** Each inspection: what it takes, what it tells while it works, what it gives. */
export const inspections = {
  /**
   * Where each token of a text goes. A text longer than the model's context is cut into windows that overlap by half, and
   * of each but the first only the second half counts: every token is given at least half a context, as far as there is one.
   */
  route: {
    params: z.strictObject({
      model,
      text: z.string().max(mostCharacters),
      /** Asks for the measures of the text as a whole, too. */
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
      prompt: z.string().max(mostCharacters),
      tokens: z.int().min(1).max(mostTokens),
      /** 0 always takes the likeliest token. */
      temperature: z.number().min(0).max(100),
      /** Samples from the likeliest tokens that together have this probability; 1: from all. */
      topP: z.number().min(0).max(1),
      randomSeed: z.int().min(0),
      ...changesSchema,
    }),
    news: sampleNewsSchema,
    /** Why it ended: the text's end, the number of tokens asked for, or the model's context. */
    result: z.strictObject({ ended: z.enum(["text", "tokens", "context"]) }),
  },
  /** Held-out losses with an expert, and with it switched off, in one layer or, without `layer`, in all. */
  without: {
    params: z.strictObject({ model, expert: expertSchema, layer: layerSchema.optional() }),
    news: progressSchema,
    result: withoutSchema,
  },
  /** What an expert is like, in one layer or, without `layer`, in all: its weights, and which tokens go to it. */
  expert: {
    params: z.strictObject({ model, expert: expertSchema, layer: layerSchema.optional() }),
    news: progressSchema,
    result: expertFactsSchema,
  },
  /**
   * Router saturation of `other` against `model` on the held-out windows of `model`'s evaluation: OLMoE (arXiv 2409.02060)
   * §5.1, mean over tokens of |experts of other and of model| / K. Of one stage's beginning and end: its parent and itself.
   */
  saturation: {
    params: z.strictObject({ model, other: model }),
    news: progressSchema,
    result: saturationSchema,
  },
};
type Inspections = typeof inspections;
export type Inspection = keyof Inspections;
export type Inspected<I extends Inspection> = z.infer<Inspections[I]["params"]>;
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
  /** `mendable`: the message is a sentence for its user, else the trace of an error. */
  z.strictObject({ type: z.literal("failed"), id: z.int(), message: z.string(), mendable: z.boolean() }),
]);
export type FromInspector = z.infer<typeof fromInspectorSchema>;
