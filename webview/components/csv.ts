/** A cell of text; one that a spreadsheet would take for a formula begins with an apostrophe. */
const quoted = (value: string | number): string => {
  const text = typeof value === "number" ? String(value) : /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Rows as CSV, for `Host.save`. */
export const csvBytes = (rows: readonly (readonly (string | number)[])[]): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(rows.map((row) => `${row.map(quoted).join(",")}\r\n`).join(""));

/** A name of a file that no system objects to. */
export const fileName = (text: string, kind: string): string =>
  `${text.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")}.${kind}`;
