// `explore` as a browser meets it: real requests to a real server, until it is told to stop.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import * as path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { serve } from "../js/support/serve.mjs";
import {
  content,
  fails,
  json,
  ok,
  random,
  run,
  scratch,
  start,
} from "./support.mjs";

const LIBRARY = fileURLToPath(
  new URL("../../npm/dist/index.js", import.meta.url),
);
const BUILT = fileURLToPath(
  new URL("../../npm/dist/explorer", import.meta.url),
);

/** A page that stands for the explorer: what it is made of does not matter to the server. */
function makePage(directory) {
  const page = path.join(directory, "page");
  fs.mkdirSync(path.join(page, "assets"), { recursive: true });
  fs.writeFileSync(
    path.join(page, "index.html"),
    "<!doctype html><title>page</title>",
  );
  fs.writeFileSync(
    path.join(page, "assets", "engine.wasm"),
    Buffer.from([0, 97, 115, 109]),
  );
  fs.writeFileSync(path.join(page, ".secret"), "not for others");
  fs.writeFileSync(path.join(directory, "beside.txt"), "not for others either");
  return page;
}

function makeMap(directory, name = "map.rts.png") {
  const site = path.join(directory, "site");
  fs.mkdirSync(site, { recursive: true });
  fs.writeFileSync(
    path.join(site, "noise"),
    content(random(1), 300_000, "noise"),
  );
  const map = path.join(directory, name);
  ok(["build", site, map]);
  return map;
}

/** Starts the command; gives its document once it serves. */
async function explore(context, args, env = {}) {
  const child = start(["explore", "--json", ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit");
  const state = { child, ended, stderr: "" };
  child.stderr.on("data", (data) => (state.stderr += data));
  context.after(async () => {
    if (child.exitCode === null && child.signalCode === null)
      child.kill("SIGKILL");
    await ended;
  });
  let text = "";
  for await (const data of child.stdout) {
    text += data;
    if (text.endsWith("}\n")) break;
  }
  assert.notEqual(text, "", `explore has not begun: ${state.stderr}`);
  return Object.assign(state, { document: JSON.parse(text) });
}

/** One request; `path` goes out as it is. */
function ask(
  port,
  target,
  { method = "GET", headers = {}, host = "127.0.0.1" } = {},
) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { port, host, path: target, method, headers, agent: false },
      (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => {
          const body = Buffer.concat(parts);
          resolve({
            status: response.statusCode,
            headers: response.headers,
            body,
          });
        });
      },
    );
    request.on("error", reject);
    request.end();
  });
}

