import { subprotocol, tokenPrefix } from "../server/protocol/stream.ts";
import type { Connection, ConnectionEvents } from "./host.ts";

/** Time limit for opening a socket, ms. */
const timeLimit = 4000;

/** Opens a socket to the backend. @throws Error if it does not open. */
export function openSocket(url: string, token: string, events: ConnectionEvents): Promise<Connection> {
  const socket = new WebSocket(url, [subprotocol, `${tokenPrefix}${token}`]);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    let open = false;
    const timer = setTimeout(() => socket.close(), timeLimit);
    socket.addEventListener("open", () => {
      clearTimeout(timer);
      open = true;
      resolve({ send: (text) => socket.send(text), close: () => socket.close() });
    });
    socket.addEventListener("message", ({ data }) => events.message(data));
    socket.addEventListener("close", () => {
      clearTimeout(timer);
      if (open) events.closed();
      else reject(new Error("The backend cannot be reached."));
    });
  });
}
