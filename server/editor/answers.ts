import { type Connection, LSPErrorCodes, ResponseError } from "vscode-languageserver/node";
import {
  type Answer,
  type Asked,
  type Heard,
  type News,
  type Notice,
  notices,
  type Request,
  requests,
  type Told,
} from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";

/** The editor's own requests, as the parts of the backend answer them. */
export interface Answers {
  /**
   * Answers a request: parameters are validated, and a user's mistake is answered with its sentence. `signal` is
   * aborted when the editor no longer wants the answer.
   */
  to<R extends Request>(
    name: R,
    handle: (params: Asked<R>, signal: AbortSignal) => Answer<R> | Promise<Answer<R>>,
  ): void;
  /** As `to`, but only in a trusted workspace. @param what is refused elsewhere, for example "Runs start". */
  toTrusted<R extends Request>(
    name: R,
    what: string,
    handle: (params: Asked<R>, signal: AbortSignal) => Answer<R> | Promise<Answer<R>>,
  ): void;
  /** Handles a notification from the editor. */
  hear<N extends Notice>(name: N, handle: (params: Told<N>) => void): void;
  /** Notifies the editor. */
  tell<N extends News>(name: N, params: Heard<N>): void;
  /** Registers work to do when the editor disconnects. */
  onEnd(work: () => void): void;
  /** Whether the editor has declared its workspace trusted. */
  trusted(): boolean;
}

/** Nothing is started or removed until the editor declares its workspace trusted. */
export function answersOver(connection: Connection): Answers {
  let trusted = false;
  const answers: Answers = {
    to(name, handle) {
      connection.onRequest(name, async (given: unknown, token): Promise<unknown> => {
        const controller = new AbortController();
        if (token.isCancellationRequested) controller.abort();
        token.onCancellationRequested(() => controller.abort());
        try {
          const { success, data, error } = requests[name].params.safeParse(given);
          if (!success) throw new UserError(`${name}: ${error.issues[0]?.message}`);
          return await handle(data as Asked<typeof name>, controller.signal);
        } catch (error) {
          if (error instanceof UserError) return new ResponseError(LSPErrorCodes.RequestFailed, error.message);
          connection.console.error(`${name}: ${error instanceof Error ? error.stack : error}`);
          return new ResponseError(LSPErrorCodes.RequestFailed, `${name} failed: the log says why`);
        }
      });
    },
    toTrusted(name, what, handle) {
      answers.to(name, (params, signal) => {
        if (trusted) return handle(params, signal);
        throw new UserError(`${what} in a trusted workspace only: choose Manage Workspace Trust and trust this one.`);
      });
    },
    hear(name, handle) {
      connection.onNotification(name, (given: unknown) => {
        const { success, data, error } = notices[name].safeParse(given);
        if (success) handle(data as Told<typeof name>);
        else connection.console.error(`${name}: ${error.issues[0]?.message}`);
      });
    },
    tell(name, params) {
      connection.sendNotification(name, params).catch((error: unknown) => console.error(`${name}:`, error));
    },
    onEnd(work) {
      connection.onExit(work);
    },
    trusted: () => trusted,
  };
  answers.hear("btx/trustChanged", (told) => {
    trusted = told.trusted;
  });
  return answers;
}
