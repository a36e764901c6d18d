import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { globSync } from "tinyglobby";
import { Tokenizer as NativeTokenizer } from "tokenizers";
import { describe, expect, test } from "vitest";
import { byteLevelFiles, END_OF_TEXT, type TokenizerFiles } from "../../../../server/data/tokenizers/build.ts";
import { ByteLevelTokenizer } from "../../../../server/data/tokenizers/byteLevelBpe.ts";
import { ForeignTokenizer } from "../../../../server/data/tokenizers/foreign.ts";
import { loadTokenizer, tokenizerOf } from "../../../../server/data/tokenizers/load.ts";
import { trainBpe } from "../../../../server/data/tokenizers/trainBpe.ts";
import { WordCounts } from "../../../../server/data/tokenizers/wordCounts.ts";
import { UserError } from "../../../../server/protocol/errors.ts";
import { folderWith, prose, seeded } from "../support.ts";

const realText = globSync("node_modules/*/README.md", { absolute: true })
  .sort()
  .slice(0, 12)
  .map((file) => readFileSync(file, "utf8"));

async function trained(texts: string[], merges: number): Promise<TokenizerFiles> {
  const words = new WordCounts();
  for (const text of texts) words.add(text);
  return byteLevelFiles(await trainBpe(words.counts, merges));
}

const inFolder = (files: { tokenizer: string; config?: string | undefined }) =>
  folderWith({
    "tokenizer.json": files.tokenizer,
    ...(files.config === undefined ? {} : { "tokenizer_config.json": files.config }),
  });

describe("the bytes tokenizer", () => {
  test("has 257 ids, one a byte, and gives any text back", async () => {
    const tokenizer = await loadTokenizer(inFolder(byteLevelFiles([])));
    expect(tokenizer.vocab).toBe(257);
    expect(tokenizer.endOfText).toBe(256);
    const text = `é日𝒳 \u0000\t\r\n${END_OF_TEXT}`;
    const ids = tokenizer.encode(text);
    expect(ids.length).toBe(Buffer.byteLength(text));
    expect(ids).not.toContain(256);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(Array.from({ length: 257 }, (_, id) => tokenizer.byteLength(id))).toEqual([...Array(256).fill(1), 0]);
    expect(tokenizer.encode("")).toEqual(new Int32Array());
  });
});

describe("a trained tokenizer", () => {
  test("gives the ids of @huggingface/tokenizers and of the native package, and the text back", async () => {
    const files = await trained(realText, 1500);
    const folder = inFolder(files);
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer).toBeInstanceOf(ByteLevelTokenizer);
    expect(tokenizer.vocab).toBe(1757);
    expect(tokenizer.endOfText).toBe(1756);
    const reference = new HuggingFaceTokenizer(JSON.parse(files.tokenizer), JSON.parse(files.config));
    const native = NativeTokenizer.fromFile(join(folder, "tokenizer.json"));
    expect(native.tokenToId(END_OF_TEXT)).toBe(1756);
    expect(native.getVocabSize()).toBe(1757);
    // Pairs can be read from tokenizers 0.20 (Transformers 4.45) on, text by all versions.
    for (const merge of JSON.parse(files.tokenizer).model.merges) expect(merge).toMatch(/^[^ ]+ [^ ]+$/);
    const texts = [...realText, prose(5, 3000), `${"-".repeat(3000)}| ${"abc".repeat(500)}`, "  \n\n   x \t\n"];
    for (const text of texts) {
      const ids = Array.from(tokenizer.encode(text));
      expect(ids).toEqual(reference.encode(text).ids);
      expect(ids).toEqual((await native.encode(text)).getIds());
      expect(tokenizer.decode(ids)).toBe(text);
      expect(ids.reduce((sum, id) => sum + tokenizer.byteLength(id), 0)).toBe(Buffer.byteLength(text));
    }
  });

  test("reads the name of its special token in a text as plain text, and decodes the token as nothing", async () => {
    const tokenizer = tokenizerOf(await trained([`a ${END_OF_TEXT} `.repeat(50)], 40), "tokenizer.json");
    const ids = tokenizer.encode(`a ${END_OF_TEXT} b`);
    expect(ids).not.toContain(tokenizer.endOfText);
    expect(tokenizer.decode(ids)).toBe(`a ${END_OF_TEXT} b`);
    expect(tokenizer.decode([...ids, tokenizer.endOfText])).toBe(`a ${END_OF_TEXT} b`);
    expect(tokenizer.byteLength(tokenizer.endOfText)).toBe(0);
  });

  test("encodes a word of 200,000 letters, and lone surrogates as U+FFFD", async () => {
    const tokenizer = tokenizerOf(await trained(["acgt ggca tacg ".repeat(20)], 30), "tokenizer.json");
    const random = seeded(1);
    const word = Array.from({ length: 200_000 }, () => "acgt"[Math.floor(random() * 4)]).join("");
    expect(tokenizer.decode(tokenizer.encode(word))).toBe(word);
    expect(tokenizer.decode(tokenizer.encode("a\ud800b"))).toBe("a\ufffdb");
  });

  test("gives half a character as U+FFFD, not as an error", async () => {
    const tokenizer = tokenizerOf(byteLevelFiles([]), "tokenizer.json");
    expect(tokenizer.decode(tokenizer.encode("é").subarray(0, 1))).toBe("\ufffd");
  });
});

