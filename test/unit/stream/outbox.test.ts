import { describe, expect, it } from "vitest";
import { maxUnread, Outbox } from "../../../server/stream/outbox.ts";

/** A page that reads when it is told to. */
function slowPage() {
  const sent: (string | ArrayBuffer)[] = [];
  const unread: (() => void)[] = [];
  const outbox = new Outbox({
    send(data, gone) {
      sent.push(data);
      unread.push(gone);
    },
    refuse() {},
  });
  return { outbox, sent, read: () => unread.shift()!() };
}

const { signal } = new AbortController();
const large = () => new ArrayBuffer(maxUnread + 1);

describe("what a page is sent", () => {
  it("waits until it has read enough of what it was sent before, in order", async () => {
    const { outbox, sent, read } = slowPage();
    await outbox.send(large(), signal);
    const rest = [outbox.send("first", signal), outbox.send("é", signal)];
    expect(sent).toHaveLength(1);
    expect(outbox.unread).toBe(maxUnread + 1);
    read();
    await Promise.all(rest);
    expect(sent.slice(1)).toEqual(["first", "é"]);
    expect(outbox.unread).toBe("first".length + 2);
    read();
    read();
    expect(outbox.unread).toBe(0);
  });

  it("is dropped when nobody wants it any more, and lets the next pass", async () => {
    const { outbox, sent, read } = slowPage();
    await outbox.send(large(), signal);
    const cancelled = new AbortController();
    const [waits, room, next] = [
      outbox.send("unwanted", cancelled.signal),
      outbox.room(cancelled.signal),
      outbox.send("next", signal),
    ];
    cancelled.abort();
    await Promise.all([waits, room]);
    read();
    await next;
    await outbox.send("unwanted", cancelled.signal);
    expect(sent.slice(1)).toEqual(["next"]);
  });
});