/** Does something to a map in another process, which then dies without closing it, or waits. */
function worker(map, how) {
  const code = `
    import { openMap } from ${JSON.stringify(LIBRARY)};
    const map = await openMap(${JSON.stringify(map)});
    map.fs.writeFileSync('/synced', 'before the crash');
    map.sync();
    if (${JSON.stringify(how)} === 'dies') process.kill(process.pid, 'SIGKILL');
    console.log('ready');
    process.stdin.once('data', () => { map.close(); process.exit(0); });
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  return { child, ended: once(child, "exit") };
}

describe("explore", () => {
  const cleanups = [];
  let directory;
  let page;
  let map;
  let bytes;
  let served;
  let port;
  before(async () => {
    const context = { after: (cleanup) => cleanups.unshift(cleanup) };
    directory = scratch(context);
    page = makePage(directory);
    map = makeMap(directory);
    bytes = fs.readFileSync(map);
    served = await explore(context, [map], { AETHERFLOW_EXPLORER: page });
    port = served.document.port;
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  test("prints where it is", () => {
    const { document } = served;
    assert.deepEqual(document, {
      map,
      url: `http://127.0.0.1:${port}/#url=/map/map.rts.png`,
      mapUrl: `http://127.0.0.1:${port}/map/map.rts.png`,
      host: "127.0.0.1",
      port,
      pid: served.child.pid,
      inUse: false,
    });
    assert.equal(served.stderr, "");
  });

  test("gives the map whole and by ranges", async () => {
    const whole = await ask(port, "/map/map.rts.png");
    assert.equal(whole.status, 200);
    assert.ok(whole.body.equals(bytes));
    const { headers } = whole;
    assert.equal(headers["content-type"], "image/png");
    assert.equal(headers["accept-ranges"], "bytes");
    assert.equal(headers["cache-control"], "no-cache");
    assert.equal(headers["content-encoding"], undefined);
    assert.equal(headers["access-control-allow-origin"], undefined);
    assert.match(headers["etag"], /^"[^"]+"$/u);
    const length = bytes.length;
    for (const [range, from, to] of [
      ["bytes=0-0", 0, 1],
      ["bytes=100-4195", 100, 4196],
      [`bytes=${length - 10}-`, length - 10, length],
      ["bytes=-33", length - 33, length],
      [`bytes=500-${length * 2}`, 500, length],
    ]) {
      const part = await ask(port, "/map/map.rts.png", {
        headers: { Range: range },
      });
      assert.equal(part.status, 206, range);
      assert.equal(
        part.headers["content-range"],
        `bytes ${from}-${to - 1}/${length}`,
      );
      assert.equal(part.headers["content-length"], String(to - from));
      assert.equal(part.headers["etag"], headers["etag"]);
      assert.ok(part.body.equals(bytes.subarray(from, to)), range);
    }
    const beyond = await ask(port, "/map/map.rts.png", {
      headers: { Range: `bytes=${length}-`, "Accept-Encoding": "gzip, br" },
    });
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers["content-range"], `bytes */${length}`);
    assert.equal(beyond.headers["etag"], undefined);
  });

  test("answers HEAD and conditions", async () => {
    const head = await ask(port, "/map/map.rts.png", { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(head.headers["content-length"], String(bytes.length));
    assert.equal(head.body.length, 0);
    const etag = head.headers["etag"];
    const same = await ask(port, "/map/map.rts.png", {
      headers: { "If-None-Match": etag },
    });
    assert.equal(same.status, 304);
    assert.equal(same.body.length, 0);
    const range = { Range: "bytes=0-9" };
    const fresh = await ask(port, "/map/map.rts.png", {
      headers: { ...range, "If-Range": etag },
    });
    assert.equal(fresh.status, 206);
    const stale = await ask(port, "/map/map.rts.png", {
      headers: { ...range, "If-Range": '"x"' },
    });
    assert.equal(stale.status, 200);
    const other = await ask(port, "/map/map.rts.png", {
      headers: { "If-Match": '"x"' },
    });
    assert.equal(other.status, 412);
  });

  test("gives the page, which may run the engine and nothing else", async () => {
    const root = await ask(port, "/");
    assert.equal(root.status, 200);
    assert.match(root.headers["content-type"], /^text\/html/u);
    assert.ok(root.body.equals(fs.readFileSync(path.join(page, "index.html"))));
    const policy = root.headers["content-security-policy"];
    assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'(?:;|$)/u);
    assert.match(policy, /worker-src 'self' blob:/u);
    assert.match(policy, /connect-src 'self' http: https: data: blob:/u);
    assert.equal(root.headers["x-content-type-options"], "nosniff");
    assert.equal(root.headers["cache-control"], "no-cache");
    const wasm = await ask(port, "/assets/engine.wasm?v=1");
    assert.equal(wasm.headers["content-type"], "application/wasm");
    assert.equal(wasm.body.length, 4);
    assert.equal((await ask(port, "/index.html")).status, 200);
  });

  test("leaves no service worker behind", async () => {
    const headers = { "Service-Worker": "script" };
    const script = await ask(port, "/sw.js", { headers });
    assert.match(script.headers["content-type"], /^text\/javascript/u);
    assert.match(script.body.toString(), /registration\.unregister/u);
  });

  test("gives nothing else", async () => {
    for (const target of [
      "/beside.txt",
      "/../beside.txt",
      "/..%2fbeside.txt",
      "/%2e%2e/beside.txt",
      "/assets/../../beside.txt",
      "/map/../beside.txt",
      "/map/..%2fbeside.txt",
      "/map/",
      "/map/other.rts.png",
      "/map/map.rts.png/",
      "/map/map.rts.png-lock",
      "/.secret",
      "/assets",
      "/%",
      "/%00",
      `//${directory}/beside.txt`,
      `${directory}/beside.txt`,
      "/\\..\\beside.txt",
    ]) {
      const { status, body } = await ask(port, target);
      assert.ok(status >= 400 && status < 500, `${target}: ${status}`);
      assert.doesNotMatch(body.toString(), /not for others/u, target);
    }
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const refused = await ask(port, "/map/map.rts.png", { method });
      assert.equal(refused.status, 405, method);
      assert.equal(refused.headers["allow"], "GET, HEAD");
    }
    assert.ok(fs.readFileSync(map).equals(bytes));
  });

  test("answers to its own names only", async () => {
    for (const host of [
      "localhost",
      "127.0.0.1",
      "[::1]",
      "map.localhost",
      "192.0.2.7",
      "LOCALHOST",
    ]) {
      const answer = await ask(port, "/", {
        headers: { Host: `${host}:${port}` },
      });
      assert.equal(answer.status, 200, host);
    }
    for (const host of [
      "evil.example",
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      `evil.example:${port}`,
    ]) {
      for (const target of ["/", "/map/map.rts.png"]) {
        const answer = await ask(port, target, { headers: { Host: host } });
        assert.equal(answer.status, 403, host);
        assert.match(answer.body.toString(), /its own name/u);
      }
    }
  });

  test("says so when its port is taken, and what is wrong with a host", () => {
    const env = { AETHERFLOW_EXPLORER: page };
    const taken = fails(1, ["explore", "--port", String(port), map], { env });
    assert.match(
      taken,
      new RegExp(
        `127.0.0.1 port ${port}: another program uses it; .*--port`,
        "u",
      ),
    );
    const nowhere = fails(2, ["explore", "--host", "203.0.113.7", map], {
      env,
    });
    assert.match(nowhere, /this machine has no such address/u);
    assert.match(
      fails(2, ["explore", "--port", "70000", map], { env }),
      /0 to 65535/u,
    );
  });
});

