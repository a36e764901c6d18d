import { createConnection, ProposedFeatures } from "vscode-languageserver/node";
import { limitReach } from "./disk/reach.ts";
import { environment } from "./editor/launch.ts";
import { serveEditor } from "./editor/serve.ts";
import { Inspector } from "./inspect/client.ts";
import { LookupProcesses } from "./language/lookups/processes.ts";
import { serve } from "./language/server.ts";
import { Workspace } from "./language/workspace.ts";
import { serveStreams } from "./stream/editor.ts";

/** The backend of the editor: `server.js --node-ipc`, or `--stdio`. It computes nothing. */
const connection = createConnection(ProposedFeatures.all);
const env = environment(process.env);
const log = (text: string): void => connection.console.error(text);
const workspace = new Workspace();
limitReach(workspace.reach);
const lookups = new LookupProcesses({ env, log, folders: workspace.reach });
serve(connection, { ask: lookups.ask, workspace });
const inspector = new Inspector({ env, log });
const editor = serveEditor(connection, inspector, (isTrusted) => workspace.trust(isTrusted));
serveStreams(connection, inspector, editor);
connection.listen();
