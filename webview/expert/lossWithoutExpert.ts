import { html, type TemplateResult } from "lit";
import type { Without } from "../../server/protocol/inspect.ts";
import type { Answer } from "../answer.ts";
import { count } from "../components/format.ts";
import { placeholder } from "../components/placeholder.ts";

/** The held-out loss with an expert switched off: its tokens are routed to the others. */

const signed = (value: number): string => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(4)}`;

export function lossWithoutSection(
  without: Answer<Without>,
  layers: Answer<Without[]>,
  numbers: readonly number[],
  where: string,
  actions: { measure(): void; byLayer(): void },
): TemplateResult {
  const { value } = without;
  const each = layers.value;
  return html`<section>
    <h2>Without it <span class="soft">held-out loss, nats per token, with this expert switched off, ${where}</span></h2>
    <p class="group">
      <button type="button" ?disabled=${without.isPending} @click=${actions.measure}>Measure without this expert</button>
      <button type="button" ?disabled=${layers.isPending} @click=${actions.byLayer}>Measure layer by layer</button>
    </p>
    ${placeholder(without, "Measuring losses without it", true)}
    ${
      value
        ? html`<table class="values without">
            <thead><tr><th scope="col">Domain</th><th scope="col" class="number">With</th><th scope="col" class="number">Without</th>
              <th scope="col" class="number">Difference</th><th scope="col" class="number">Tokens</th></tr></thead>
            <tbody>
              ${value.domains.map(
                ({ domain, with: loss, without: other, tokens }) =>
                  html`<tr><th scope="row">${domain}</th><td class="number">${loss.toFixed(4)}</td><td class="number">${other.toFixed(4)}</td>
                    <td class="number">${signed(other - loss)} <span class="soft">${signed((100 * (other - loss)) / loss).replace(/\d\d$/, "")} %</span></td>
                    <td class="number">${count(tokens)}</td></tr>`,
              )}
            </tbody>
          </table>`
        : ""
    }
    ${placeholder(layers, "Measuring losses without it, layer by layer", true)}
    ${
      each?.[0]
        ? html`<div class="scroll" tabindex="0" role="group" aria-label="Differences by layer"><table class="values without-layers">
            <caption>Difference when it is switched off in one layer <span class="soft">nats per token</span></caption>
            <thead><tr><th scope="col">Domain</th>${each.map((_, at) => html`<th scope="col" class="number">layer ${numbers[at]}</th>`)}</tr></thead>
            <tbody>
              ${each[0].domains.map(
                ({ domain }, row) =>
                  html`<tr><th scope="row">${domain}</th>
                    ${each.map(({ domains }) => html`<td class="number">${signed(domains[row]!.without - domains[row]!.with)}</td>`)}</tr>`,
              )}
            </tbody>
          </table></div>`
        : ""
    }
  </section>`;
}