describe("an existing tokenizer.json", () => {
  test("of Llama 3's kind goes through the fast encoder with the same ids", async () => {
    const files = await trained(realText, 800);
    const json = JSON.parse(files.tokenizer);
    const words =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
    json.pre_tokenizer = {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: { Regex: `${words}|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+` },
          behavior: "Isolated",
          invert: false,
        },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    };
    json.model.ignore_merges = true;
    const folder = inFolder({ tokenizer: JSON.stringify(json), config: '{"eos_token":{"content":"<|endoftext|>"}}' });
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer).toBeInstanceOf(ByteLevelTokenizer);
    const native = NativeTokenizer.fromFile(join(folder, "tokenizer.json"));
    for (const text of [...realText.slice(0, 8), "I'LL DON'T 12345 x"]) {
      expect(Array.from(tokenizer.encode(text))).toEqual((await native.encode(text)).getIds());
    }
  });

  const foreign = () => {
    const vocab = {
      "<unk>": 0,
      "</s>": 1,
      "▁": 2,
      a: 3,
      b: 4,
      "▁a": 5,
      "▁ab": 6,
      "<0xC3>": 7,
      "<0xA9>": 8,
      "<": 9,
      "/": 10,
      s: 11,
      ">": 12,
    };
    return {
      version: "1.0",
      added_tokens: [
        { id: 0, content: "<unk>", special: true },
        { id: 1, content: "</s>", special: true },
      ],
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "▁" },
          { type: "Replace", pattern: { String: " " }, content: "▁" },
        ],
      },
      pre_tokenizer: null,
      post_processor: null,
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 },
        ],
      },
      model: {
        type: "BPE",
        unk_token: "<unk>",
        byte_fallback: true,
        fuse_unk: true,
        vocab,
        merges: [
          ["▁", "a"],
          ["▁a", "b"],
        ],
      },
    };
  };

  test("of Llama 2's kind goes through @huggingface/tokenizers, and a special name stays text", async () => {
    const tokenizer = await loadTokenizer(inFolder({ tokenizer: JSON.stringify(foreign()) }));
    expect(tokenizer).toBeInstanceOf(ForeignTokenizer);
    expect(tokenizer.endOfText).toBe(1);
    expect(tokenizer.vocab).toBe(13);
    expect(Array.from(tokenizer.encode("ab é a"))).toEqual([6, 2, 7, 8, 5]);
    expect(tokenizer.decode([6, 2, 7, 8, 5, 1])).toBe("ab é a");
    expect([6, 7, 1].map((id) => tokenizer.byteLength(id))).toEqual([3, 1, 0]);
    expect(tokenizer.encode("a</s>b")).not.toContain(1);
    expect(tokenizer.decode(tokenizer.encode("a</s>b"))).toBe("a</s>b");
  });

  test("with plain added tokens, which are found in text, does not go through the fast encoder", async () => {
    const files = byteLevelFiles([]);
    const json = JSON.parse(files.tokenizer);
    json.added_tokens.push({
      id: 257,
      content: "    ",
      special: false,
      normalized: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
    });
    const tokenizer = tokenizerOf({ tokenizer: JSON.stringify(json), config: files.config }, "tokenizer.json");
    expect(tokenizer).toBeInstanceOf(ForeignTokenizer);
    expect(tokenizer.encode("x    y")).toContain(257);
    expect(tokenizer.byteLength(257)).toBe(4);
  });

  test("without an end-of-text token, or that is no tokenizer, is refused in a sentence", async () => {
    const load = (tokenizer: string, config?: string) => loadTokenizer(inFolder({ tokenizer, config }));
    const json = foreign();
    const nameless = JSON.stringify({
      ...json,
      added_tokens: [],
      model: { ...json.model, vocab: { a: 0, b: 1 }, merges: [] },
    });
    await expect(load(nameless)).rejects.toThrow('has no end-of-text token: name it as "eos_token"');
    await expect(load(JSON.stringify(json), '{"eos_token":"<eos>"}')).rejects.toThrow('the eos_token "<eos>"');
    await expect(load("{")).rejects.toThrow("is not a Hugging Face tokenizer");
    await expect(load("[]")).rejects.toThrow("is not a Hugging Face tokenizer");
    await expect(load("{}")).rejects.toThrow("it has no `model`");
    await expect(load('{"model":{"type":"BPE","vocab":{"a":-1}}}')).rejects.toThrow("not a whole number");
    await expect(load('{"model":{"type":"BPE","vocab":{"a":1e15}}}')).rejects.toThrow("not a whole number");
    await expect(load('{"model":{"type":"Nonsense","vocab":{"</s>":0}}}')).rejects.toThrow(UserError);
    await expect(loadTokenizer(folderWith())).rejects.toThrow("tokenizer.json does not exist");
  });
});
