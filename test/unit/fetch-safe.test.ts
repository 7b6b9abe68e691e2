import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusedAddress } from "../../src/fetch/addresses.ts";
import { isAllowedHost } from "../../src/fetch/allowed-host.ts";
import { type Lookup, type SafeFetchOptions, safeFetch } from "../../src/fetch/safe-fetch.ts";

describe("addresses", () => {
  test.each(["127.0.0.1", "127.255.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12:3456::1", "::ffff:10.0.0.1"])(
    "%s is one's own network: refused unless allowed",
    (address) => {
      expect(refusedAddress(address, { privateAddresses: false })).not.toBeNull();
      expect(refusedAddress(address, { privateAddresses: true })).toBeNull();
    },
  );

  test.each([
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "fe80::1",
    "100.100.100.200",
    "fd00:ec2::254",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "255.255.255.255",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001::1",
    "not-an-address",
    "",
  ])("%s is refused always", (address) => {
    expect(refusedAddress(address, { privateAddresses: false })).not.toBeNull();
    expect(refusedAddress(address, { privateAddresses: true })).not.toBeNull();
  });

  test.each(["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"])("%s is public", (address) => {
    expect(refusedAddress(address, { privateAddresses: false })).toBeNull();
  });
});

test("hosts are allowed by name, by what they are below, and with their port", () => {
  const allowed = ["rec.example.com", "*.store.example.com", "ported.example.com:8443", "127.0.0.1"];
  const isAllowed = (url: string) => isAllowedHost(new URL(url), allowed);
  for (const url of [
    "https://rec.example.com/a.wav",
    "http://REC.example.com.:8080/a.wav",
    "https://a.store.example.com/",
    "https://a.b.store.example.com/",
    "https://ported.example.com:8443/",
    "http://127.0.0.1:3000/",
  ])
    expect([url, isAllowed(url)]).toEqual([url, true]);
  for (const url of [
    "https://example.com/",
    "https://evil-rec.example.com/",
    "https://rec.example.com.evil.com/",
    "https://store.example.com/",
    "https://evilstore.example.com/",
    "https://ported.example.com/",
    "http://127.0.0.2/",
  ])
    expect([url, isAllowed(url)]).toEqual([url, false]);
});

