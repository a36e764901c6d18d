import { CodeActionKind, type InitializeResult, TextDocumentSyncKind } from "vscode-languageserver";
import { triggerCharacters } from "./features/completion.ts";
import { createFolderCommand } from "./features/quickFixes.ts";
import { semanticTokensLegend } from "./features/semanticTokens.ts";

/** The capabilities that this server announces to the editor. */
export const serverCapabilities: InitializeResult = {
  capabilities: {
    textDocumentSync: {
      openClose: true,
      change: TextDocumentSyncKind.Incremental,
      save: true,
    },
    codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] },
    codeLensProvider: {},
    completionProvider: { triggerCharacters },
    definitionProvider: true,
    documentFormattingProvider: true,
    documentLinkProvider: {},
    documentSymbolProvider: true,
    executeCommandProvider: { commands: [createFolderCommand] },
    foldingRangeProvider: true,
    hoverProvider: true,
    inlayHintProvider: true,
    referencesProvider: true,
    renameProvider: { prepareProvider: true },
    workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
    semanticTokensProvider: { legend: semanticTokensLegend, full: true },
  },
};
