import { ProgressLocation, window } from "vscode";
import type { Studio } from "../studio.ts";
import { chosenStage, hasModel } from "./target.ts";

const tokens = 200;
const temperature = 0.8;
/** Changes from sample to sample, so that each is another continuation. */
let randomSeed = 0;

/** Continues a prompt with a model of a run; the text comes into a document as it is made. Gives the document's Uri. */
export async function sample(studio: Studio, argument: unknown): Promise<unknown> {
  const chosen = await chosenStage(studio, argument, hasModel, "This run has no model yet.");
  const prompt = chosen && (await promptText());
  if (!chosen || prompt === undefined) return undefined;
  const { run, stage } = chosen;
  const reference = { root: run.root, run: run.run, stage: stage.name };
  const id = `${Date.now()}-${randomSeed++}`;
  const output = await studio.samples.open(`${stage.name} of ${run.name}`, prompt);
  const listening = studio.backend.hear("btx/sampled", (told) => {
    if (told.id === id) output.add(told.text);
  });
  const title = `Sampling from ${stage.name} of ${run.name}`;
  const location = ProgressLocation.Notification;
  try {
    await window.withProgress({ location, title, cancellable: true }, async (_, token) => {
      token.onCancellationRequested(() => listening.dispose());
      const asked = { ...reference, id, prompt, tokens, temperature, randomSeed };
      const sampled = studio.backend.request("btx/sample", asked, token);
      await Promise.race([sampled, new Promise<void>((resolve) => token.onCancellationRequested(() => resolve()))]);
      // After it was cancelled the backend's answer says nothing.
      sampled.catch(() => {});
    });
  } finally {
    listening.dispose();
    output.end();
  }
  return output.uri;
}

/** The selected text, or what the person types. */
async function promptText(): Promise<string | undefined> {
  const editor = window.activeTextEditor;
  const selected = editor && !editor.selection.isEmpty ? editor.document.getText(editor.selection) : "";
  if (selected !== "") return selected;
  return window.showInputBox({
    title: "Sample from a model",
    prompt: `The model goes on from here, for up to ${tokens} tokens.`,
    placeHolder: "Prompt",
  });
}
