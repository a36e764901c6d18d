/**
 * The path of an HTTP request's target, decoded and without query; undefined for an invalid one: a target that does not
 * begin with exactly one slash, a malformed percent-encoding, a NUL character.
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
