import type { Progress } from "vscode";

/** What requests with progress have in common. */

let count = 0;

/** An id that tells a request's notifications from those of others. */
export const requestId = (): string => `${Date.now()}-${count++}`;

/** Reports how much of the work is done, a share from 0 to 1, as the increments in per cent that VS Code wants. */
export function shareReporter(progress: Progress<{ message?: string; increment?: number }>) {
  let before = 0;
  return (share: number, message: string): void => {
    const percent = Math.min(100, 100 * share);
    progress.report({ message, increment: Math.max(0, percent - before) });
    before = Math.max(before, percent);
  };
}
