/**
 * Downloads MongoDB's archive for this machine with mongodb-memory-server-core, which knows which build runs on which system, mirrors and proxies. In a
 * process of its own: it reads its settings from the environment, prints its progress, and cannot be told to stop.
 *
 * Arguments: the folder, the version, the names of the archives that may be taken (as JSON).
 */
import { arch, platform } from "node:os";
import { basename } from "node:path";
import { getOS } from "mongodb-memory-server-core/lib/util/getos/index.js";
import { MongoBinaryDownload } from "mongodb-memory-server-core/lib/util/MongoBinaryDownload.js";
import { MongoBinaryDownloadUrl } from "mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js";

/** What the child says at its end. */
export type DownloadReport = { readonly archive: string } | { readonly unknown: string } | { readonly message: string };

const [, , folder = "", version = "", names = "[]"] = process.argv;

async function download(): Promise<DownloadReport> {
  const system = { version, platform: platform(), arch: arch(), os: await getOS() };
  const name = basename(new URL(await new MongoBinaryDownloadUrl(system).getDownloadUrl()).pathname);
  if (!(JSON.parse(names) as string[]).includes(name)) return { unknown: name };
  return { archive: await new MongoBinaryDownload({ ...system, downloadDir: folder, checkMD5: false }).startDownload() };
}

download()
  .catch((error: Error): DownloadReport => ({ message: error.message }))
  .then((report) => process.send?.(report, () => process.disconnect()))
  .catch(() => process.exit(1));
