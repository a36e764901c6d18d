import { UserError } from "../../protocol/errors.ts";
import { readBytes } from "./bytes.ts";
import type { Document } from "./document.ts";
import { jsonlDocuments } from "./jsonl.ts";
import { parquetDocuments } from "./parquet.ts";
import { cutText, LONGEST_DOCUMENT, textDocuments } from "./text.ts";

/**
 * Documents of a file, in order, none empty: one a line of `.jsonl` and `.ndjson`, one a row of `.parquet`, and any
 * other file is one document. Each may be packed as `.gz`. A document longer than 1 MiB is cut into several, at a line
 * end where there is one, so that memory stays bounded.
 *
 * @param text for `.jsonl` and `.parquet`: a field's name (default "text") or a template such as "{question}\n{answer}"
 * @throws UserError naming the file, and the line or row: an empty or binary file, invalid UTF-8 (with the byte),
 *   a broken line, a missing field, a file that is not the gzip or Parquet it is named.
 */
export async function* readDocuments(file: string, text?: string): AsyncGenerator<string> {
  for await (const document of fileDocuments(file, text)) yield document.text;
}

/** What readDocuments gives, and of each document where its prompt ends and whether it is a piece. */
export async function* fileDocuments(file: string, text?: string): AsyncGenerator<Document> {
  let documents = 0;
  for await (const document of wholeDocuments(file, text)) {
    const whole = document.text.length <= LONGEST_DOCUMENT;
    for (const piece of cutText(document.text, LONGEST_DOCUMENT)) {
      documents++;
      yield whole ? document : { text: piece, piece: true };
    }
  }
  if (documents === 0) throw new UserError(`${file} contains no text: remove it, or check \`text\``);
}

function wholeDocuments(file: string, text?: string): AsyncIterable<Document> {
  const name = file.replace(/\.gz$/i, "");
  if (/\.(jsonl|ndjson)$/i.test(name)) return jsonlDocuments(file, readBytes(file), text);
  if (/\.parquet$/i.test(name)) return parquetDocuments(file, text);
  return textFile(textDocuments(file, readBytes(file)));
}

/** A text file's one document, or its pieces. */
async function* textFile(texts: AsyncIterable<string>): AsyncGenerator<Document> {
  let last: Document | undefined;
  for await (const text of texts) {
    if (last) yield { text: last.text, piece: true };
    last = last ? { text, piece: true } : { text };
  }
  if (last) yield last;
}
