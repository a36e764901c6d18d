import { strict as assert } from "node:assert";
import { setTimeout } from "node:timers/promises";
import * as vscode from "vscode";
import { placesByExpert } from "../../extension/routing/places.ts";
import type { RunReference } from "../../server/protocol/editor.ts";
import { forceRouters, writeKnownExperiment } from "../fixtures/knownRouting.ts";
import { answer, type Item, noAnswers, picking } from "./prompts.ts";
import { api, file, reaches, runWith, until } from "./support.ts";
import { experimentIn, quick } from "./workspace.ts";

describe("routing in a text", () => {
  let run: RunReference;
  const content = "branch train mix\none two three\n";
  const open = async (text: string) => {
    const document = await vscode.workspace.openTextDocument({ content: text, language: "plaintext" });
    return vscode.window.showTextDocument(document);
  };
  /** Picks the finetuned model of this suite's run. */
  const ownModel = (items: Item[]) =>
    items.find(({ model, label }) => {
      const reference = (model as { reference?: RunReference } | undefined)?.reference;
      return reference?.run === run.run && reference.root === run.root && label.startsWith("finetune");
    });
  const route = async () => {
    answer("showQuickPick", ownModel);
    return (await vscode.commands.executeCommand("btx.routeSelection")) as vscode.Uri;
  };
  const paintingOf = async (uri: vscode.Uri) => (await api()).routing.of(uri);

  before(async () => {
    experimentIn(file("routing").fsPath, quick);
    run = await runWith("btx.run", { file: file("routing/tiny.btx.yaml") });
    await reaches(run, "done");
    const { experiments } = await api();
    await until("the run is listed", () => experiments.runs.some((one) => one.run === run.run) || undefined);
  });
  afterEach(async () => {
    noAnswers();
    await vscode.commands.executeCommand("btx.clearRouting");
    await vscode.commands.executeCommand("workbench.action.revertAndCloseActiveEditor");
  });

  it("colours the whole text if nothing is selected: its tokens cover all of it", async () => {
    const { document } = await open(content);
    const painting = await paintingOf(await route());
    const { tokens, experts, layers } = painting!.routed;
    assert.equal(tokens.map(({ start, end }) => content.slice(start, end)).join(""), content);
    assert.ok(experts.length > 1 && layers.length > 0);
    assert.ok(tokens.every(({ chosen }) => chosen.length === layers.length * painting!.routed.k));
    assert.equal(painting!.uri.toString(), document.uri.toString());
  });

  it("colours the selection only", async () => {
    const editor = await open(content);
    editor.selection = new vscode.Selection(1, 0, 1, 7);
    const { tokens } = (await paintingOf(await route()))!.routed;
    const [start, end] = [content.indexOf("one"), content.indexOf(" three")];
    assert.deepEqual([tokens[0]!.start, tokens.at(-1)!.end], [start, end]);
  });

  it("shows in a hover a token's text and experts", async () => {
    const { document } = await open(content);
    await route();
    const at = new vscode.Position(1, 1);
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
      "vscode.executeHoverProvider",
      document.uri,
      at,
    );
    const text = hovers.flatMap(({ contents }) => contents.map((one) => (one as vscode.MarkdownString).value)).join("");
    assert.match(text, /nats/);
    assert.match(text, /layer +\d+ +\S+ +[█▏▎▍▌▋▊▉]/);
  });

  it("shows another layer, and refuses one that the model does not have", async () => {
    await open(content);
    const painting = (await paintingOf(await route()))!;
    const { routing } = await api();
    await vscode.commands.executeCommand("btx.routeLayer", { layer: painting.routed.layers[0] });
    assert.equal(routing.shownIn(painting), 0);
    const said = answer("showErrorMessage", () => undefined);
    await vscode.commands.executeCommand("btx.routeLayer", { layer: 99 });
    assert.match(String(said[0]![0]), /no experts in layer 99/);
    await vscode.commands.executeCommand("btx.routeLayer", { layer: "all" });
    assert.equal(routing.shownIn(painting), "all");
  });

  it("follows edits, and one command removes it", async () => {
    const editor = await open(content);
    const uri = await route();
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), "more words "));
    await until("the new text is routed", async () => {
      const tokens = (await paintingOf(uri))!.routed.tokens;
      return tokens.map(({ start, end }) => editor.document.getText().slice(start, end)).join("") ===
        editor.document.getText()
        ? true
        : undefined;
    });
    await vscode.commands.executeCommand("btx.clearRouting");
    assert.equal(await paintingOf(uri), undefined);
  });

  it("refuses a text that is too long, with a message", async () => {
    await open("a ".repeat(60_000));
    const said = answer("showErrorMessage", () => undefined);
    await route();
    assert.match(String(said[0]![0]), /at most 100,000 .*select a part/);
  });

  it("colours what a mixed model writes, and cancelling ends it at once", async () => {
    const { experiments, routing } = await api();
    const listed = experiments.runs.find((one) => one.run === run.run && one.root === run.root);
    const stage = (await experiments.stagesOf(run)).find(({ name }) => name === "finetune")!;
    answer("showInputBox", () => "branch train");
    answer("showQuickPick", picking("Sample"));
    const uri = (await vscode.commands.executeCommand("btx.sample", { listed, stage })) as vscode.Uri;
    const { routed } = routing.of(uri)!;
    assert.ok(routed.tokens.length > 0);
    assert.equal(routed.tokens[0]!.start, "branch train".length);
    assert.deepEqual(
      routed.experts.map(({ name }) => name),
      stage.experts,
    );
    const source = new vscode.CancellationTokenSource();
    answer("withProgress", (_: unknown, task: (progress: unknown, token: vscode.CancellationToken) => unknown) =>
      task({ report() {} }, source.token),
    );
    const sampling = vscode.commands.executeCommand("btx.sample", { listed, stage });
    await setTimeout(50);
    const cancelled = Date.now();
    source.cancel();
    await sampling;
    assert.ok(Date.now() - cancelled < 2000, `${Date.now() - cancelled} ms`);
  });

  it("colours letters and digits by the experts that a model is known to send them to", async () => {
    await vscode.workspace.fs.createDirectory(file("known"));
    const known = writeKnownExperiment(file("known").fsPath);
    for (const force of [true, false]) {
      run = await runWith("btx.run", { file: vscode.Uri.file(known.file) });
      await reaches(run, "done");
      if (force) await forceRouters(known);
    }
    const { experiments, context } = await api();
    await until("the model is listed", async () => {
      const stages = await experiments.stagesOf(run).catch(() => []);
      const finetune = stages.find(({ name }) => name === "finetune");
      return finetune?.checkpoints.some(({ holds }) => holds === "model");
    });
    await context.workspaceState.update("btx.routing.model", undefined);
    const text = "abc123 z9";
    await open(text);
    const { routed } = (await paintingOf(await route()))!;
    assert.deepEqual(
      routed.experts.map(({ name }) => name),
      ["letters", "digits", "seed"],
    );
    for (const shown of [0, 1, "all"] as const) {
      const coloured = placesByExpert(text, routed, shown).map((places) =>
        places.map(([, start, , end]) => text.slice(start, end)).join(""),
      );
      assert.deepEqual(coloured, ["abcz", "1239", " "]);
    }
  });
});
