/** npm's package-lock.json: every package of a tree, by its folder, with its version and checksum; "" asks for them. */
export interface PackageLock {
  lockfileVersion: number;
  requires: boolean;
  packages: Record<string, { version?: string; integrity?: string; dependencies?: Record<string, string> }>;
}
