import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CodeActionRequest,
  type CodeLens,
  CodeLensRequest,
  CompletionRequest,
  DefinitionRequest,
  DocumentFormattingRequest,
  DocumentLinkRequest,
  DocumentSymbolRequest,
  ExecuteCommandRequest,
  FoldingRangeRequest,
  HoverRequest,
  InlayHintRequest,
  PrepareRenameRequest,
  ReferencesRequest,
  RenameRequest,
  SemanticTokensRequest,
} from "vscode-languageserver/node";
import type { Problem } from "../../server/experiment/problem.ts";
import { createRun } from "../../server/runs/runs.ts";
import { experimentText } from "../fixtures/experiment.ts";
import { btx } from "./btx.ts";
import { type LanguageClient, startLanguageServer } from "./languageClient.ts";
import { finishedExperiment, tinyExperiment } from "./scratch.ts";

/** How long to wait for what comes in its own time. */
const soon = { timeout: 30_000 };

let client: LanguageClient;
beforeAll(async () => {
  client = await startLanguageServer();
});
afterAll(async () => {
  expect(await client.stop()).toBe(0);
  expect(client.said()).toBe("");
});

const everything = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };

describe("the language server, as the process that an editor starts", () => {
  it("finds what `btx check` finds, in the text as it is in the editor", async () => {
    const { file } = tinyExperiment({ compare: "[dens]", model: "{layers: 1, hidde: 16}", seed: "{tokens: 3 k}" });
    const { problems } = JSON.parse((await btx(["check", file, "--json"])).stdout) as { problems: Problem[] };
    expect(problems.length).toBe(3);
    client.open(file, readFileSync(file, "utf8"));
    await expect.poll(() => client.diagnostics(file)?.length, soon).toBe(3);
    expect(client.diagnostics(file)!.map(({ message, range }) => [message, range])).toEqual(
      problems.map(({ message, line, column, endLine, endColumn }) => [
        message,
        { start: { line: line - 1, character: column - 1 }, end: { line: endLine - 1, character: endColumn - 1 } },
      ]),
    );
    client.change(file, 2, experimentText());
    await expect.poll(() => client.diagnostics(file), soon).toEqual([]);
    client.change(
      file,
      3,
      experimentText({ domains: "{words: {files: nowhere/*.txt}}", mix: "{experts: [words, seed]}" }),
    );
    await expect.poll(() => client.diagnostics(file)?.[0]?.message, soon).toContain("no file matches");
    client.close(file);
    await expect.poll(() => client.diagnostics(file), soon).toEqual([]);
  });

  it("answers every request it says it does", async () => {
    const { file } = tinyExperiment();
    const text = experimentText({ mix: "{experts: [words, sums, seed], router: {k: 2}}", name: "x  # y" });
    const textDocument = client.open(file, text);
    const lines = text.split("\n");
    const at = (word: string, line: number) => ({ line, character: lines[line]!.indexOf(word) + 1 });
    const mix = lines.findIndex((line) => line.startsWith("mix:"));
    const { connection } = client;
    const position = at("words", mix);

    expect(await connection.sendRequest(DefinitionRequest.type, { textDocument, position })).toHaveLength(1);
    const context = { includeDeclaration: true };
    expect(await connection.sendRequest(ReferencesRequest.type, { textDocument, position, context })).toHaveLength(2);
    const renamed = { textDocument, position, newName: "letters" };
    expect(await connection.sendRequest(PrepareRenameRequest.type, { textDocument, position })).toMatchObject({
      placeholder: "words",
    });
    expect((await connection.sendRequest(RenameRequest.type, renamed))?.changes?.[textDocument.uri]).toHaveLength(2);
    const hover = await connection.sendRequest(HoverRequest.type, { textDocument, position });
    expect(hover?.contents).toMatchObject({ value: expect.stringContaining("12 files") });
    const completed = await connection.sendRequest(CompletionRequest.type, { textDocument, position: at("k:", mix) });
    expect(JSON.stringify(completed)).toContain("loadBalance");
    expect(await connection.sendRequest(DocumentSymbolRequest.type, { textDocument })).not.toHaveLength(0);
    expect(await connection.sendRequest(FoldingRangeRequest.type, { textDocument })).not.toHaveLength(0);
    expect(await connection.sendRequest(DocumentLinkRequest.type, { textDocument })).toHaveLength(1);
    const options = { tabSize: 2, insertSpaces: true };
    expect(await connection.sendRequest(DocumentFormattingRequest.type, { textDocument, options })).toBeInstanceOf(
      Array,
    );
    const tokens = await connection.sendRequest(SemanticTokensRequest.type, { textDocument });
    expect(tokens?.data.length).toBeGreaterThan(0);
    const hints = await connection.sendRequest(InlayHintRequest.type, { textDocument, range: everything });
    expect(hints?.length).toBeGreaterThan(4);
    expect(await connection.sendRequest(CodeLensRequest.type, { textDocument })).not.toHaveLength(0);
    client.close(file);
  });

  it("answers nothing about files that are not open, and tells what a person asks wrongly", async () => {
    const closed = { uri: "file:///nowhere/closed.btx.yaml" };
    const position = { line: 0, character: 0 };
    expect(await client.connection.sendRequest(HoverRequest.type, { textDocument: closed, position })).toBeNull();
    const { file } = tinyExperiment();
    const textDocument = client.open(file, experimentText());
    await expect(client.connection.sendRequest(PrepareRenameRequest.type, { textDocument, position })).rejects.toThrow(
      "only domains can be renamed",
    );
    client.close(file);
  });

  it("makes a folder that a domain names, and looks again", async () => {
    const { file, folder } = tinyExperiment();
    const sections = { domains: "{words: {files: [words, more/new]}}", mix: "{experts: [words, seed]}" };
    const textDocument = client.open(file, experimentText(sections));
    await expect.poll(() => client.diagnostics(file)?.[0]?.message, soon).toContain("does not exist");
    const context = { diagnostics: client.diagnostics(file)! };
    const actions = await client.connection.sendRequest(CodeActionRequest.type, {
      textDocument,
      range: everything,
      context,
    });
    const { command } = actions!.find(({ title }) => title === "Create the folder new")! as {
      command: { command: string; arguments: unknown[] };
    };
    await client.connection.sendRequest(ExecuteCommandRequest.type, {
      command: command.command,
      arguments: command.arguments as never[],
    });
    expect(existsSync(join(folder, "more/new"))).toBe(true);
    await expect.poll(() => client.diagnostics(file)?.[0]?.message, soon).toContain("contains no text files");
    const wrong = { command: command.command, arguments: [{ path: "relative" }] };
    await expect(client.connection.sendRequest(ExecuteCommandRequest.type, wrong)).rejects.toThrow("absolute");
    client.close(file);
  });

  it("shows how the newest run stands, and how long training takes by it", async () => {
    const { file } = finishedExperiment();
    const textDocument = client.open(file, readFileSync(file, "utf8"));
    const titles = (await client.connection.sendRequest(CodeLensRequest.type, { textDocument }))!.map(title);
    expect(titles).toContainEqual(expect.stringMatching(/^done, mean loss \d\.\d{3} nats \(\d{8}-\d{6}\)$/));
    expect(titles).toContainEqual(expect.stringMatching(/^done, loss \d\.\d{3} nats$/));
    const hints = (await client.connection.sendRequest(InlayHintRequest.type, { textDocument, range: everything }))!;
    expect(hints.map(({ label }) => label)).toContainEqual(
      expect.stringMatching(/^\d.* [MG]FLOP, .* [kM]B, about .*s$/),
    );
    client.close(file);
  });

  it("asks the editor for its lenses again when a run begins", async () => {
    const { file, root } = tinyExperiment();
    const textDocument = client.open(file, experimentText());
    const before = (await client.connection.sendRequest(CodeLensRequest.type, { textDocument }))!.map(title);
    expect(before[0]).toBe("$(play) Run");
    client.asked.length = 0;
    const { record } = await createRun(root, { name: "x", file, experiment: "", stages: [], reused: [] });
    await expect.poll(() => client.asked, soon).toContain("workspace/codeLens/refresh");
    const after = (await client.connection.sendRequest(CodeLensRequest.type, { textDocument }))!.map(title);
    expect(after).toContain(`interrupted (${record.id})`);
    client.close(file);
  });

  it("reminds the editor of lenses that it does not ask for after it has opened a file", async () => {
    const { file } = tinyExperiment();
    client.asked.length = 0;
    client.open(file, experimentText());
    await expect.poll(() => client.asked, soon).toContain("workspace/codeLens/refresh");
    client.close(file);
  });

  it("leaves out lenses for commands that the editor has not", async () => {
    const other = await startLanguageServer({ commands: ["btx.run"] });
    const { file } = tinyExperiment();
    const textDocument = other.open(file, experimentText());
    const titles = (await other.connection.sendRequest(CodeLensRequest.type, { textDocument }))!.map(title);
    expect(titles).toEqual(["$(play) Run"]);
    expect(await other.stop()).toBe(0);
  });
});

const title = ({ command }: CodeLens): string => command!.title;

/** All files of the built server: itself and the chunks that it loads, at once or later. */
function bundle(): Map<string, string> {
  const files = new Map<string, string>();
  const read = (path: string): void => {
    // Comments name files that are no chunks.
    if (files.has(path) || !existsSync(path)) return;
    const text = readFileSync(path, "utf8");
    files.set(path, text);
    for (const [, chunk] of text.matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"'\n]+\.js)["']/g))
      read(join(dirname(path), chunk!));
  };
  read(fileURLToPath(new URL("../../dist/server.js", import.meta.url)));
  return files;
}

describe("the built server", () => {
  it("holds no TF.js and no ONNX Runtime", () => {
    const files = bundle();
    expect(files.size).toBeGreaterThan(1);
    expect([...files.values()].some((text) => text.includes("textDocument/codeLens"))).toBe(true);
    for (const [path, text] of files)
      expect(text, path).not.toMatch(/node_modules\/@tensorflow|from\s*"onnxruntime-node"/);
  });
});
