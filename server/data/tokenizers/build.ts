import { BYTE_TO_CHARACTER, BYTES_BY_CHARACTER } from "./byteAlphabet.ts";

/** Name of the special token that ends a document, as in GPT-2. */
export const END_OF_TEXT = "<|endoftext|>";

/** A tokenizer as the two files of a Hugging Face folder. */
export interface TokenizerFiles {
  /** Text of `tokenizer.json`. */
  tokenizer: string;
  /** Text of `tokenizer_config.json`. */
  config: string;
}

/**
 * A byte-level tokenizer in Hugging Face's layout. Ids: the 256 bytes by their characters' code points (0 to 255), the
 * merged tokens in order, and last the end-of-text token. Without merges it is the `bytes` tokenizer.
 */
export function byteLevelFiles(merges: readonly (readonly [string, string])[]): TokenizerFiles {
  const vocab: Record<string, number> = Object.create(null);
  let size = 0;
  for (const byte of BYTES_BY_CHARACTER) vocab[BYTE_TO_CHARACTER[byte]!] = size++;
  for (const [left, right] of merges) vocab[left + right] ??= size++;
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: size,
        content: END_OF_TEXT,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      // As text, which all versions of Hugging Face's tokenizers read: pairs only those from 0.20 on.
      merges: merges.map(([left, right]) => `${left} ${right}`),
    },
  };
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    eos_token: END_OF_TEXT,
    clean_up_tokenization_spaces: false,
  };
  return { tokenizer: `${JSON.stringify(tokenizer)}\n`, config: `${JSON.stringify(config, null, 2)}\n` };
}
