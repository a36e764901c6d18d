import { ProgressLocation, type QuickPickItem, QuickPickItemKind, Uri, window, workspace } from "vscode";
import { chartColors, colorId } from "../../server/protocol/colors.ts";
import { type ExpertLook, expertLooks } from "../../server/protocol/expertLooks.ts";
import { percent } from "../../server/protocol/format.ts";
import type { Shown } from "../../server/protocol/routed.ts";
import type { Painting } from "../routing/routing.ts";
import { layerName, legend } from "../routing/texts.ts";
import type { Studio } from "../studio.ts";
import { mixedModel } from "./mixedModel.ts";

/** Delay before progress is shown, ms. */
const progressDelay = 1000;

/** Colours the selection, or the whole text, by the experts that its tokens go to. Returns the document's Uri. */
export async function routeSelection(studio: Studio): Promise<unknown> {
  const editor = window.activeTextEditor;
  if (!editor) throw new Error("There is no text to route: open a file or select text in one.");
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
    progressDelay,
  );
  try {
    await routed;
  } finally {
    clearTimeout(late);
  }
  return document.uri;
}

type Item = QuickPickItem & { shown?: Shown; other?: true };

/** Lets the user pick the layer whose experts colour the text, and lists their colours. `{layer}` skips the list. */
export async function routeLayer(studio: Studio, argument: unknown): Promise<unknown> {
  const { routing } = studio;
  const painting = routing.of(window.activeTextEditor?.document.uri);
  if (!painting) throw new Error("This text has no expert colours: run Route Selection first.");
  const { layer } = (argument ?? {}) as { layer?: unknown };
  if (layer !== undefined) {
    const index = layer === "all" ? layer : painting.routed.layers.indexOf(Number(layer));
    if (index === -1) throw new Error(`The model has no experts in layer ${layer}.`);
    return routing.show(index);
  }
  const before = routing.shownIn(painting);
  const picked = await pickLayer(studio, painting, before);
  if (!picked?.other) return routing.show(picked?.shown ?? before);
  const model = await mixedModel(studio, true);
  const document = workspace.textDocuments.find(({ uri }) => uri.toString() === painting.uri.toString());
  // Use the current range: the text may have been edited meanwhile.
  const followed = routing.of(painting.uri)?.followed;
  if (model && document && followed) await routing.route(document, followed, model);
  return undefined;
}

/** Shows the list of layers; the text is coloured by the active item's layer at once. */
function pickLayer({ context, routing }: Studio, painting: Painting, before: Shown): Promise<Item | undefined> {
  const list = window.createQuickPick<Item>();
  const shown: Shown[] = ["all", ...painting.routed.layers.keys()];
  const layers: Item[] = shown.map((one) => ({ label: layerName(painting.routed.layers, one), shown: one }));
  const other: Item[] = painting.followed ? [{ label: "$(arrow-swap) Other model...", other: true }] : [];
  const swatches = swatchesOf(context.extension.packageJSON);
  const experts = (one: Shown): Item[] => {
    const looks = expertLooks(painting.routed.experts);
    return legend(painting.routed, one).map(({ expert, name, share }) => ({
      label: name,
      description: percent(share),
      iconPath: swatches(looks[expert]!),
      shown: one,
    }));
  };
  const show = (one: Shown) => {
    const legendTitle = {
      label: `Experts in ${layerName(painting.routed.layers, one)}`,
      kind: QuickPickItemKind.Separator,
    };
    const active = list.activeItems;
    list.items = [...layers, ...other, legendTitle, ...experts(one)];
    list.activeItems = active.length > 0 ? active : layers.filter((item) => item.shown === one);
  };
  list.title = painting.model;
  list.placeholder = "Layer whose experts colour the text";
  list.keepScrollPosition = true;
  let previewed = before;
  show(before);
  return new Promise((resolve) => {
    list.onDidChangeActive(([item]) => {
      if (!item || !layers.includes(item) || item.shown === previewed) return;
      previewed = item.shown!;
      routing.show(previewed);
      show(previewed);
    });
    list.onDidAccept(() => {
      resolve(list.activeItems[0]);
      list.hide();
    });
    list.onDidHide(() => {
      resolve(undefined);
      list.dispose();
    });
    list.show();
  });
}

interface Manifest {
  contributes: { colors: { id: string; defaults: { light: string; dark: string } }[] };
}

/** Icons that look like the tokens of an expert, in the manifest's colours for light and dark themes. */
function swatchesOf({ contributes }: Manifest): (look: ExpertLook) => { light: Uri; dark: Uri } {
  const colors = new Map(
    chartColors.map((color) => [color, contributes.colors.find(({ id }) => id === colorId(color))?.defaults]),
  );
  const lines = {
    solid: "M1 14H15",
    dotted: "M1 14h2m2 0h2m2 0h2m2 0h2",
    dashed: "M1 14h5m3 0h5",
    double: "M1 12.5H15M1 15H15",
  };
  const square = (line: ExpertLook["line"], color = "#888888") => {
    const wide = line === "double" ? 1 : 2;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"><rect x="1" y="1" width="14" height="10" fill="${color}" fill-opacity="0.6"/><path d="${lines[line]}" stroke="${color}" stroke-width="${wide}"/></svg>`;
    return Uri.parse(`data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}`, true);
  };
  return ({ color, line }) => {
    const defaults = colors.get(color);
    return { light: square(line, defaults?.light), dark: square(line, defaults?.dark) };
  };
}

/** Removes expert colours from all texts. */
export async function clearRouting({ routing }: Studio): Promise<undefined> {
  routing.clear();
  return undefined;
}
