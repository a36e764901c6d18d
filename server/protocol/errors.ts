/** A mistake that the user can fix. The message is one sentence: what is wrong, where, and how to fix it. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** Work was cancelled at a point from which it can be resumed. */
export class StopRequested extends Error {
  override readonly name = "StopRequested";

  constructor() {
    super("stopped on request");
  }
}
