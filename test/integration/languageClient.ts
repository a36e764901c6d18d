import { fork } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  createMessageConnection,
  type Diagnostic,
  DidChangeTextDocumentNotification,
  DidCloseTextDocumentNotification,
  DidOpenTextDocumentNotification,
  ExitNotification,
  InitializedNotification,
  InitializeRequest,
  type InitializeResult,
  IPCMessageReader,
  IPCMessageWriter,
  type MessageConnection,
  PublishDiagnosticsNotification,
  ShutdownRequest,
} from "vscode-languageserver/node";
import { node } from "./btx.ts";

/** An editor for the built language server, over the channel that VS Code uses. */

export interface LanguageClient {
  connection: MessageConnection;
  initialized: InitializeResult;
  /** Requests of the server, by method, in order. */
  asked: string[];
  open(file: string, text: string): { uri: string };
  change(file: string, version: number, text: string): void;
  close(file: string): void;
  /** The last diagnostics of a file; undefined before there are any. */
  diagnostics(file: string): Diagnostic[] | undefined;
  /** Says whether the workspace is trusted. */
  trust(trusted: boolean): void;
  pid: number;
  /** Exit code of the process. */
  ended: Promise<number | null>;
  /** What it wrote to standard error. */
  said(): string;
  stop(): Promise<number | null>;
}

const built = fileURLToPath(new URL("../../dist/server.js", import.meta.url));

/** @param folders of the workspace. @param program another build of the server */
export async function startLanguageServer(
  options: unknown = undefined,
  folders: readonly string[] = [],
  program = built,
): Promise<LanguageClient> {
  const child = fork(program, ["--node-ipc"], { execPath: node, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const ended = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
  const found = new Map<string, Diagnostic[]>();
  const asked: string[] = [];
  connection.onNotification(PublishDiagnosticsNotification.type, ({ uri, diagnostics }) => {
    found.set(uri, diagnostics);
  });
  connection.onRequest((method) => {
    asked.push(method);
    return null;
  });
  connection.listen();
  const initialized = await connection.sendRequest(InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    workspaceFolders: folders.map((folder) => ({ uri: pathToFileURL(folder).href, name: folder })),
    capabilities: {
      textDocument: { completion: { completionItem: { snippetSupport: true } } },
      workspace: { workspaceFolders: true, codeLens: { refreshSupport: true }, inlayHint: { refreshSupport: true } },
    },
    ...(options === undefined ? {} : { initializationOptions: options }),
  });
  await connection.sendNotification(InitializedNotification.type, {});
  const uriOf = (file: string): string => pathToFileURL(file).href;
  const notify = (sent: Promise<void>): void => void sent.catch(() => {});
  return {
    connection,
    initialized,
    asked,
    open(file, text) {
      const uri = uriOf(file);
      const textDocument = { uri, languageId: "btx", version: 1, text };
      notify(connection.sendNotification(DidOpenTextDocumentNotification.type, { textDocument }));
      return { uri };
    },
    change(file, version, text) {
      const textDocument = { uri: uriOf(file), version };
      const change = { textDocument, contentChanges: [{ text }] };
      notify(connection.sendNotification(DidChangeTextDocumentNotification.type, change));
    },
    close(file) {
      notify(
        connection.sendNotification(DidCloseTextDocumentNotification.type, { textDocument: { uri: uriOf(file) } }),
      );
    },
    trust: (trusted) => notify(connection.sendNotification("btx/trustChanged", { trusted })),
    diagnostics: (file) => found.get(uriOf(file)),
    ended,
    pid: child.pid!,
    said: () => stderr,
    async stop() {
      await connection.sendRequest(ShutdownRequest.type);
      await connection.sendNotification(ExitNotification.type);
      return ended;
    },
  };
}
