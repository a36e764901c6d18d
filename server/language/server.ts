import { mkdir } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { CodeLensRefreshRequest, type Connection, LSPErrorCodes, ResponseError } from "vscode-languageserver";
import * as z from "zod";
import { UserError } from "../protocol/errors.ts";
import { serverCapabilities } from "./capabilities.ts";
import { Checker } from "./checker.ts";
import { DomainFiles } from "./facts/domainFiles.ts";
import { ExperimentFacts } from "./facts/experimentFacts.ts";
import { RunStandings } from "./facts/runStandings.ts";
import { Speeds } from "./facts/speed.ts";
import { codeLenses } from "./features/codeLenses.ts";
import { complete } from "./features/completion.ts";
import { diagnosticsOf } from "./features/diagnostics.ts";
import { foldingRanges } from "./features/folding.ts";
import { formatting } from "./features/formatting.ts";
import { hover } from "./features/hover.ts";
import { inlayHints } from "./features/inlayHints.ts";
import { documentLinks } from "./features/links.ts";
import { definition, prepareRename, references, rename } from "./features/names.ts";
import { createFolderCommand, quickFixes } from "./features/quickFixes.ts";
import { semanticTokens } from "./features/semanticTokens.ts";
import { documentSymbols } from "./features/symbols.ts";
import { LensReminder } from "./lensReminder.ts";
import type { Ask } from "./lookups/questions.ts";
import { OpenFiles } from "./openFiles.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Workspace } from "./workspace.ts";

/** Options that an editor may pass when it starts the server. */
const optionsSchema = z.object({
  /** The commands it supports; lenses for others are omitted. Absent: all. */
  commands: z.array(z.string()).optional(),
});

interface Editor extends z.infer<typeof optionsSchema> {
  snippets: boolean;
  refreshesLenses: boolean;
  refreshesHints: boolean;
}

interface Surroundings {
  /** Looks at disks. */
  ask: Ask;
  workspace: Workspace;
}

/** Registers handlers for requests about experiment files, on a connection that is not listening yet. */
export function serve(connection: Connection, { ask, workspace }: Surroundings): void {
  const files = new OpenFiles();
  const checker = checkWhileTyping(connection, files, ask);
  const domainFiles = new DomainFiles(ask);
  const facts = new ExperimentFacts(ask);
  const speeds = new Speeds();
  let editor: Editor = { snippets: false, refreshesLenses: false, refreshesHints: false };
  const failed = (error: unknown): void => console.error("refreshing:", error);
  const refreshLenses = (): void => {
    if (editor.refreshesLenses) connection.sendRequest(CodeLensRefreshRequest.type).catch(failed);
  };
  const refreshHints = (): void => {
    if (editor.refreshesHints) connection.languages.inlayHint.refresh().catch(failed);
  };
  const reminder = new LensReminder(refreshLenses);
  const runs = new RunStandings(
    () => files.paths(),
    (ended) => {
      refreshLenses();
      if (!ended) return;
      speeds.forget();
      refreshHints();
    },
  );

  let followsFolders = false;
  workspace.openFiles = () => files.paths();
  connection.onInitialize(({ capabilities, initializationOptions, workspaceFolders }) => {
    const { textDocument, workspace: supported } = capabilities;
    followsFolders = supported?.workspaceFolders === true;
    workspace.change({ added: (workspaceFolders ?? []).map(({ uri }) => uri) });
    editor = {
      ...optionsSchema.catch({}).parse(initializationOptions),
      snippets: textDocument?.completion?.completionItem?.snippetSupport === true,
      refreshesLenses: supported?.codeLens?.refreshSupport === true,
      refreshesHints: supported?.inlayHint?.refreshSupport === true,
    };
    return serverCapabilities;
  });
  connection.onInitialized(() => {
    runs.start();
    if (!followsFolders) return;
    const uris = (folders: readonly { uri: string }[]): string[] => folders.map(({ uri }) => uri);
    connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) =>
      workspace.change({ added: uris(added), removed: uris(removed) }),
    );
  });
  workspace.onChange = () => {
    domainFiles.forget();
    facts.forget();
    for (const snapshot of files.all()) checker.update(snapshot, 0);
    refreshHints();
  };
  connection.onShutdown(() => runs.stop());
  files.documents.onDidOpen(({ document }) => reminder.opened(document.uri));
  files.documents.onDidClose(({ document }) => {
    facts.forget(document.uri);
    reminder.stop(document.uri);
  });

  const about = answering(files);
  connection.onCodeAction(about((snapshot, { context }) => quickFixes(snapshot, context.diagnostics)));
  connection.onCodeLens(
    about(async (snapshot) => {
      reminder.stop(snapshot.uri);
      const run = snapshot.file === undefined ? undefined : await runs.of(snapshot.file);
      return codeLenses(snapshot, run, editor.commands);
    }),
  );
  connection.onCompletion(about((snapshot, { position }) => complete(snapshot, position, editor.snippets, ask)));
  connection.onDefinition(about((snapshot, { position }) => definition(snapshot, position)));
  connection.onDocumentFormatting(about((snapshot, { options }) => formatting(snapshot, options.tabSize)));
  connection.onDocumentLinks(about((snapshot) => documentLinks(snapshot, ask)));
  connection.onDocumentSymbol(about((snapshot) => documentSymbols(snapshot)));
  connection.onFoldingRanges(about((snapshot) => foldingRanges(snapshot)));
  connection.onHover(about((snapshot, { position }) => hover(snapshot, position, domainFiles)));
  connection.onPrepareRename(about((snapshot, { position }) => prepareRename(snapshot, position)));
  connection.onReferences(
    about((snapshot, { position, context }) => references(snapshot, position, context.includeDeclaration)),
  );
  connection.onRenameRequest(about((snapshot, { position, newName }) => rename(snapshot, position, newName)));
  connection.languages.inlayHint.on(
    about(async (snapshot, { range }) => {
      const costs = await facts.costs(snapshot);
      const { experiment } = snapshot.parsed;
      const isKnown = snapshot.file !== undefined && experiment !== undefined;
      const speed = isKnown ? await speeds.of(snapshot.file!, experiment.compute) : undefined;
      return costs ? inlayHints(snapshot, range, costs, speed) : [];
    }),
  );
  connection.languages.semanticTokens.on(about((snapshot) => semanticTokens(snapshot), { data: [] }));
  connection.onExecuteCommand(async ({ command, arguments: given }) => {
    if (command !== createFolderCommand) return null;
    const folder = folderSchema.safeParse(given?.[0]);
    if (!folder.success) return new ResponseError(LSPErrorCodes.RequestFailed, `${command} needs an absolute path`);
    await mkdir(folder.data.path, { recursive: true });
    for (const snapshot of files.all()) checker.update(snapshot, 0);
    return null;
  });
  files.documents.listen(connection);
}

