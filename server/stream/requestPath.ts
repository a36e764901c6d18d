/**
 * The path that an HTTP request asks for, decoded and without its query; undefined for what is not the path of anything:
 * a target that does not begin with one slash, a broken percent-encoding, a NUL.
 */
export function requestPath(target: string | undefined): string | undefined {
  const encoded = /^\/(?!\/)[^?#]*/.exec(target ?? "")?.[0];
  if (encoded === undefined) return undefined;
  try {
    const path = decodeURIComponent(encoded);
    return path.includes("\0") ? undefined : path;
  } catch {
    return undefined;
  }
}
