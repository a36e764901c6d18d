import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import {
  CompletionRequest,
  createConnection,
  createMessageConnection,
  type Diagnostic,
  DidOpenTextDocumentNotification,
  DocumentSymbolRequest,
  FoldingRangeRequest,
  HoverRequest,
  InitializedNotification,
  InitializeRequest,
  PublishDiagnosticsNotification,
  SemanticTokensRequest,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageserver/node";
import type { Ask, Lookup } from "../../../server/language/lookups/questions.ts";
import { serve } from "../../../server/language/server.ts";
import { Workspace } from "../../../server/language/workspace.ts";
import { soon } from "./support.ts";

const text = `model: {hidde: 16}
domains: {code: {files: "/**"}}
seed: {from: /elsewhere}
`;
const valid = text.replace("hidde", "hidden");

/** A language server in this process, and an editor that has these files open. */
async function serverOf(ask: Ask, files: Record<string, string>) {
  const [there, back] = [new PassThrough(), new PassThrough()];
  const connection = createConnection(new StreamMessageReader(there), new StreamMessageWriter(back));
  const workspace = new Workspace();
  serve(connection, { ask, workspace });
  connection.listen();
  const client = createMessageConnection(new StreamMessageReader(back), new StreamMessageWriter(there));
  onTestFinished(() => client.dispose());
  const diagnostics = new Map<string, Diagnostic[]>();
  client.onNotification(PublishDiagnosticsNotification.type, (found) => {
    diagnostics.set(found.uri, found.diagnostics);
  });
  client.listen();
  await client.sendRequest(InitializeRequest.type, {
    processId: null,
    rootUri: null,
    workspaceFolders: [{ uri: pathToFileURL("/work").href, name: "work" }],
    capabilities: {},
  });
  await client.sendNotification(InitializedNotification.type, {});
  const uris = Object.keys(files).map((file) => pathToFileURL(file).href);
  for (const [i, content] of Object.values(files).entries())
    await client.sendNotification(DidOpenTextDocumentNotification.type, {
      textDocument: { uri: uris[i]!, languageId: "btx", version: 1, text: content },
    });
  return { client, diagnostics, uris, workspace };
}

test("all but what is on disks is answered while lookups never end, about the same file too", async () => {
  const asked: Lookup[] = [];
  const ask: Ask = (lookup) => {
    asked.push(lookup);
    return new Promise(() => {});
  };
  const { client, diagnostics, uris } = await serverOf(ask, { "/work/a.btx.yaml": valid, "/work/b.btx.yaml": text });
  await expect.poll(() => asked, soon).toContain("check");
  for (const uri of uris) {
    const textDocument = { uri };
    const position = { line: 0, character: 2 };
    expect(await client.sendRequest(HoverRequest.type, { textDocument, position })).not.toBeNull();
    const completion = { textDocument, position: { line: 3, character: 0 } };
    expect(await client.sendRequest(CompletionRequest.type, completion)).not.toHaveLength(0);
    expect(await client.sendRequest(DocumentSymbolRequest.type, { textDocument })).toHaveLength(3);
    expect(await client.sendRequest(FoldingRangeRequest.type, { textDocument })).toBeDefined();
    expect(await client.sendRequest(SemanticTokensRequest.type, { textDocument })).not.toBeNull();
  }
  await expect.poll(() => diagnostics.get(uris[1]!)?.[0]?.message, soon).toContain("hidde");
  expect(asked).toEqual(["check"]);
});

test("what may be read follows trust and the folders of the workspace, and open files are checked again", async () => {
  let checks = 0;
  const ask = (async () => {
    checks++;
    return [];
  }) as unknown as Ask;
  const { workspace } = await serverOf(ask, { "/work/a.btx.yaml": valid });
  await expect.poll(() => checks, soon).toBe(1);
  expect(workspace.reach()).toEqual(["/work"]);
  workspace.trust(true);
  expect(workspace.reach()).toBeUndefined();
  await expect.poll(() => checks, soon).toBe(2);
  workspace.trust(false);
  workspace.change({ added: [pathToFileURL("/more").href, "untitled:x"], removed: [pathToFileURL("/work").href] });
  expect(workspace.reach()).toEqual(["/more"]);
  workspace.change({ removed: [pathToFileURL("/more").href] });
  // Without a folder it is that of each open file.
  expect(workspace.reach()).toEqual(["/work"]);
});
