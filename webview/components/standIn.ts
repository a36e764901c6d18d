import { html, type TemplateResult } from "lit";
import type { Answer } from "../answer.ts";

/** Placeholder for a missing answer: its progress, or why it is missing. @param what the subject. */
export function standIn(answer: Answer<unknown>, what: string, cancels = false): TemplateResult | "" {
  const forget = () => answer.forget();
  if (answer.problem)
    return html`<p class="notice trouble" role="alert">${answer.problem}
      <button type="button" @click=${forget}>Ask again</button></p>`;
  if (!answer.waits) return "";
  const { done = 0, total = 0 } = answer.progress ?? {};
  return html`<p class="notice" role="status">${what}
    <progress aria-label=${what} max=${total || 1} value=${done}></progress>
    ${cancels ? html`<button type="button" @click=${forget}>Cancel</button>` : ""}</p>`;
}
