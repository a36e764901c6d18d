/**
 * What takes longer to load than all the rest of the extension: the language client and the validators. It is a bundle of
 * its own, dist/heavy.cjs, and loaded after the extension was activated. Import it with `import()` only.
 */
export { CloseAction, ErrorAction, LanguageClient, State, TransportKind } from "vscode-languageclient/node";
export { WebSocket } from "ws";
export { news, requests } from "../server/protocol/editor.ts";
export { keptSchema, pageText, toHostSchema } from "../server/protocol/page.ts";
export { streamPath, subprotocol, tokenPrefix } from "../server/protocol/stream.ts";
