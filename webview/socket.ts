import { subprotocol, tokenPrefix } from "../server/protocol/stream.ts";
import type { Link, LinkEvents } from "./host.ts";

/** A socket that takes longer to open has failed, ms. */
const patience = 4000;

/** Opens a socket to the backend. @throws Error when it does not open. */
export function openSocket(url: string, token: string, events: LinkEvents): Promise<Link> {
  const socket = new WebSocket(url, [subprotocol, `${tokenPrefix}${token}`]);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    let open = false;
    const timer = setTimeout(() => socket.close(), patience);
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
