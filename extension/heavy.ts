/**
 * The slowest parts of the extension to load: the language client and the validators. They form a separate bundle,
 * dist/heavy.cjs, loaded after activation. Import it with `import()` only.
 */
export { CloseAction, ErrorAction, LanguageClient, State, TransportKind } from "vscode-languageclient/node";
export { WebSocket } from "ws";
export { backendNotifications, requests } from "../server/protocol/editor.ts";
export { keptSchema, pageText, toHostSchema } from "../server/protocol/page.ts";
export { streamPath, subprotocol, tokenPrefix } from "../server/protocol/stream.ts";
