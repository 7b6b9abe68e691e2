import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How an answer goes wrong; all fields may be combined. */
export interface Misbehaviour {
  /** Answers this status with a short text. */
  readonly status?: number;
  /** Sends the asker elsewhere: a path of this mirror, or an address. */
  readonly redirect?: string;
  /** Other bytes than those of the file. */
  readonly body?: Buffer;
  /** Closes the connection after so many bytes of this answer's body. */
  readonly cutAfter?: number;
  /** Goes silent after so many bytes of this answer's body. */
  readonly stallAfter?: number;
  /** Goes silent without an answer. */
  readonly silent?: boolean;
  /** Knows nothing of ranges. */
  readonly noRanges?: boolean;
  /** Tells neither an ETag nor a date. */
  readonly noValidator?: boolean;
  /** Tells no length. */
  readonly chunked?: boolean;
  /** Says that a range begins somewhere else. */
  readonly wrongRange?: boolean;
}

/** A request as it came. */
export interface Asked {
  readonly path: string;
  readonly range: string | null;
  readonly ifRange: string | null;
  readonly authorization: string | null;
  /** Bytes of the body that were sent. */
  sent: number;
}

export interface Mirror extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly asked: Asked[];
}

/** A web server with these files by path, which misbehaves where it is told to: real HTTP, on a free port of this machine. */
export async function openMirror(
  files: Readonly<Record<string, Buffer>>,
  misbehave: (asked: Asked, nth: number) => Misbehaviour | null = () => null,
): Promise<Mirror> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const entry: Asked = {
      path: decodeURIComponent(new URL(request.url ?? "/", "http://x").pathname),
      range: request.headers.range ?? null,
      ifRange: (request.headers["if-range"] as string | undefined) ?? null,
      authorization: request.headers.authorization ?? null,
      sent: 0,
    };
    asked.push(entry);
    answer(request, response, entry, files[entry.path], misbehave(entry, asked.length - 1) ?? {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(_request: IncomingMessage, response: ServerResponse, asked: Asked, file: Buffer | undefined, fault: Misbehaviour): void {
  if (fault.silent) return;
  if (fault.redirect !== undefined) {
    response.writeHead(302, { location: fault.redirect }).end();
    return;
  }
  if (fault.status !== undefined || (file === undefined && fault.body === undefined)) {
    response.writeHead(fault.status ?? 404, { "content-type": "text/plain" }).end("no");
    return;
  }
  const body = fault.body ?? file ?? Buffer.alloc(0);
  const etag = `"${createHash("sha256").update(body).digest("hex").slice(0, 16)}"`;
  const start = Number(/^bytes=(\d+)-$/.exec(asked.range ?? "")?.[1] ?? 0);
  const isRanged = asked.range !== null && !fault.noRanges && (asked.ifRange === null || asked.ifRange === etag);
  if (isRanged && start >= body.length) {
    response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
    return;
  }
  const part = isRanged ? body.subarray(start) : body;
  const from = fault.wrongRange ? start + 1 : start;
  response.writeHead(isRanged ? 206 : 200, {
    "content-type": "application/octet-stream",
    ...(!fault.noRanges && { "accept-ranges": "bytes" }),
    ...(!fault.noValidator && { etag }),
    ...(!fault.chunked && { "content-length": part.length }),
    ...(isRanged && { "content-range": `bytes ${from}-${from + part.length - 1}/${body.length}` }),
  });
  const end = Math.min(part.length, fault.cutAfter ?? part.length, fault.stallAfter ?? part.length);
  asked.sent = end;
  if (end === part.length) {
    response.end(part);
    return;
  }
  // The other side must have read the bytes before the connection goes, or it sees none of them; on a busy machine that takes a while.
  response.write(part.subarray(0, end), () => {
    if (fault.stallAfter === undefined) setTimeout(() => response.destroy(), 100);
  });
}
