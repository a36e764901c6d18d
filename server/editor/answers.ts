import { type Connection, LSPErrorCodes, ResponseError } from "vscode-languageserver/node";
import {
  type BackendNotification,
  type BackendNotificationParams,
  type EditorNotification,
  type EditorNotificationParams,
  editorNotifications,
  type Request,
  type RequestParams,
  type RequestResult,
  requests,
} from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";
import { checkTrust, requestsNeedTrust } from "../protocol/trust.ts";

/** The editor's own requests, as the parts of the backend answer them. */
export interface Answers {
  /**
   * Answers a request: parameters are validated, a request that needs trust is refused in an untrusted workspace, and a
   * user's mistake is answered with its sentence. `signal` is aborted when the editor no longer wants the answer.
   */
  to<R extends Request>(
    name: R,
    handle: (params: RequestParams<R>, signal: AbortSignal) => RequestResult<R> | Promise<RequestResult<R>>,
  ): void;
  /** Handles a notification from the editor. */
  onNotification<N extends EditorNotification>(name: N, handle: (params: EditorNotificationParams<N>) => void): void;
  /** Notifies the editor. */
  notify<N extends BackendNotification>(name: N, params: BackendNotificationParams<N>): void;
  /** Registers work to do when the editor disconnects. */
  onEnd(work: () => void): void;
  /** Whether the editor has declared its workspace trusted. */
  trusted(): boolean;
}

/** Nothing is started, written or removed until the editor declares its workspace trusted. */
export function answersOver(connection: Connection, onTrust: (trusted: boolean) => void): Answers {
  let trusted = false;
  const ending: (() => void)[] = [];
  // A connection keeps one handler only.
  connection.onExit(() => {
    for (const work of ending) work();
  });
  const answers: Answers = {
    to(name, handle) {
      connection.onRequest(name, async (given: unknown, token): Promise<unknown> => {
        const controller = new AbortController();
        if (token.isCancellationRequested) controller.abort();
        token.onCancellationRequested(() => controller.abort());
        try {
          const { success, data, error } = requests[name].params.safeParse(given);
          if (!success) throw new UserError(`${name}: ${error.issues[0]?.message}`);
          checkTrust(requestsNeedTrust[name], trusted);
          return await handle(data as RequestParams<typeof name>, controller.signal);
        } catch (error) {
          if (error instanceof UserError) return new ResponseError(LSPErrorCodes.RequestFailed, error.message);
          connection.console.error(`${name}: ${error instanceof Error ? error.stack : error}`);
          return new ResponseError(LSPErrorCodes.RequestFailed, `${name} failed: the log says why`);
        }
      });
    },
    onNotification(name, handle) {
      connection.onNotification(name, (given: unknown) => {
        const { success, data, error } = editorNotifications[name].safeParse(given);
        if (success) handle(data as EditorNotificationParams<typeof name>);
        else connection.console.error(`${name}: ${error.issues[0]?.message}`);
      });
    },
    notify(name, params) {
      connection.sendNotification(name, params).catch((error: unknown) => console.error(`${name}:`, error));
    },
    onEnd(work) {
      ending.push(work);
    },
    trusted: () => trusted,
  };
  answers.onNotification("btx/trustChanged", ({ trusted: isTrusted }) => {
    trusted = isTrusted;
    onTrust(trusted);
  });
  return answers;
}
