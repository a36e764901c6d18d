import { html, type TemplateResult } from "lit";
import { cellMeasures, type MeasureText, otherMeasures } from "../../server/protocol/measures.ts";

export const allMeasures: readonly MeasureText[] = [...Object.values(cellMeasures), ...Object.values(otherMeasures)];

/** Measures with their formulas, to be unfolded. */
export const measureHelp = (measures: readonly MeasureText[]): TemplateResult => html`<details class="help measures">
  <summary>Measures</summary>
  <p>
    Of one layer. E: an expert, k: experts a token goes to, N<sub>D</sub>: tokens of a domain, N<sub>ED</sub>: those of them that
    chose the expert, N<sub>E</sub>: those of all domains; sums are over tokens.
  </p>
  <dl>
    ${measures.map(({ label, formula, meaning }) => html`<div><dt>${label}</dt><dd><code>${formula}</code> ${meaning}</dd></div>`)}
  </dl>
</details>`;
