import { html, type TemplateResult } from "lit";
import { cellMeasures, type MeasureText, otherMeasures } from "../../server/protocol/measures.ts";

export const allMeasures: readonly MeasureText[] = [...Object.values(cellMeasures), ...Object.values(otherMeasures)];

/** A formula with its subscripts: "N_ED". */
export const formulaText = (formula: string): TemplateResult =>
  html`${formula.split(/_([A-Za-z]+)/).map((part, at) => (at % 2 === 1 ? html`<sub>${part}</sub>` : part))}`;

/** A collapsed list of measures with their formulas. */
export const measureHelp = (measures: readonly MeasureText[]): TemplateResult => html`<details class="help measures">
  <summary>Measures</summary>
  <p>
    In one layer. E: an expert, k: experts per token, N<sub>D</sub>: tokens of a domain, N<sub>ED</sub>: tokens of a domain that
    chose the expert, N<sub>E</sub>: tokens of all domains that chose it; sums are over tokens.
  </p>
  <dl>
    ${measures.map(({ label, formula, meaning }) => html`<div><dt>${label}</dt><dd><code>${formulaText(formula)}</code> ${meaning}</dd></div>`)}
  </dl>
</details>`;
