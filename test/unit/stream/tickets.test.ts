import { describe, expect, it } from "vitest";
import { Tickets } from "../../../server/stream/tickets.ts";

const origin = "http://127.0.0.1:8000";

describe("a ticket", () => {
  it("is good once, for the origin it was given for", () => {
    const tickets = new Tickets();
    const token = tickets.issue(origin);
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(tickets.use(token, origin)).toBe(true);
    expect(tickets.use(token, origin)).toBe(false);
  });

  it("is used up by an attempt from elsewhere", () => {
    const tickets = new Tickets();
    const token = tickets.issue(origin);
    expect(tickets.use(token, "http://127.0.0.1:8001")).toBe(false);
    expect(tickets.use(token, origin)).toBe(false);
  });

  it("is no longer good after a minute", () => {
    const tickets = new Tickets();
    const [early, late] = [tickets.issue(origin, 0), tickets.issue(origin, 0)];
    expect(tickets.use(early, origin, 59_000)).toBe(true);
    expect(tickets.use(late, origin, 61_000)).toBe(false);
  });

  it("differs from every other, and nothing that was not issued is one", () => {
    const tickets = new Tickets();
    const tokens = Array.from({ length: 100 }, () => tickets.issue(origin));
    expect(new Set(tokens).size).toBe(100);
    expect(tickets.use("", origin)).toBe(false);
    expect(tickets.use(tokens[0]!.slice(1), origin)).toBe(false);
    expect(tickets.use(tokens[0]!, origin)).toBe(true);
  });

  it("gives way when very many are out, so that asking for them fills no memory", () => {
    const tickets = new Tickets();
    const first = tickets.issue(origin);
    const others = Array.from({ length: 256 }, () => tickets.issue(origin));
    expect(tickets.use(first, origin)).toBe(false);
    expect(tickets.use(others[0]!, origin)).toBe(true);
  });
});
