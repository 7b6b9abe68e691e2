import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { isRecordingName, isRecordingOf, META_ENDING } from "../../pipeline/recording-names.ts";

/** A call in a folder: a recording, or a metadata file that names the two recordings of one. */
export interface FoundCall {
  /** Relative to the folder that is looked through, with `/` between its parts. */
  readonly name: string;
  /** Of the recording, or of the metadata file that names its legs. */
  readonly path: string;
  readonly legs: { readonly agent: string; readonly customer: string } | null;
}

/**
 * All calls below a folder, one folder after the other, each by name: the same order at every time. Hidden files and folders are passed over, and so are those of `except`.
 *
 * @throws NodeJS.ErrnoException where a folder cannot be read
 */
export async function* findCalls(root: string, { except = [] }: { readonly except?: readonly string[] } = {}): AsyncGenerator<FoundCall> {
  const folders = [root];
  /** Of metadata files in folders above: a folder comes before those below it. */
  const legsBelow = new Set<string>();
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith("."));
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder as string, name));
    folders.push(...below.filter((path) => !except.includes(path)).reverse());
    const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    const legs = await legsIn(folder, files);
    const isLeg = new Set([...legs.values()].flatMap(({ agent, customer }) => [agent, customer]));
    for (const path of isLeg) if (dirname(path) !== folder) legsBelow.add(path);
    for (const name of files) {
      const path = join(folder, name);
      const own = legs.get(name) ?? null;
      if (own || (isRecordingName(name) && !isLeg.has(path) && !legsBelow.delete(path)))
        yield { name: nameOf(root, path, own !== null), path, legs: own };
    }
  }
}

/**
 * The call that a file belongs to: of a recording itself, of a metadata file with legs the call of both, of a leg, or of anything else, null.
 *
 * @param files names of all files in its folder
 */
export async function callOfFile(root: string, path: string, files: readonly string[]): Promise<FoundCall | null> {
  const folder = dirname(path);
  const name = path.slice(folder.length + 1);
  const legs = await legsIn(folder, files);
  const own = legs.get(name) ?? null;
  if (own) return { name: nameOf(root, path, true), path, legs: own };
  const named = [...legs.values(), ...(await legsAbove(root, folder))];
  const isLeg = named.some(({ agent, customer }) => path === agent || path === customer);
  return isRecordingName(name) && !isLeg ? { name: nameOf(root, path, false), path, legs: null } : null;
}

/** Legs that metadata files between the root and the folder name. */
async function legsAbove(root: string, folder: string): Promise<NonNullable<FoundCall["legs"]>[]> {
  const found: NonNullable<FoundCall["legs"]>[] = [];
  for (let above = folder; above !== root && above !== dirname(above); ) {
    above = dirname(above);
    found.push(...(await legsIn(above, await readdir(above))).values());
  }
  return found;
}

function nameOf(root: string, path: string, isMeta: boolean): string {
  const name = relative(root, path).replaceAll("\\", "/");
  return isMeta ? name.slice(0, -META_ENDING.length) : name;
}

/** Legs by the name of the metadata file that names them; what is wrong with such a file is said when its call is read. */
async function legsIn(folder: string, files: readonly string[]): Promise<Map<string, NonNullable<FoundCall["legs"]>>> {
  const legs = new Map<string, NonNullable<FoundCall["legs"]>>();
  const metas = files.filter((name) => name.endsWith(META_ENDING));
  if (metas.length === 0) return legs;
  const stems = new Set(files.filter(isRecordingName).map((name) => name.slice(0, name.lastIndexOf("."))));
  for (const meta of metas) {
    if (stems.has(meta.slice(0, -META_ENDING.length)) && files.some((name) => isRecordingOf(name, meta))) continue;
    const named = await legsNamedIn(join(folder, meta));
    if (named) legs.set(meta, { agent: join(folder, named.agent), customer: join(folder, named.customer) });
  }
  return legs;
}

async function legsNamedIn(path: string): Promise<{ agent: string; customer: string } | null> {
  try {
    const { legs } = JSON.parse(await readFile(path, "utf8")) as { legs?: { agent?: unknown; customer?: unknown } };
    return legs && typeof legs.agent === "string" && typeof legs.customer === "string"
      ? { agent: legs.agent, customer: legs.customer }
      : null;
  } catch {
    return null;
  }
}
