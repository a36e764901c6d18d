import { html, type TemplateResult } from "lit";
import type { Answer } from "../answer.ts";

/** Shown in place of a missing answer: its progress, or why it is missing. @param what is being done. */
export function placeholder(answer: Answer<unknown>, what: string, cancels = false): TemplateResult | "" {
  const clear = () => answer.clear();
  if (answer.problem)
    return html`<p class="notice trouble" role="alert">${answer.problem}
      <button type="button" @click=${clear}>Ask again</button></p>`;
  if (!answer.isPending) return "";
  const { done = 0, total = 0 } = answer.progress ?? {};
  return html`<p class="notice" role="status">${what}
    <progress aria-label=${what} max=${total || 1} value=${done}></progress>
    ${cancels ? html`<button type="button" @click=${clear}>Cancel</button>` : ""}</p>`;
}
