import { expect, test } from "vitest";
import { diskError, explained, withDiskErrors, withDiskErrorsSync } from "../../../server/disk/errors.ts";
import { UserError } from "../../../server/protocol/errors.ts";

const failure = (code: string, syscall = "open", path = "/runs/a") =>
  Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path, errno: -1 });

const codes = [
  ..."ENOSPC EDQUOT EFBIG EROFS EACCES EPERM EIO EMFILE ENFILE ESTALE ETIMEDOUT EHOSTDOWN ENOTCONN ENXIO ENODEV".split(
    " ",
  ),
  ..."ENAMETOOLONG ENOTDIR EISDIR ELOOP EBUSY ENOENT".split(" "),
];

test.each(codes)("%s is one sentence with the path and, after a colon, what to do", (code) => {
  for (const use of ["read", "write"] as const) {
    const error = diskError(failure(code), "/runs/a", use);
    expect(error).toBeInstanceOf(UserError);
    const { message } = error as UserError;
    expect(message).toContain("/runs/a");
    expect(message).toMatch(/: \w.* \w/);
    expect(message).not.toMatch(/\n|\.$/);
  }
});

test("an error of reading is never reported as damage of the file", () => {
  for (const code of codes) {
    const { message } = diskError(failure(code), "/runs/a", "read") as UserError;
    expect(message).not.toMatch(/damaged|remove it|delete/);
  }
});

test("an error that is not one of the disk stays as it is", async () => {
  const bug = new TypeError("x is undefined");
  expect(diskError(bug, "/runs/a")).toBe(bug);
  expect(explained(bug)).toBe(bug);
  await expect(withDiskErrors("/runs/a", () => Promise.reject(bug))).rejects.toBe(bug);
  expect(() =>
    withDiskErrorsSync("/runs/a", () => {
      throw bug;
    }),
  ).toThrow(bug);
});

test("an error that leaves a process is explained with the path and the direction that the system reported", () => {
  expect((explained(failure("EIO", "read", "/data/x")) as Error).message).toMatch(/failed to read \/data\/x \(EIO\)/);
  expect((explained(failure("EACCES", "rename", "/data/x")) as Error).message).toMatch(
    /no permission to write \/data\/x/,
  );
});

test("a sentence is not explained again", () => {
  const error = new UserError("the disk is full");
  expect(diskError(error, "/runs/a")).toBe(error);
});

test("a path that is too long is shortened in its sentence", () => {
  const { message } = diskError(failure("ENAMETOOLONG"), `/runs/${"x".repeat(5000)}`) as UserError;
  expect(message.length).toBeLessThan(300);
});
