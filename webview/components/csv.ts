import { type CsvCell, csvRow } from "../../server/protocol/csv.ts";

/** Rows as CSV in UTF-8. */
export const csvBytes = (rows: readonly (readonly CsvCell[])[]): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(rows.map(csvRow).join(""));

/** A file name that is valid on every system. */
export const fileName = (text: string, kind: string): string =>
  `${text.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")}.${kind}`;
