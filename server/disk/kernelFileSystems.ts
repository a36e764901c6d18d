import { statfs } from "node:fs/promises";

/**
 * File systems of Linux whose files the kernel makes up: reading them takes no disk, may never end and may have
 * effects. By the type that statfs(2) reports; linux/magic.h. (devtmpfs reports the type of tmpfs, which also holds
 * /tmp; it has no regular files.)
 */
const names = new Map([
  [0x9fa0, "proc"],
  [0x62656572, "sysfs"],
  [0x1cd1, "devpts"],
  [0x27e0eb, "cgroup"],
  [0x63677270, "cgroup2"],
  [0x64626720, "debugfs"],
  [0x74726163, "tracefs"],
  [0x73636673, "securityfs"],
  [0x62656570, "configfs"],
  [0x6165676c, "pstore"],
  [0xcafe4a11, "bpf"],
  [0xde5e81e4, "efivarfs"],
  [0xf97cff8c, "selinuxfs"],
  [0x43415d53, "smackfs"],
  [0x42494e4d, "binfmt_misc"],
  [0x65735543, "fusectl"],
  [0x19800202, "mqueue"],
  [0x67596969, "rpc_pipefs"],
  [0x6e736673, "nsfs"],
]);

/** The name of the file system that holds a folder if the kernel makes up its files, for example "proc". */
export async function kernelFileSystem(folder: string): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  const found = await statfs(folder).catch(() => undefined);
  return found && names.get(found.type);
}
