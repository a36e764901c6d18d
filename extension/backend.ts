import {
  type Disposable,
  EventEmitter,
  type ExtensionContext,
  type LogOutputChannel,
  Uri,
  window,
  workspace,
} from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { type NotificationKind, type RequestKind, runsChanged, trustChanged } from "../server/protocol/editor.ts";

/** A crash later than this after the last does not count as the same trouble, ms. */
const calm = 180_000;
/** The backend is not started again after so many crashes in trouble. */
const most = 5;

/** The backend: a language server that also starts runs, in a process of its own beside the extension host. */
export class Backend implements Disposable {
  readonly log: LogOutputChannel = window.createOutputChannel("BTX Studio", { log: true });
  readonly #context: ExtensionContext;
  readonly #onRuns = new EventEmitter<string[]>();
  readonly #onStart = new EventEmitter<void>();
  #client: Promise<LanguageClient> | undefined;
  #stopped = false;
  #crashes: number[] = [];
  #told = false;

  /** The run folders in which a run began or ended. */
  readonly onDidChangeRuns = this.#onRuns.event;
  /** The backend has started, for the first time or again: what it was told before it has forgotten. */
  readonly onDidStart = this.#onStart.event;

  constructor(context: ExtensionContext) {
    this.#context = context;
    context.subscriptions.push(this, this.log, this.#onRuns, this.#onStart);
    context.subscriptions.push(
      workspace.onDidGrantWorkspaceTrust(() => void this.notify(trustChanged, { trusted: true })),
    );
  }

  /** Starts it after the current work of the extension host. */
  startSoon(): void {
    setTimeout(() => void this.#start().catch(() => {}));
  }

  /** Sends a request, once the backend runs. @throws Error with a sentence for people. */
  async request<P, R>(kind: RequestKind<P, R>, params: P): Promise<R> {
    const client = await this.#start();
    return kind.result.parse(await client.sendRequest<unknown>(kind.method, params));
  }

  /** Sends a notification, if the backend runs. */
  async notify<P>(kind: NotificationKind<P>, params: P): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    if (client?.isRunning()) await client.sendNotification(kind.method, params);
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
    // Loaded here and not with the extension, which would take longer to activate.
    const { CloseAction, ErrorAction, LanguageClient, State, TransportKind } = await import(
      "vscode-languageclient/node"
    );
    const module = Uri.joinPath(this.#context.extensionUri, "dist/server.js").fsPath;
    const client = new LanguageClient(
      "btx",
      "BTX Studio",
      { module, transport: TransportKind.ipc },
      {
        documentSelector: [{ language: "btx" }],
        outputChannel: this.log,
        errorHandler: {
          error: () => ({ action: ErrorAction.Continue }),
          closed: () => ({
            action: this.#mayRestart() ? CloseAction.Restart : CloseAction.DoNotRestart,
            handled: true,
          }),
        },
        initializationFailedHandler: (error) => {
          this.log.error(`the backend could not be started: ${error instanceof Error ? error.message : error}`);
          return false;
        },
      },
    );
    client.onNotification(runsChanged.method, (given: unknown) => {
      const { success, data } = runsChanged.params.safeParse(given);
      if (success) this.#onRuns.fire(data.roots);
    });
    client.onDidChangeState(({ newState }) => {
      if (newState !== State.Running) return;
      this.log.info("the backend runs");
      void client.sendNotification(trustChanged.method, { trusted: workspace.isTrusted });
      this.#onStart.fire();
    });
    await client.start();
    return client;
  }

  /** Whether to start the backend again, whose process has ended unasked. Runs are not its children and go on. */
  #mayRestart(): boolean {
    const now = Date.now();
    this.#crashes = [...this.#crashes.filter((time) => now - time < calm), now];
    if (this.#stopped) return false;
    if (this.#crashes.length > most) {
      this.log.error(`the backend ended ${most} times in three minutes and is not started again`);
      void this.#offerLog(
        window.showErrorMessage,
        "BTX Studio's backend keeps ending. Reload the window to try again; runs go on.",
      );
      return false;
    }
    this.log.warn("the backend ended and is started again; runs go on");
    if (!this.#told) {
      this.#told = true;
      void this.#offerLog(window.showWarningMessage, "BTX Studio's backend ended and was started again. Runs go on.");
    }
    return true;
  }

  async #offerLog(show: (text: string, choice: string) => Thenable<string | undefined>, text: string): Promise<void> {
    if ((await show(text, "Show Log")) === "Show Log") this.log.show();
  }
}