test("every name of a map finds its way through the address", async (context) => {
  const directory = scratch(context);
  const page = makePage(directory);
  const map = makeMap(directory);
  for (const name of [".hidden 100%+1&2=#?.rts.png", "größe 日本.png"]) {
    const named = path.join(directory, name);
    fs.symlinkSync(map, named);
    const { document, child, ended } = await explore(context, [named], {
      AETHERFLOW_EXPLORER: page,
    });
    // As the page does it.
    const field = new URLSearchParams(new URL(document.url).hash.slice(1)).get(
      "url",
    );
    const address = new URL(field, new URL("/assets/worker.js", document.url));
    assert.equal(address.href, document.mapUrl);
    const { status, body } = await ask(document.port, address.pathname);
    assert.equal(status, 200);
    assert.ok(body.equals(fs.readFileSync(map)));
    child.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null]);
  }
});

test("Ctrl-C ends it, and lets what is under way end first", async (context) => {
  const directory = scratch(context);
  const page = makePage(directory);
  const map = makeMap(directory);
  const { document, child, ended, stderr } = await explore(context, [map], {
    AETHERFLOW_EXPLORER: page,
  });
  // A connection that is kept, and one that says nothing.
  const agent = new http.Agent({ keepAlive: true });
  const silent = net.connect(document.port, "127.0.0.1");
  silent.on("error", () => undefined);
  await once(silent, "connect");
  await new Promise((resolve, reject) => {
    http
      .get(
        { port: document.port, host: "127.0.0.1", path: "/", agent },
        (response) => {
          response.resume().on("end", resolve);
        },
      )
      .on("error", reject);
  });
  const began = performance.now();
  child.kill("SIGINT");
  assert.deepEqual(await ended, [0, null]);
  assert.ok(performance.now() - began < 5000);
  agent.destroy();
  silent.destroy();
  assert.equal(stderr, "");
  await assert.rejects(ask(document.port, "/"), { code: "ECONNREFUSED" });
  assert.deepEqual(fs.readdirSync(directory).sort(), [
    "beside.txt",
    "map.rts.png",
    "page",
    "site",
  ]);
});

