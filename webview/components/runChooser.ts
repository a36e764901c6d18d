import "@vscode-elements/elements/dist/vscode-button/index.js";
import { html, type TemplateResult } from "lit";
import type { RunReference } from "../../server/protocol/editor/basics.ts";
import type { OfferedRun } from "../../server/protocol/stream.ts";

/** The runs to choose from, one per row. @param below content under the list. */
function runList(
  offered: readonly OfferedRun[] | undefined,
  row: (run: OfferedRun) => TemplateResult,
  below: unknown = "",
): TemplateResult {
  return html`<section class="runs" aria-label="Runs">
    <h2>Runs</h2>
    ${offered === undefined ? html`<p role="status">Looking for runs…</p>` : ""}
    ${offered?.length === 0 ? html`<p>There is no run yet: <code>btx run FILE</code> starts one.</p>` : ""}
    <ul>
      ${offered?.map((run) => html`<li>${row(run)}</li>`)}
    </ul>
    ${below}
  </section>`;
}

const facts = ({ run, state }: OfferedRun): TemplateResult =>
  html`<span class="soft">${run}</span> <span class="state ${state}">${state}</span>`;

/** A list to choose a single run from. */
export const runChoice = (
  offered: readonly OfferedRun[] | undefined,
  choose: (run: RunReference) => void,
): TemplateResult =>
  runList(
    offered,
    (one) =>
      html`<button type="button" @click=${() => choose({ root: one.root, run: one.run })}>${one.name}</button> ${facts(one)}`,
  );

/** A list to choose several runs from. @param close absent if there is nothing to go back to. @param more below it. */
export function runChooser(
  offered: readonly OfferedRun[] | undefined,
  chosen: readonly RunReference[],
  choose: (runs: RunReference[]) => void,
  close?: () => void,
  more: TemplateResult | "" = "",
): TemplateResult {
  const row = (one: OfferedRun) => {
    const others = chosen.filter(({ root, run }) => root !== one.root || run !== one.run);
    const isChosen = others.length < chosen.length;
    const toggle = () => choose(isChosen ? others : [...others, { root: one.root, run: one.run }]);
    return html`<label>
      <input type="checkbox" .checked=${isChosen} @change=${toggle} />
      <span>${one.name}</span> ${facts(one)}
    </label>`;
  };
  const done = close ? html`<vscode-button @click=${close}>Done</vscode-button>` : "";
  return runList(offered, row, html`${more} ${done}`);
}
