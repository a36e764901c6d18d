import "@vscode-elements/elements/dist/vscode-button/index.js";
import "@vscode-elements/elements/dist/vscode-option/index.js";
import "@vscode-elements/elements/dist/vscode-single-select/index.js";
import { html, type TemplateResult } from "lit";
import type { FigureKind } from "./saveFigure.ts";

/** Controls in the toolbars of pages. */

/** A drop-down list. @param kind a CSS class. */
export function selectBox<K extends string>(
  label: string,
  options: readonly (readonly [value: K, text: string])[],
  value: K,
  choose: (value: K) => void,
  kind = "",
): TemplateResult {
  const chosen = (event: Event) => {
    const one = (event.currentTarget as unknown as { value: K }).value;
    if (one !== value) choose(one);
  };
  return html`<span class="group">
    <span class="caption" aria-hidden="true">${label}</span>
    <vscode-single-select class=${kind} label=${label} .value=${value} @change=${chosen}>
      ${options.map(
        ([one, text]) => html`<vscode-option value=${one} ?selected=${one === value}>${text}</vscode-option>`,
      )}
    </vscode-single-select>
  </span>`;
}

/** Radio buttons: Tab reaches the chosen one, arrow keys choose another. @param name for screen readers. */
export function radioButtons<K extends string>(
  caption: string,
  texts: Readonly<Record<K, string>>,
  value: K,
  choose: (value: K) => void,
  name = caption,
): TemplateResult {
  const names = Object.keys(texts) as K[];
  const keyed = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = names[(names.indexOf(value) + by + names.length) % names.length]!;
    choose(next);
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-choice="${next}"]`)?.focus();
  };
  return html`<span class="group modes" role="radiogroup" aria-label=${name} @keydown=${keyed}>
    <span class="caption" aria-hidden="true">${caption}</span>
    ${names.map(
      (one) =>
        html`<button
          type="button"
          role="radio"
          data-choice=${one}
          aria-checked=${String(value === one)}
          tabindex=${value === one ? 0 : -1}
          @click=${() => choose(one)}
        >
          ${texts[one]}
        </button>`,
    )}
  </span>`;
}

/** Buttons for the table of values and for the list of runs. @param shown whether the table is shown. */
export const tableAndRuns = (shown: boolean, toggle: () => void, chooseRuns: () => void): TemplateResult =>
  html`<vscode-button secondary aria-pressed=${String(shown)} @click=${toggle}>Table</vscode-button>
    <vscode-button secondary @click=${chooseRuns}>Runs…</vscode-button>`;

export const exportButtons = (save: (kind: FigureKind) => void): TemplateResult =>
  html`<span class="group" role="group" aria-label="Export">
    <span class="caption" aria-hidden="true">Export</span>
    ${(["png", "svg", "csv"] as const).map(
      (kind) =>
        html`<vscode-button secondary aria-label="Export ${kind.toUpperCase()}" @click=${() => save(kind)}
          >${kind.toUpperCase()}</vscode-button
        >`,
    )}
  </span>`;
