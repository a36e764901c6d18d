import { escapeHtml } from "../protocol/escapeHtml.ts";

/**
 * Trusted markup. The tag `html` escapes all values except markup; control and direction characters become "\ufffd".
 */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Html | string | number | false | undefined | readonly Content[];

/** Characters that HTML does not allow, and characters that reorder or hide the text around them. */
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Cs}]|(?!\u200d)\p{Cf}/gu;

function markup(content: Content): string {
  if (content === undefined || content === false) return "";
  if (content instanceof Html) return content.text;
  if (typeof content === "object") return content.map(markup).join("");
  return escapeHtml(String(content).replace(UNSAFE, "\ufffd"));
}

/** Markup with escaped values: html`<td>${name}</td>`. Attribute values must be quoted. */
export function html(parts: TemplateStringsArray, ...values: Content[]): Html {
  return new Html(parts.reduce((text, part, index) => text + markup(values[index - 1]) + part));
}
