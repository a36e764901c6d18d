import { html, svg, type TemplateResult } from "lit";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { expertClass, expertFill } from "../components/experts.ts";
import { count, percent } from "../components/format.ts";

/** The share of each domain that an expert gets, over training. */

const [wide, tall, room] = [560, 150, { left: 44, right: 8, top: 6, bottom: 20 }] as const;

/** Dash patterns of the lines, by domain. */
const dashes = ["", "6 3", "2 3", "8 3 2 3", "1 4"];

/** An expert's share of each domain, mean over layers, [domains][points]. */
export interface DomainUse {
  steps: readonly number[];
  shares: number[][];
}

/**
 * @param loads shares of tokens over training, [points, experts], for each domain and layer, [domains][layers].
 */
export function domainUseOf(
  loads: readonly (readonly { steps: readonly number[]; values: Float32Array }[])[],
  expert: number,
  experts: number,
): DomainUse {
  const { steps } = loads[0]![0]!;
  const shares = loads.map((layers) =>
    steps.map(
      (_, point) => layers.reduce((sum, { values }) => sum + values[point * experts + expert]!, 0) / layers.length,
    ),
  );
  return { steps, shares };
}

export function domainUseSection(use: DomainUse | undefined, model: RoutedModel, where: string): TemplateResult | "" {
  if (!use || use.steps.length === 0) return "";
  const { steps, shares } = use;
  const most = Math.max(0.01, ...shares.flat());
  const x = (point: number) =>
    room.left + (steps.length < 2 ? 0 : (point / (steps.length - 1)) * (wide - room.left - room.right));
  const y = (share: number) => room.top + (1 - share / most) * (tall - room.top - room.bottom);
  // A domain has the colour of the expert of its name, as on the other pages.
  const own = (domain: number) => {
    const at = model.experts.findIndex(({ name }) => name === model.domains[domain]!.name);
    return at >= 0 ? at : domain;
  };
  const uniform = 1 / model.experts.length;
  return html`<figure>
    <figcaption>Use by domain over training <span class="soft">routed share, ${where}</span></figcaption>
    <div class="scroll"><svg class="use" width=${wide} height=${tall} role="img" aria-label="Routed share of each domain over training; the table has the numbers">
      ${[0, uniform, most].map(
        (value) => svg`<line class="grid" x1=${room.left} x2=${wide - room.right} y1=${y(value)} y2=${y(value)} />
          <text x=${room.left - 5} y=${y(value) + 4} text-anchor="end">${percent(value)}</text>`,
      )}
      ${shares.map(
        (line, domain) =>
          svg`<polyline fill="none" stroke=${expertFill(model.experts, own(domain))} stroke-width="2" stroke-dasharray=${dashes[domain % dashes.length]}
            points=${line.map((share, point) => `${x(point).toFixed(1)},${y(share).toFixed(1)}`).join(" ")} />`,
      )}
      <text x=${room.left} y=${tall - 4}>step ${count(steps[0]!)}</text>
      <text x=${wide - room.right} y=${tall - 4} text-anchor="end">step ${count(steps.at(-1)!)}</text>
    </svg></div>
    <table class="values use">
      <thead><tr><th scope="col">Domain</th><th scope="col" class="number">First</th><th scope="col" class="number">Last</th><th scope="col" class="number">Highest</th></tr></thead>
      <tbody>
        ${shares.map(
          (line, domain) =>
            html`<tr><th scope="row"><span class=${expertClass(model.experts, own(domain))}>${model.domains[domain]!.name}</span></th>
              <td class="number">${percent(line[0]!)}</td><td class="number">${percent(line.at(-1)!)}</td><td class="number">${percent(Math.max(...line))}</td></tr>`,
        )}
      </tbody>
    </table>
  </figure>`;
}
