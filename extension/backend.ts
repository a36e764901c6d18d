import {
  type CancellationToken,
  type Disposable,
  EventEmitter,
  type ExtensionContext,
  type LogOutputChannel,
  Uri,
  window,
  workspace,
} from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import type {
  BackendNotification,
  BackendNotificationParams,
  EditorNotification,
  EditorNotificationParams,
  Request,
  RequestParams,
  RequestResult,
} from "../server/protocol/editor.ts";

/** Only crashes within this time count, ms. */
const crashWindow = 180_000;
/** After this many crashes the backend is not restarted. */
const maxCrashes = 5;

/** Loaded lazily to keep activation fast. */
const heavy = () => import("./heavy.ts");

/** The backend: a language server that also starts runs, in its own process next to the extension host. */
export class Backend implements Disposable {
  readonly log: LogOutputChannel = window.createOutputChannel("BTX Studio", { log: true });
  readonly #context: ExtensionContext;
  readonly #commands: string[];
  readonly #emitters = new Map<BackendNotification, EventEmitter<unknown>>();
  readonly #onStart = new EventEmitter<void>();
  #client: Promise<LanguageClient> | undefined;
  #stopped = false;
  #crashes: number[] = [];
  #hasWarned = false;

  /** The backend started, or restarted without its earlier state. */
  readonly onDidStart = this.#onStart.event;

  /** @param commands that the backend may offer in code lenses. */
  constructor(context: ExtensionContext, commands: string[]) {
    this.#context = context;
    this.#commands = commands;
    context.subscriptions.push(this, this.log, this.#onStart);
    context.subscriptions.push(
      workspace.onDidGrantWorkspaceTrust(() => void this.notify("btx/trustChanged", { trusted: true })),
    );
  }

  /** Starts the backend after the current work of the extension host. */
  startSoon(): void {
    setTimeout(() => void this.#start().catch(() => {}));
  }

  /** Sends a request once the backend is running. Cancelling stops its work. @throws Error with a readable message. */
  async request<R extends Request>(
    name: R,
    params: RequestParams<R>,
    token?: CancellationToken,
  ): Promise<RequestResult<R>> {
    const client = await this.#start();
    const { requests } = await heavy();
    const answer = await (token
      ? client.sendRequest<unknown>(name, params, token)
      : client.sendRequest<unknown>(name, params));
    return requests[name].result.parse(answer) as RequestResult<R>;
  }

  /** Sends a notification if the backend is running. */
  async notify<N extends EditorNotification>(name: N, params: EditorNotificationParams<N>): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    if (client?.isRunning()) await client.sendNotification(name, params);
  }

  /** Calls `listener` with the backend's notifications, also after restarts. */
  onNotification<N extends BackendNotification>(
    name: N,
    listener: (params: BackendNotificationParams<N>) => void,
  ): Disposable {
    let emitter = this.#emitters.get(name);
    if (!emitter) {
      emitter = new EventEmitter<unknown>();
      this.#emitters.set(name, emitter);
      this.#context.subscriptions.push(emitter);
    }
    return emitter.event((params) => listener(params as BackendNotificationParams<N>));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const client = await this.#client?.catch(() => undefined);
    await client?.dispose();
  }

  dispose(): void {
    void this.stop();
  }

  #start(): Promise<LanguageClient> {
    if (this.#stopped) return Promise.reject(new Error("BTX Studio is closing"));
    this.#client ??= this.#launch().catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  async #launch(): Promise<LanguageClient> {
    const { CloseAction, ErrorAction, LanguageClient, backendNotifications, State, TransportKind } = await heavy();
    const module = Uri.joinPath(this.#context.extensionUri, "dist/server.js").fsPath;
    const client = new LanguageClient(
      "btx",
      "BTX Studio",
      { module, transport: TransportKind.ipc },
      {
        documentSelector: [{ language: "btx" }],
        outputChannel: this.log,
        // The backend leaves out lenses for other commands.
        initializationOptions: { commands: this.#commands },
        errorHandler: {
          error: () => ({ action: ErrorAction.Continue }),
          closed: () => ({
            action: this.#mayRestart() ? CloseAction.Restart : CloseAction.DoNotRestart,
            handled: true,
          }),
        },
        initializationFailedHandler: (error) => {
          this.log.error(`starting the backend failed: ${error instanceof Error ? error.message : error}`);
          return false;
        },
      },
    );
    for (const name of Object.keys(backendNotifications) as BackendNotification[]) {
      client.onNotification(name, (given: unknown) => {
        const { success, data, error } = backendNotifications[name].safeParse(given);
        if (success) this.#emitters.get(name)?.fire(data);
        else this.log.error(`${name}: ${error.issues[0]?.message}`);
      });
    }
    client.onDidChangeState(({ newState }) => {
      if (newState !== State.Running) return;
      this.log.info("the backend is running");
      void client.sendNotification("btx/trustChanged", { trusted: workspace.isTrusted });
      this.#onStart.fire();
    });
    await client.start();
    return client;
  }

  /** Whether to restart the backend after its process exited unexpectedly. Runs are not its children and continue. */
  #mayRestart(): boolean {
    const now = performance.now();
    this.#crashes = [...this.#crashes.filter((time) => now - time < crashWindow), now];
    if (this.#stopped) return false;
    if (this.#crashes.length > maxCrashes) {
      this.log.error(`the backend exited ${maxCrashes} times in three minutes and will not be restarted`);
      void this.#offerLog(
        window.showErrorMessage,
        "The backend of BTX Studio keeps exiting. Reload the window to try again; runs continue.",
      );
      return false;
    }
    this.log.warn("the backend exited and is being restarted; runs continue");
    if (!this.#hasWarned) {
      this.#hasWarned = true;
      void this.#offerLog(
        window.showWarningMessage,
        "The backend of BTX Studio exited and was restarted. Runs continue.",
      );
    }
    return true;
  }

  async #offerLog(show: (text: string, choice: string) => Thenable<string | undefined>, text: string): Promise<void> {
    if ((await show(text, "Show Log")) === "Show Log") this.log.show();
  }
}
