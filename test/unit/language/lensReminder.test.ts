import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LensReminder } from "../../../server/language/lensReminder.ts";

describe("an editor that opens a file", () => {
  let reminded = 0;
  let reminder: LensReminder;
  beforeEach(() => {
    vi.useFakeTimers();
    reminded = 0;
    reminder = new LensReminder(() => reminded++, [10, 20]);
    reminder.opened("file:///a");
  });
  afterEach(() => vi.useRealTimers());

  it("is reminded of its lenses some times, and then left alone", () => {
    vi.advanceTimersByTime(9);
    expect(reminded).toBe(0);
    vi.advanceTimersByTime(1);
    expect(reminded).toBe(1);
    vi.advanceTimersByTime(1000);
    expect(reminded).toBe(2);
  });

  it("is not reminded of what it has asked for", () => {
    reminder.stop("file:///a");
    vi.advanceTimersByTime(1000);
    expect(reminded).toBe(0);
  });

  it("is reminded anew where it opens the file again", () => {
    reminder.stop("file:///a");
    reminder.opened("file:///a");
    vi.advanceTimersByTime(1000);
    expect(reminded).toBe(2);
  });
});
