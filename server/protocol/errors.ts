/** A mistake its user can mend. The message is one sentence: what is wrong, where, and what to do. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** Work that was asked to stop has stopped, at a point from which it can be taken up again. */
export class StopRequested extends Error {
  override readonly name = "StopRequested";

  constructor() {
    super("stopped on request");
  }
}
