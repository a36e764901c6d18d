import { ProgressLocation, Uri, window } from "vscode";
import type { Routed, RoutedToken } from "../../server/protocol/routed.ts";
import { defaults, type SampleOptions } from "../routing/sampling.ts";
import type { Studio } from "../studio.ts";
import { hasModel } from "../tree/states.ts";
import { requestId } from "./longRequest.ts";
import { sampleOptions } from "./sampleOptions.ts";
import { chosenStage } from "./target.ts";

/** The last options. Each sample uses the next random seed, so that continuations differ. */
let last: SampleOptions = defaults;

/**
 * Continues a prompt with a model of a run; the text streams into a document, its tokens coloured by expert.
 * Returns the document's Uri.
 */
export async function sample(studio: Studio, argument: unknown): Promise<unknown> {
  const prompt = selectedText();
  // An editor's menu passes the file that the prompt is in; it does not name a run.
  const of = argument instanceof Uri && !argument.path.endsWith(".btx.yaml") ? undefined : argument;
  const chosen = await chosenStage(studio, of, hasModel, "This run has no model yet.");
  const text = chosen && (prompt ?? (await askPrompt()));
  if (!chosen || text === undefined) return undefined;
  const { run, stage } = chosen;
  const model = `${stage.name} of ${run.name}`;
  // Options set for one mixed model may not fit another.
  const off = last.off.filter((name) => stage.experts.includes(name));
  const k = stage.experts.length > 0 ? last.k : undefined;
  const options = await sampleOptions(`Sample from ${model}`, { ...last, off, k }, stage.experts);
  if (!options) return undefined;
  last = { ...options, randomSeed: options.randomSeed + 1 };
  const reference = { root: run.root, run: run.run, stage: stage.name };
  const id = requestId();
  const output = await studio.samples.open(model, text);
  let axes: Omit<Routed, "tokens"> = { layers: [], experts: [], k: 0 };
  const tokens: RoutedToken[] = [];
  const paint = () => studio.routing.paint({ uri: output.uri, model, routed: { ...axes, tokens } });
  paint();
  const listening = studio.backend.onNotification("btx/sampledToken", (sampled) => {
    if (sampled.id !== id) return;
    if ("axes" in sampled) {
      axes = sampled.axes;
      paint();
      return;
    }
    const { text: piece, chosen, gates, surprise } = sampled.token;
    tokens.push({ ...output.add(piece), chosen, gates, surprise });
  });
  const location = ProgressLocation.Notification;
  try {
    await window.withProgress({ location, title: `Sampling from ${model}`, cancellable: true }, async (_, token) => {
      token.onCancellationRequested(() => listening.dispose());
      const asked = { ...options, off: [...options.off], model: reference, id, prompt: text };
      const sampled = studio.backend.request("btx/sampleTokens", asked, token);
      // The backend's answer to a cancelled request is meaningless.
      sampled.catch(() => {});
      await Promise.race([sampled, new Promise<void>((resolve) => token.onCancellationRequested(() => resolve()))]);
    });
  } finally {
    listening.dispose();
    output.end();
  }
  return output.uri;
}

function selectedText(): string | undefined {
  const editor = window.activeTextEditor;
  return editor && !editor.selection.isEmpty ? editor.document.getText(editor.selection) : undefined;
}

const askPrompt = async (): Promise<string | undefined> =>
  window.showInputBox({
    title: "Sample from a model",
    prompt: "Text that the model continues",
    placeHolder: "Prompt",
  });
