import { ProgressLocation, window } from "vscode";
import type { Studio } from "../studio.ts";
import { mixedModel } from "./mixedModel.ts";

/** Before that there is nothing to be told of, ms. */
const patience = 1000;

/** Colours the selected text, or the whole text, by the experts that its tokens go to. Gives the document's Uri. */
export async function routeSelection(studio: Studio): Promise<unknown> {
  const editor = window.activeTextEditor;
  if (!editor) throw new Error("There is no text to route: open a file, or select text in one.");
  const { document, selection } = editor;
  const model = await mixedModel(studio);
  if (!model) return undefined;
  const part = selection.isEmpty
    ? { start: 0, end: document.getText().length }
    : { start: document.offsetAt(selection.start), end: document.offsetAt(selection.end) };
  if (part.start === part.end) throw new Error("There is no text to route: the file is empty.");
  const routed = studio.routing.route(document, part, model);
  const options = { location: ProgressLocation.Notification, title: `Routing with ${model.name}`, cancellable: true };
  const late = setTimeout(
    () =>
      void window.withProgress(options, (_, token) => {
        token.onCancellationRequested(() => studio.routing.cancel(document.uri));
        return routed.catch(() => {});
      }),
    patience,
  );
  try {
    await routed;
  } finally {
    clearTimeout(late);
  }
  return document.uri;
}