const folderSchema = z.object({ path: z.string().refine((path) => isAbsolute(path)) });

/** Sends the problems of open files shortly after each change and after each save. */
function checkWhileTyping(connection: Connection, files: OpenFiles, ask: Ask): Checker {
  const send = (uri: string, version: number | undefined, diagnostics: ReturnType<typeof diagnosticsOf>): void => {
    const sent = connection.sendDiagnostics({ uri, ...(version === undefined ? {} : { version }), diagnostics });
    sent.catch((error: unknown) => console.error(`diagnostics of ${uri}:`, error));
  };
  const checker = new Checker(
    (snapshot, problems) => send(snapshot.uri, snapshot.version, diagnosticsOf(snapshot, problems)),
    ask,
  );
  const update = (uri: string, delay?: number): void => {
    const snapshot = files.current(uri);
    if (snapshot) checker.update(snapshot, delay);
  };
  files.documents.onDidChangeContent(({ document }) => update(document.uri));
  files.documents.onDidSave(({ document }) => update(document.uri, 0));
  connection.onDidChangeWatchedFiles(() => {
    for (const { uri } of files.all()) update(uri, 0);
  });
  files.documents.onDidClose(({ document: { uri } }) => {
    checker.forget(uri);
    files.forget(uri);
    send(uri, undefined, []);
  });
  return checker;
}

/**
 * Answers requests about open files; for any other file, or if an answer fails, the answer is empty. A user's
 * mistake is reported with its message.
 */
const answering =
  (files: OpenFiles) =>
  <P extends { textDocument: { uri: string } }, R, N = null>(
    answer: (snapshot: Snapshot, params: P) => R | Promise<R>,
    nothing: N = null as N,
  ) =>
  async (params: P): Promise<R | N | ResponseError> => {
    const snapshot = files.current(params.textDocument.uri);
    if (!snapshot) return nothing;
    try {
      return await answer(snapshot, params);
    } catch (error) {
      if (error instanceof UserError) return new ResponseError(LSPErrorCodes.RequestFailed, error.message);
      console.error(`a request about ${snapshot.uri} failed:`, error);
      return nothing;
    }
  };
