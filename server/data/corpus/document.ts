/** A document as it is read from a file. */
export interface Document {
  text: string;
  /** Where the last field begins (UTF-16 units), in a document made with a template of two fields or more. */
  promptEnd?: number;
  /** It is one of the pieces of a longer document. */
  piece?: true;
}