describe("fetching", () => {
  let server: Server;
  let origin: string;
  let asked: string[] = [];
  let answer: RequestListener;
  const lookups: string[] = [];
  const lookup: Lookup = async (hostname) => {
    lookups.push(hostname);
    return [{ address: hostname === "sneaky.example.com" ? "10.0.0.1" : "127.0.0.1", family: 4 }];
  };
  const options: SafeFetchOptions = {
    allowedHosts: ["rec.example.com", "sneaky.example.com"],
    privateAddresses: true,
    maxBytes: 1000,
    timeoutMs: 5000,
    lookup,
  };

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.headers.host} ${request.url}`);
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://rec.example.com:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const serve = (listener: RequestListener): void => {
    answer = listener;
    asked = [];
    lookups.length = 0;
  };

  test("an answer comes with its status, its name and its bytes; its name is resolved once", async () => {
    serve((_, response) => response.end("sound"));
    const found = await safeFetch(`${origin}/in/%E5%BD%95%E9%9F%B3.wav?x=1`, options);
    expect([found.status, found.name, await text(found.body)]).toEqual([200, "录音.wav", "sound"]);
    expect(lookups).toEqual(["rec.example.com"]);
  });

  test.each([
    ['attachment; filename="../../etc/passwd"', "passwd"],
    ["attachment; filename*=UTF-8''%E5%BD%95.wav", "录.wav"],
    ['attachment; filename="..\\\\..\\\\x.wav"', "x.wav"],
    ['attachment; filename=".."', "recording"],
  ])("a name in a header never leads elsewhere: %s", async (disposition, name) => {
    serve((_, response) => response.setHeader("content-disposition", disposition).end());
    const found = await safeFetch(`${origin}/`, options);
    found.body.resume();
    expect(found.name).toBe(name);
  });

  test("a host that is not allowed is not even resolved", async () => {
    serve((_, response) => response.end());
    for (const url of [
      "http://other.example.com/",
      "ftp://rec.example.com/",
      "file:///etc/passwd",
      "http://u:p@rec.example.com/",
      "::",
      "",
    ])
      await expect(safeFetch(url, options)).rejects.toMatchObject({ code: "source/refused" });
    expect([asked, lookups]).toEqual([[], []]);
  });

  test("an allowed name that leads to a private address is refused, and nothing is connected to", async () => {
    serve((_, response) => response.end());
    const port = new URL(origin).port;
    await expect(safeFetch(`http://sneaky.example.com:${port}/`, { ...options, privateAddresses: false })).rejects.toMatchObject({
      code: "source/refused",
    });
    await expect(safeFetch(`${origin}/`, { ...options, privateAddresses: false })).rejects.toMatchObject({ code: "source/refused" });
    expect(asked).toEqual([]);
  });

  test("one bad address among good ones is enough", async () => {
    const mixed: Lookup = async () => [
      { address: "8.8.8.8", family: 4 },
      { address: "169.254.169.254", family: 4 },
    ];
    await expect(safeFetch(`${origin}/`, { ...options, lookup: mixed })).rejects.toMatchObject({ code: "source/refused" });
  });

  test.each([
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[fe80::1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0/",
  ])("an address written as a number is checked too: %s", async (url) => {
    await expect(safeFetch(url, { ...options, allowedHosts: null, privateAddresses: false })).rejects.toMatchObject({
      code: "source/refused",
    });
  });

  test("redirects are followed within the allowed hosts only", async () => {
    serve((request, response) => {
      if (request.url === "/1") response.writeHead(302, { location: "/2" }).end("moved");
      else if (request.url === "/2") response.writeHead(307, { location: `${origin}/3` }).end();
      else if (request.url === "/out") response.writeHead(302, { location: "http://169.254.169.254/latest/" }).end();
      else if (request.url === "/loop") response.writeHead(302, { location: "/loop" }).end();
      else response.end("there");
    });
    expect(await text((await safeFetch(`${origin}/1`, options)).body)).toBe("there");
    await expect(safeFetch(`${origin}/out`, options)).rejects.toMatchObject({ code: "source/refused" });
    await expect(safeFetch(`${origin}/out`, { ...options, allowedHosts: null })).rejects.toMatchObject({ code: "source/refused" });
    await expect(safeFetch(`${origin}/loop`, options)).rejects.toMatchObject({ code: "source/failed" });
  });

  test("an answer that is none is not taken for a recording", async () => {
    serve((_, response) => response.writeHead(404).end("<h1>not here</h1>"));
    await expect(safeFetch(`${origin}/`, options)).rejects.toMatchObject({
      code: "source/failed",
      message: expect.stringContaining("404"),
    });
  });

  test("too many bytes are refused, told beforehand or not", async () => {
    serve((_, response) => response.writeHead(200, { "content-length": "1001" }).end("x".repeat(1001)));
    await expect(safeFetch(`${origin}/`, options)).rejects.toMatchObject({ code: "request/too-large" });
    serve((_, response) => {
      for (let i = 0; i < 100; i++) response.write("x".repeat(100));
      response.end();
    });
    const found = await safeFetch(`${origin}/`, options);
    await expect(text(found.body)).rejects.toMatchObject({ code: "request/too-large" });
  });

  test("a server that drips, or says nothing, is given up on; a signal ends it too", async () => {
    serve((_, response) => {
      const drip = setInterval(() => response.write("x"), 50);
      response.on("close", () => clearInterval(drip));
    });
    const found = await safeFetch(`${origin}/`, { ...options, timeoutMs: 400 });
    await expect(text(found.body)).rejects.toMatchObject({ code: "source/failed" });
    serve(() => {});
    await expect(safeFetch(`${origin}/`, { ...options, timeoutMs: 300 })).rejects.toMatchObject({ code: "source/failed" });
    await expect(safeFetch(`${origin}/`, { ...options, signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ code: "aborted" });
  });

  test("a post sends its body and follows nothing", async () => {
    const bodies: string[] = [];
    serve((request, response) => {
      void text(request).then((body) => {
        bodies.push(body);
        response.writeHead(302, { location: "/other" }).end();
      });
    });
    const found = await safeFetch(`${origin}/hook`, { ...options, post: { body: "{}", headers: { "content-type": "application/json" } } });
    found.body.resume();
    expect([found.status, bodies, asked.length]).toEqual([302, ["{}"], 1]);
  });
});