test("without --json the address is the one line on stdout", async (context) => {
  const directory = scratch(context);
  const page = makePage(directory);
  const map = makeMap(directory);
  const child = start(["explore", map], {
    env: { AETHERFLOW_EXPLORER: page },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit");
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => (stdout += data));
  child.stderr.on("data", (data) => {
    stderr += data;
    if (stderr.endsWith("\n")) child.kill("SIGINT");
  });
  assert.deepEqual(await ended, [0, null]);
  assert.match(
    stdout,
    /^http:\/\/127\.0\.0\.1:\d+\/#url=\/map\/map\.rts\.png\n$/u,
  );
  assert.equal(stderr, "Ctrl-C ends it\n");
});

test(
  "--open starts the browser with the address",
  { skip: process.platform !== "linux" },
  async (context) => {
    const directory = scratch(context);
    const page = makePage(directory);
    const map = makeMap(directory);
    const programs = path.join(directory, "bin");
    fs.mkdirSync(programs);
    const noted = path.join(directory, "noted");
    const opener = path.join(programs, "xdg-open");
    fs.writeFileSync(
      opener,
      `#!/bin/sh\nprintf %s "$1" > '${noted}.part' && mv '${noted}.part' '${noted}'\n`,
      {
        mode: 0o755,
      },
    );
    const env = {
      AETHERFLOW_EXPLORER: page,
      PATH: `${programs}:/usr/bin:/bin`,
    };
    const opened = await explore(context, ["--open", map], env);
    while (!fs.existsSync(noted))
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(fs.readFileSync(noted, "utf8"), opened.document.url);
    fs.writeFileSync(opener, "#!/bin/sh\nexit 3\n");
    const failed = await explore(context, ["--open", map], env);
    while (failed.stderr === "")
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.match(
      failed.stderr,
      /no browser was opened: xdg-open ended with 3/u,
    );
    assert.equal((await ask(failed.document.port, "/")).status, 200);
  },
);

test("a map that was not closed is recovered first", async (context) => {
  const directory = scratch(context);
  const page = makePage(directory);
  const map = makeMap(directory);
  const before = fs.readFileSync(map);
  const crash = worker(map, "dies");
  assert.deepEqual(await crash.ended, [null, "SIGKILL"]);
  assert.ok(fs.statSync(`${map}-wal`).size > 0);
  const { document } = await explore(context, [map], {
    AETHERFLOW_EXPLORER: page,
  });
  assert.equal(document.inUse, false);
  const { body } = await ask(document.port, "/map/map.rts.png");
  assert.ok(!body.equals(before));
  assert.equal(fs.existsSync(`${map}-wal`), false);
  // What was served is the map with what was synced, by itself.
  const copy = path.join(directory, "copy.rts.png");
  fs.writeFileSync(copy, body);
  assert.equal(ok(["cat", copy, "/synced"]).stdout, "before the crash");
  assert.equal(json(["verify", copy]).ok, true);
});

test("a map in use is served as it is, and its tag follows what is written", async (context) => {
  const directory = scratch(context);
  const page = makePage(directory);
  const map = makeMap(directory);
  const user = worker(map, "waits");
  context.after(() => user.child.kill("SIGKILL"));
  await once(user.child.stdout, "data");
  const served = await explore(context, [map], { AETHERFLOW_EXPLORER: page });
  assert.equal(served.document.inUse, true);
  assert.match(
    served.stderr,
    /^aetherflow: the map is in use by process \d+ .*reload/u,
  );
  const target = "/map/map.rts.png";
  const first = await ask(served.document.port, target, { method: "HEAD" });
  user.child.stdin.write("close\n");
  assert.deepEqual(await user.ended, [0, null]);
  const second = await ask(served.document.port, target);
  assert.notEqual(second.headers["etag"], first.headers["etag"]);
  assert.ok(second.body.equals(fs.readFileSync(map)));
  fs.rmSync(map);
  assert.equal((await ask(served.document.port, target)).status, 404);
});

test("a mounted map is written home first", async (context) => {
  const directory = scratch(context);
  const page = makePage(directory);
  const map = makeMap(directory);
  const { child } = await serve(context, map, "/a place");
  ok(["snapshot", "create", map, "kept"]);
  const copy = path.join(directory, "copy.rts.png");
  fs.copyFileSync(map, copy);
  assert.deepEqual(json(["snapshot", "list", copy]).snapshots, []);
  const served = await explore(context, [map], { AETHERFLOW_EXPLORER: page });
  assert.equal(served.document.inUse, true);
  assert.match(served.stderr, new RegExp(`process ${child.pid}`, "u"));
  fs.writeFileSync(
    copy,
    (await ask(served.document.port, "/map/map.rts.png")).body,
  );
  assert.equal(json(["snapshot", "list", copy]).snapshots[0].name, "kept");
  assert.equal(json(["verify", copy]).ok, true);
});

test("failures are told before anything is served", (context) => {
  const directory = scratch(context);
  const env = { AETHERFLOW_EXPLORER: makePage(directory) };
  const map = makeMap(directory);
  const text = path.join(directory, "beside.txt");
  assert.match(
    fails(9, ["explore", path.join(directory, "none.png")], { env }),
    /no such file/u,
  );
  assert.match(fails(3, ["explore", text], { env }), /not a PNG/u);
  fails(2, ["explore"], { env });
  const empty = path.join(directory, "empty");
  fs.mkdirSync(empty);
  const missing = fails(5, ["explore", map], {
    env: { AETHERFLOW_EXPLORER: empty },
  });
  assert.match(
    missing,
    /there is no page in .*empty; build it with `cargo xtask web`/u,
  );
  const { error } = JSON.parse(
    run(["explore", "--json", text], { env }).stderr,
  );
  assert.deepEqual([error.exit, error.reason], [3, "not-a-map"]);
});

test("packed maps are served as they are", async (context) => {
  const directory = scratch(context);
  const page = makePage(directory);
  const map = makeMap(directory);
  const packed = path.join(directory, "packed.png");
  ok(["pack", map, packed]);
  const before = fs.readFileSync(packed);
  const { document } = await explore(context, [packed], {
    AETHERFLOW_EXPLORER: page,
  });
  assert.ok((await ask(document.port, "/map/packed.png")).body.equals(before));
  assert.ok(fs.readFileSync(packed).equals(before));
});

test(
  "the page is the one of the package",
  { skip: !fs.existsSync(path.join(BUILT, "index.html")) && "it is not built" },
  async (context) => {
    const map = makeMap(scratch(context));
    const { document } = await explore(context, [map]);
    const { status, body } = await ask(document.port, "/");
    assert.equal(status, 200);
    assert.ok(body.equals(fs.readFileSync(path.join(BUILT, "index.html"))));
    // Every script and style the page names is there.
    for (const [, target] of body
      .toString()
      .matchAll(/(?:src|href)="\.\/([^"]+)"/gu)) {
      assert.equal(
        (await ask(document.port, `/${target}`)).status,
        200,
        target,
      );
    }
  },
);
