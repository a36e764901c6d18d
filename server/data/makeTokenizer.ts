import type { DataSpec, DomainSpec } from "../protocol/stage.ts";
import { domainDocuments, placeOf, type Split, splitOf } from "./split.ts";
import { byteLevelFiles, type TokenizerFiles } from "./tokenizers/build.ts";
import { readTokenizerFiles } from "./tokenizers/load.ts";
import { trainBpe } from "./tokenizers/trainBpe.ts";
import { WordCounts } from "./tokenizers/wordCounts.ts";

/** Most text that a tokenizer is trained on, UTF-8 bytes. Only its words and their counts are held in memory. */
const SAMPLE = 32 << 20;

/** Ids of a trained vocabulary that no merge makes: 256 bytes and end-of-text. */
const WITHOUT_MERGES = 257;

/**
 * The experiment's tokenizer: `bytes`, `bpe` trained on the documents to train on, or the files at a path as they are.
 *
 * BPE sees at most 32 MiB of text, each domain at most its equal share: of a longer domain every document is taken with
 * the same probability, by a hash of its content, so that the sample is spread evenly and always the same. Where text
 * is short the vocabulary may come out smaller than asked.
 *
 * @param visit awaited for each document read, with its UTF-8 bytes
 * @param pause awaited often while merges are sought
 */
export async function makeTokenizer(
  spec: DataSpec["tokenizer"],
  domains: { domain: DomainSpec; split: Split }[],
  visit: (bytes: number) => Promise<void>,
  pause: () => Promise<void>,
): Promise<TokenizerFiles> {
  if (spec.type === "file") return readTokenizerFiles(spec.path);
  if (spec.type === "bytes") return byteLevelFiles([]);
  const words = new WordCounts();
  for (const { domain, split } of domains) {
    const share = SAMPLE / domains.length / split.bytes;
    for await (const { text } of domainDocuments(domain, split.cut)) {
      const { place, sample } = placeOf(text);
      if (splitOf(place, split) === "train" && sample < share) words.add(text);
      await visit(Buffer.byteLength(text));
    }
  }
  return byteLevelFiles(await trainBpe(words.counts, spec.vocab - WITHOUT_MERGES, pause));
}
