import { html, type TemplateResult } from "lit";
import type { OfferedRun } from "../../server/protocol/stream.ts";
import type { PageState } from "./state.ts";

/** All runs that there are, to be ticked: their mixed models can be chosen and compared. */
export function runChooser(
  offered: readonly OfferedRun[] | undefined,
  { runs }: PageState,
  change: (change: Partial<PageState>) => void,
  close: (() => void) | undefined,
): TemplateResult {
  const isOne = (one: OfferedRun) => (other: { root: string; run: string }) =>
    other.root === one.root && other.run === one.run;
  const toggle = (one: OfferedRun) =>
    change({
      runs: runs.some(isOne(one))
        ? runs.filter((other) => !isOne(one)(other))
        : [...runs, { root: one.root, run: one.run }],
    });
  return html`<section class="runs" aria-label="Runs">
    <h2>Runs</h2>
    ${offered === undefined ? html`<p role="status">Looking for runs…</p>` : ""}
    ${offered?.length === 0 ? html`<p>There is no run yet. <code>btx run FILE</code> starts one.</p>` : ""}
    <ul>
      ${offered?.map(
        (one) =>
          html`<li>
            <label>
              <input type="checkbox" .checked=${runs.some(isOne(one))} @change=${() => toggle(one)} />
              <span>${one.name}</span> <span class="soft">${one.run}</span>
              <span class="state ${one.state}">${one.state}</span>
            </label>
          </li>`,
      )}
    </ul>
    ${close ? html`<vscode-button @click=${close}>Done</vscode-button>` : ""}
  </section>`;
}
