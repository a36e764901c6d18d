import * as z from "zod";
import { notes } from "./notes.ts";

/** Default sizes; the others follow from them. */
export const modelDefaults = {
  layers: 4,
  hidden: 128,
  heads: 4,
  context: 128,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tiedEmbeddings: false,
  attentionBias: false,
  ffnBias: false,
} as const;

/** Feed-forward width of Llama: 8/3 of `hidden`, rounded up to a multiple of 32. */
export const defaultFfn = (hidden: number): number => Math.ceil((8 * hidden) / 3 / 32) * 32;

const size = (note: Parameters<typeof notes>[0]) => z.int().min(1).optional().meta(notes(note));

export const modelSchema = z
  .strictObject({
    layers: z
      .int()
      .min(1)
      .max(1024)
      .optional()
      .meta(notes({ description: "Transformer layers (L).", paper: "32", default: modelDefaults.layers })),
    hidden: size({
      description: "Width of the residual stream (D).",
      paper: "4096",
      default: modelDefaults.hidden,
    }),
    heads: size({ description: "Attention heads (H).", paper: "32", default: modelDefaults.heads }),
    kvHeads: size({
      description: "Heads of keys and values; must divide `heads`. Fewer than `heads` means grouped-query attention.",
      paper: "32",
      defaultText: "`heads`",
    }),
    headSize: z
      .int()
      .min(2)
      .optional()
      .meta(
        notes({
          description: "Width of one head. Must be even, because rotary embeddings rotate pairs.",
          paper: "128",
          defaultText: "`hidden` / `heads`",
        }),
      ),
    ffn: size({
      description: "Width of the feed-forward block (F).",
      paper: "11008",
      defaultText: "8/3 of `hidden`, rounded up to a multiple of 32",
    }),
    context: size({
      description: "Longest sequence (T); training text is packed to this length.",
      unit: "tokens",
      paper: "4096",
      default: modelDefaults.context,
    }),
    ropeTheta: z
      .number()
      .positive()
      .optional()
      .meta(
        notes({
          description: "Base of the rotary embedding's wavelengths.",
          paper: "10000",
          default: modelDefaults.ropeTheta,
        }),
      ),
    normEps: z
      .number()
      .positive()
      .optional()
      .meta(
        notes({ description: "Added to the mean square in RMSNorm.", paper: "1e-5", default: modelDefaults.normEps }),
      ),
    tiedEmbeddings: z
      .boolean()
      .optional()
      .meta(
        notes({
          description: "Whether the head uses the embedding's weights.",
          paper: "false",
          default: modelDefaults.tiedEmbeddings,
        }),
      ),
    attentionBias: z
      .boolean()
      .optional()
      .meta(
        notes({
          description: "Whether the attention projections have biases.",
          paper: "false",
          default: modelDefaults.attentionBias,
        }),
      ),
    ffnBias: z
      .boolean()
      .optional()
      .meta(
        notes({
          description: "Whether the feed-forward projections have biases.",
          paper: "false",
          default: modelDefaults.ffnBias,
        }),
      ),
    moeLayers: z
      .array(z.int().min(0))
      .min(1)
      .optional()
      .meta(
        notes({
          description:
            "Layers, counted from 0, whose feed-forward blocks become a Mixture-of-Experts when the experts are mixed. The feed-forward blocks of other layers are averaged.",
          paper: "all layers",
          defaultText: "all layers",
          expects: "a list of layer numbers, counted from 0, such as [1, 3]",
        }),
      ),
  })
  .prefault({})
  .meta(
    notes({
      description:
        "Sizes of the model: a decoder in the style of Llama. The paper's values are those of its seed, Llama-2 7B. With `seed.from` the sizes come from the checkpoint, and sizes given here must agree with it; only `context` may be shorter.",
    }),
  );

export const tokenizerSchema = z
  .strictObject({
    type: z
      .enum(["bytes", "bpe", "file"])
      .optional()
      .meta(
        notes({
          description:
            "`bytes`: a token is a byte. `bpe`: byte-level byte-pair encoding trained on the experiment's own text. `file`: an existing Hugging Face `tokenizer.json`.",
          paper: "the tokenizer of Llama-2",
          defaultText: "`bpe`; with `seed.from`, the checkpoint's own tokenizer",
        }),
      ),
    vocab: z
      .int()
      .min(257)
      .max(1_000_000)
      .optional()
      .meta(
        notes({
          description: "Size of the vocabulary of a `bpe` tokenizer: 256 bytes, the end-of-text token, and merges.",
          unit: "tokens",
          paper: "32000",
          default: 1024,
          expects: "a whole number from 257 (256 bytes and the end-of-text token) to 1000000",
        }),
      ),
    path: z
      .string()
      .min(1)
      .optional()
      .meta(
        notes({
          description:
            "For `file`: the `tokenizer.json`, or the folder that holds it. Relative to the experiment file.",
          defaultText: "none; required for `file`",
          expects: "the path of a tokenizer.json or of its folder",
        }),
      ),
  })
  .prefault({})
  .meta(notes({ description: "How text becomes tokens, the same for all models of the experiment." }));
