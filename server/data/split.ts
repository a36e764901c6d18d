import { hash } from "node:crypto";
import { UserError } from "../protocol/errors.ts";
import type { DomainSpec } from "../protocol/stage.ts";
import type { Document } from "./corpus/document.ts";
import { fileDocuments } from "./corpus/documents.ts";
import { cutText } from "./corpus/text.ts";

/**
 * Which documents are held out. A document's place is a hash of its text, uniform over [0, PLACES); it is held out if
 * its place is below `heldOut` * PLACES. So a document never moves, whatever is added or removed around it, and exact
 * duplicates fall on the same side, in all domains alike.
 *
 * Two exceptions for small domains:
 * - with fewer than 50 documents, documents longer than 4 KiB (UTF-16 units) are cut at paragraph or line ends into
 *   pieces of at most 4 KiB, and the pieces are the documents; not where answers are declared, whose documents are
 *   whole;
 * - if one side would still be empty, the boundary moves just far enough that the document with the smallest place is
 *   held out, or the one with the largest is trained on.
 */
export interface Split {
  /** Places below this one are held out. */
  boundary: number;
  /** Whether documents are cut to at most 4 KiB. */
  cut: boolean;
  documents: number;
  /** UTF-8 bytes of all documents. */
  bytes: number;
}

export type SplitName = "train" | "heldout";

/** Where a document falls, and an independent number in [0, 1) by which it may be sampled. */
export interface Place {
  place: number;
  sample: number;
}

const PLACES = 2 ** 48;
const FEW_DOCUMENTS = 50;
const PIECE = 4096;

export function placeOf(document: string): Place {
  const digest = hash("sha256", document, "buffer");
  return { place: digest.readUIntLE(0, 6), sample: digest.readUIntLE(6, 6) / PLACES };
}

export const splitOf = (place: number, split: Split): SplitName => (place < split.boundary ? "heldout" : "train");

/** Documents of a domain, in order, cut if the split says so. */
export async function* domainDocuments(domain: DomainSpec, cut: boolean): AsyncGenerator<Document> {
  for (const file of domain.files) {
    for await (const document of fileDocuments(file, domain.text)) {
      if (!cut) yield document;
      else for (const text of cutText(document.text, PIECE)) yield { text };
    }
  }
}

/**
 * Reads a domain once (twice if it has few documents) to decide its split.
 *
 * @param heldOut share of documents to hold out, in (0, 1)
 * @param visit awaited for each document, with its UTF-8 bytes
 * @throws UserError if the domain has fewer than two different documents
 */
export async function surveySplit(
  name: string,
  domain: DomainSpec,
  heldOut: number,
  visit: (bytes: number) => Promise<void> = async () => {},
): Promise<Split> {
  const cut = domain.answerAfter === undefined && !(await hasAtLeast(FEW_DOCUMENTS, domainDocuments(domain, false)));
  let documents = 0;
  let bytes = 0;
  let smallest = Infinity;
  let largest = -1;
  for await (const { text } of domainDocuments(domain, cut)) {
    const { place } = placeOf(text);
    const length = Buffer.byteLength(text);
    documents++;
    bytes += length;
    smallest = Math.min(smallest, place);
    largest = Math.max(largest, place);
    await visit(length);
  }
  if (smallest >= largest) {
    throw new UserError(
      `the domain "${name}" has only one document (${bytes} bytes): add a second one, because one is trained on and one is held out`,
    );
  }
  const boundary = Math.min(Math.max(Math.ceil(heldOut * PLACES), smallest + 1), largest);
  return { boundary, cut, documents, bytes };
}

async function hasAtLeast(count: number, documents: AsyncIterable<unknown>): Promise<boolean> {
  let seen = 0;
  for await (const _ of documents) if (++seen >= count) return true;
  return false;
}
