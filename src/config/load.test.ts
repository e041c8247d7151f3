import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits } from "../base/limits.ts";
import { describe, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { configTemplate } from "./template.ts";
import { loadConfig, type LoadedConfig } from "./load.ts";
import { renderProblems } from "./problem.ts";

const load = (text: string, environment: Record<string, string> = {}, files: Record<string, string> = {}): Promise<LoadedConfig> =>
  loadConfig(
    { path: "/etc/box/signalbox.yaml", text },
    {
      environment,
      readFile: async (path) => {
        if (files[path] !== undefined) return files[path];
        throw Object.assign(new Error("absent"), { code: "ENOENT" });
      },
    },
  );

const places = (loaded: LoadedConfig): readonly string[] =>
  "problems" in loaded
    ? loaded.problems.map(
        (problem) => `${problem.line}:${problem.column} ${problem.message}${problem.mend === "" ? "" : ` | ${problem.mend}`}`,
      )
    : [];

const minimal = "version: 1\nstore: memory\n";

describe("loading the configuration", () => {
  test("gives every default", async () => {
    const loaded = await load(minimal);
    expect(loaded).toMatchObject({
      config: {
        store: { kind: "memory" },
        listen: { host: "127.0.0.1", port: 7320 },
        hosts: [],
        keys: undefined,
        credentials: [],
        sources: [],
        modules: [],
        anchors: [],
        policy: { roles: {}, rules: [] },
      },
    });
  });

  test(
    verifies("AUTH-05", "refuses a source that sends a credential without saying whose rights it stands for, with the line to add"),
    async () => {
      const source = (text: string) => load(`${minimal}sources: { crm: { http: { url: 'https://crm.example', tools: {}, ${text} } } }\n`);
      const own = "auth: { secret: 'secret://file/s/{tenant}/{user}'";
      for (const good of ["runsAs: service, auth: secret://env/T", `runsAs: user, ${own} }`, "allowPrivate: []"])
        expect(places(await source(good))).toEqual([]);
      for (const [text, expected] of [
        ["auth: secret://env/T", "this sends a credential, and nothing says whose rights it stands for | add `runsAs: service`"],
        [`${own} }`, "nothing says whose rights it stands for | add `runsAs: user`"],
        ["runsAs: user", "no credential of the user is named | add `auth: { secret: secret://file/…/{tenant}/{user} }`"],
        ["runsAs: user, auth: secret://env/T", "this is one credential for all users | name one of each user"],
        [`runsAs: service, ${own} }`, "this is a credential of each user | say `runsAs: user`"],
        ["runsAs: user, auth: 'secret://file/s/{user}'", "`{tenant}` not exactly once"],
        [`runsAs: user, ${own}, exchange: { url: 'http://idp.example/t' } }`, "cannot be asked"],
        ["runsAs: both, auth: secret://env/T", "expected one of `service`, `user`"],
      ])
        expect(places(await source(text as string)).join("\n")).toContain(expected);
      const server = (text: string) => load(`${minimal}sources: { docs: { mcp: { url: 'https://mcp.example', ${text} } } }\n`);
      expect(places(await server("auth: secret://env/T"))).toEqual([expect.stringContaining("| add `runsAs: service`")]);
      expect(places(await server("auth: secret://env/T, runsAs: service"))).toEqual([]);
      expect(places(await server("auth: secret://env/T, runsAs: user"))).toEqual([expect.stringContaining("one credential for all users")]);
      expect(places(await server(`runsAs: user, ${own} }`))).toEqual([]);
      expect(places(await server(`runsAs: user, ${own} }, listAuth: secret://env/L`))).toEqual([]);
      expect(places(await server("runsAs: service, auth: secret://env/T, listAuth: secret://env/L"))).toEqual([
        expect.stringContaining("`listAuth` is for `runsAs: user`"),
      ]);
      expect(places(await server(`runsAs: user, ${own} }, listAuth: 'secret://file/s/{tenant}/{user}'`))).toEqual([
        expect.stringContaining("before any user calls"),
      ]);
      const child = "sources: { docs: { mcp: { command: [x], environment: { TOKEN: secret://env/T } } } }\n";
      expect(places(await load(minimal + child))).toEqual([expect.stringContaining("3:56 this sends a credential")]);
    },
  );

  test("reads how upstreams are protected, and names one that is no source", async () => {
    const http = "http: { url: 'https://crm.example', tools: {} }";
    const good = await load(
      `${minimal}sources: { crm: { ${http} } }\nupstreams: { crm: { breaker: { failures: 2 }, bulkhead: { queue: 0 } } }\n`,
    );
    expect(good).toMatchObject({ config: { upstreams: { crm: { breaker: { failures: 2 }, bulkhead: { queue: 0 } } } } });
    const bad = await load(`${minimal}sources: { crm: { ${http} } }\nupstreams: { crn: { breaker: { failures: 0 } } }\n`);
    expect(places(bad)).toEqual([
      "4:14 no source is called `crn` (nearest: `crm`) | name one of `sources:`",
      `4:42 expected a whole number from 1 to ${fixedBounds.configCountMax}; got \`0\``,
    ]);
    const asked = (check: string): string => `${minimal}sources: { crm: { ${http} } }\nupstreams: { crm: { healthCheck: ${check} } }\n`;
    expect(await load(asked("{ url: 'http://127.0.0.1:9/up', everyMs: 500, allowPrivate: ['127.0.0.1:9'] }"))).toMatchObject({
      config: { upstreams: { crm: { healthCheck: { url: "http://127.0.0.1:9/up", everyMs: 500, allowPrivate: ["127.0.0.1:9"] } } } },
    });
    expect(places(await load(asked("{ url: 'http://127.0.0.1:9/up' }")))).toEqual([
      expect.stringMatching(/^4:\d+ this address cannot be asked: .*without TLS/) as string,
    ]);
  });

  test(verifies("AUTH-15", "reads what may be narrowed, of declared and of imported tools, and names what could never be"), async () => {
    const of = (narrows: string): string => `${minimal}sources:
  shop: { http: { url: 'https://shop.example', tools: { pay: { method: POST, path: /pay, tier: reversible, description: Pay.,
    input: { type: object, properties: { amount: { type: number } } }, narrows: ${narrows} } } } }
  docs: { mcp: { command: [docs], tools: { send: { narrows: { to: subset } } } } }
policy:
  rules:
    - { id: cap, on: shop.pay, effect: modify, change: { amount: { cap: 50 } } }
    - { id: night, on: shop.pay, effect: defer, for: 1x }
`;
    const good = await load(of("{ amount: cap }").replace("1x", "1h"));
    expect(good).toMatchObject({
      config: {
        sources: [{ tools: [{ parts: { narrows: { amount: "cap" } } }] }],
        mcpSources: [{ tools: { send: { narrows: { to: "subset" } } } }],
        policy: { rules: [{ change: [{ argument: "amount", operator: "cap", value: 50 }] }, { defer: { wait: { forMs: 3_600_000 } } }] },
      },
    });
    expect(places(await load(of("{ amuont: cap }")))).toEqual([
      expect.stringContaining("the input schema has no argument `amuont`"),
      "10:54 expected a span such as `90s`, `30m`, `24h` or `7d`",
    ]);
    expect(places(await load(of("{ amount: floor }").replace("1x", "1h")))).toEqual([
      expect.stringContaining("expected one of `cap`, `subset`, `flag`"),
    ]);
  });

  test(verifies("AUTH-11", "reads decision points, and names one whose address may not be asked"), async () => {
    const point = (rest: string): string =>
      `${minimal}decisionPoints:\n  corp: { protocol: authzen, url: 'http://127.0.0.1:9/x'${rest} }\n`;
    expect(await load(point(", allowPrivate: ['127.0.0.1:9'], auth: 'secret://env/PDP', on: [shop.*], cacheMs: 50"))).toMatchObject({
      config: {
        decisionPoints: [
          { name: "corp", protocol: "authzen", allowPrivate: ["127.0.0.1:9"], secret: "secret://env/PDP", on: ["shop.*"], cacheMs: 50 },
        ],
      },
    });
    expect(places(await load(point("")))).toEqual([expect.stringMatching(/^4:35 this address cannot be asked: .*TLS.* \| use https/)]);
    expect(places(await load(point(", allowPrivate: ['127.0.0.1:9'], auth: 'hunter2'")))).toEqual([
      expect.stringMatching(/a secret stands here by value/),
    ]);
  });

  test(verifies("AUTH-11", "reads Cedar's files, and names what means nothing beside them or is missing"), async () => {
    const point = (members: string): string => `${minimal}decisionPoints:\n  corp: { ${members} }\n`;
    expect(await load(point("protocol: cedar, policies: ./a.cedar, schema: a.cedarschema, on: [shop.*]"))).toMatchObject({
      config: {
        decisionPoints: [
          { name: "corp", protocol: "cedar", policies: "/etc/box/a.cedar", schema: "/etc/box/a.cedarschema", on: ["shop.*"] },
        ],
      },
    });
    expect(places(await load(point("protocol: cedar, url: 'https://pdp.example/x'")))).toEqual([
      expect.stringMatching(/needs policies/),
      expect.stringMatching(/inside the process/),
    ]);
    expect(places(await load(point("protocol: opa, policies: ./a.cedar")))).toEqual([
      expect.stringMatching(/needs an address/),
      expect.stringMatching(/only Cedar's policies/),
    ]);
  });

  test("reads what `init` writes without a problem", async () => {
    const loaded = await load(configTemplate);
    expect(places(loaded)).toEqual([]);
    if (!("config" in loaded)) throw new Error("not loaded");
    expect(loaded.config.store).toEqual({ kind: "sqlite", path: "/etc/box/signalbox.db" });
    expect(loaded.config.keys).toBe("/etc/box/signalbox.keys");
    expect(loaded.config.credentials.map((credential) => credential.name)).toEqual(["agent", "lead", "operator"]);
    expect(loaded.config.sources[0]?.tools.map((tool) => [tool.parts.name, tool.http.method, tool.http.url])).toEqual([
      ["shop.get_order", "GET", "http://127.0.0.1:8081/orders/{orderId}"],
      ["shop.refund", "POST", "http://127.0.0.1:8081/orders/{orderId}/refund"],
    ]);
    expect(loaded.config.policy.rules[0]).toMatchObject({ id: "small-refunds", effect: "allow", waives: "tier" });
  });

  test("reads where notices are posted, and refuses an address that may not be asked", async () => {
    const of = (url: string): string => `version: 1\nstore: memory\nnotify: { url: '${url}', secret: secret://env/KEY }\n`;
    const loaded = await load(of("https://hooks.example/in"));
    if (!("config" in loaded)) throw new Error("not loaded");
    expect(loaded.config.notify).toEqual({ url: "https://hooks.example/in", secret: "secret://env/KEY" });
    expect(places(await load(of("http://hooks.example/in")))).toEqual([expect.stringContaining("this address cannot be asked")]);
  });

  test("reads the person behind a credential that approves, and refuses one behind any other", async () => {
    const of = (rest: string): string =>
      `version: 1\nstore: memory\ncredentials:\n  eve: { secret: secret://env/A, tenant: acme, ${rest} }\n`;
    const person = "person: { user: eve, roles: [support], attributes: { region: eu } }";
    const loaded = await load(of(`approves: [lead], ${person}`));
    if (!("config" in loaded)) throw new Error("not loaded");
    expect(loaded.config.credentials[0]?.person).toEqual({ user: "eve", roles: ["support"], attributes: { region: "eu" } });
    expect(places(await load(of(`administers: true, ${person}`)))).toEqual([expect.stringContaining("only a credential that approves")]);
    expect(places(await load(of("approves: [lead], person: { user: eve, attributes: 3 }")))).toEqual([
      expect.stringContaining("this is not a map"),
    ]);
  });

  test("reports every problem at once, each with line, column and mend", async () => {
    const loaded = await load(`version: 1
store: postgres://db
listn: 127.0.0.1:1
credentials:
  agent: { secret: hunter2-hunter2, tenant: acme, actsFor: [support], approves: [lead] }
  idle: { secret: secret://env/A, tenant: acme }
  twin: { secret: secret://env/A, tenant: acme, administers: true }
sources:
  crm: { openapi: ./crm.json }
  shop:
    http:
      url: ftp://shop.example
      tools:
        get: { method: FETCH, path: /a, tier: read, description: d }
        order: { method: GET, path: "/o/{id}", tier: raed, description: d }
        stock: { method: GET, path: "/s/{sku}", tier: read, description: d }
limits: { drainMS: 5, pageRowsMax: 0 }
policy:
  roles: { support: [shop.get] }
  rules:
    - { id: a, on: shop.get, effect: dney }
`);
    expect(places(loaded)).toMatchInlineSnapshot(`
      [
        "2:8 this is not the address of a PostgreSQL database | write \`postgres://user@host:5432/database\`",
        "3:1 unknown member \`listn\` (nearest: \`listen\`) | known here: \`version\`, \`store\`, \`sharedLimits\`, \`listen\`, \`hosts\`, \`keys\`, \`credentials\`, \`sources\`, \`notify\`, \`decisionPoints\`, \`upstreams\`, \`mcp\`, \`tools\`, \`policy\`, \`flow\`, \`limits\`, \`readOnly\`, \`anchors\`",
        "5:20 a secret stands here by value | write \`secret://env/NAME\` or \`secret://file/path\`; the file itself holds no secret",
        "5:71 a credential that calls may not approve | make a second credential with \`approves:\` for the person who answers",
        "6:3 this credential may do nothing | give it \`actsFor: [role]\`, \`approves: [group]\` or \`administers: true\`",
        "7:19 \`idle\` has the same secret | give each credential a key of its own",
        "9:3 \`http\` or \`mcp\` is missing | add \`http:\` or \`mcp:\`",
        "9:10 \`openapi\` is not supported yet | describe the operations you need under \`http:\`",
        "12:12 \`ftp:\` is not supported; use \`https:\`",
        "14:24 expected one of \`GET\`, \`HEAD\`, \`POST\`, \`PUT\`, \`PATCH\`, \`DELETE\`; got \`FETCH\` (nearest: \`PATCH\`)",
        "15:54 expected one of \`read\`, \`reversible\`, \`irreversible\`, \`privileged\`; got \`raed\` (nearest: \`read\`)",
        "17:11 no limit is named \`drainMS\` (nearest: \`drainMs\`) | the table is in docs/limits.md",
        "17:36 expected a whole number of at least 1",
        "21:38 unknown effect \`dney\` (nearest: \`deny\`); known are \`allow\`, \`modify\`, \`ask\`, \`defer\`, \`deny\`",
      ]
    `);
    expect(JSON.stringify(places(loaded))).not.toContain("hunter2");
  });

  test.each(["redis://h", "redis://h:6379/0", "rediss://u@h:1", "secret://env/REDIS_URL"])("takes shared limits at %s", async (address) => {
    const loaded = await load(`version: 1\nstore: postgres://u@h/db\nkeys: k\nsharedLimits: ${address}\n`);
    expect(loaded).toMatchObject({ config: { sharedLimits: address } });
  });

  test.each([
    ["a database without keys", "version: 1\nstore: postgres://u@h/db\n", "2:8 every process on this database needs the same keys"],
    ["a database with its password", "version: 1\nstore: postgres://u:p@h/db\nkeys: k\n", "2:8 a password stands here by value"],
    ["shared limits of one process", `${minimal}sharedLimits: redis://h\n`, "3:15 no other process can share this store"],
    ["shared limits elsewhere", `${minimal}sharedLimits: http://h\n`, "3:15 this is not the address of a Redis server"],
    ["shared limits with a password", `${minimal}sharedLimits: rediss://u:p@h:1\n`, "3:15 a password stands here by value"],
    ["shared limits of no secret", `${minimal}sharedLimits: secret://vault/x\n`, "3:15 this is not a reference to a secret"],
    ["a duplicate key", `${minimal}store: memory\n`, "3:1 `store` is given twice"],
    ["a tab", "version: 1\nstore: memory\npolicy:\n\troles: {}\n", "4:1 a tab is used for indentation"],
    ["a text for the version", 'version: "1"\nstore: memory\n', "1:10 this is not a version"],
    ["a list at the top", "- a\n", "1:1 expected an object"],
    ["an empty file", "", "1:1 expected an object"],
    ["a missing member", "version: 1\n", "1:1 `store` is missing"],
    ["two documents", `${minimal}---\nversion: 1\n`, "3:1 the file holds several documents"],
    ["a public address without names", `${minimal}listen: 0.0.0.0:80\n`, "3:9 `0.0.0.0` can be reached from other machines"],
  ])("says where %s stands", async (_, content, expected) => {
    expect(places(await load(content))[0]).toContain(expected);
  });

  test.each([
    [
      "aliases that multiply",
      `${minimal}x: &a [1,1]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nz: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nw: [*c,*c,*c,*c,*c,*c,*c,*c]\n`,
    ],
    ["many aliases", `${minimal}x: &a 1\ny: [${Array.from({ length: 200 }, () => "*a").join(",")}]\n`],
    ["deep nesting", `${minimal}x: ${"[".repeat(100_000)}`],
  ])("refuses %s without falling over", async (_, content) => {
    expect("problems" in (await load(content))).toBe(true);
  });

  test("holds configAliasesMax, configProblemsMax and policyBytesMax", async () => {
    const { configAliasesMax, configProblemsMax, policyBytesMax } = defaultLimits;
    const aliases = (count: number): string =>
      `${minimal}policy: { roles: { a: &a [x.*], ${Array.from({ length: count }, (_, index) => `r${index}: *a`).join(", ")} } }\n`;
    expect(places(await load(aliases(configAliasesMax)))).toEqual([]);
    expect(places(await load(aliases(configAliasesMax + 1)))).toHaveLength(1);
    const wrong = Array.from({ length: configProblemsMax + 50 }, (_, index) => `x${index}: 1\n`).join("");
    expect(places(await load(minimal + wrong))).toHaveLength(configProblemsMax);
    expect(places(await load(`${minimal}#${"x".repeat(policyBytesMax)}\n`))[0]).toContain(`more than ${policyBytesMax} bytes`);
  });

  test("lets the environment override, and blames the variable for what is wrong with it", async () => {
    expect(await load(minimal, { SIGNALBOX_LISTEN: "[::1]:9000", SIGNALBOX_STORE: "sqlite:/var/lib/box.db" })).toMatchObject({
      config: { listen: { host: "::1", port: 9000 }, store: { kind: "sqlite", path: "/var/lib/box.db" } },
    });
    expect(await load(minimal, { SIGNALBOX_LISTEN: "nowhere" })).toMatchObject({
      problems: [{ file: "environment", path: "SIGNALBOX_LISTEN", line: 0 }],
    });
  });

  test("reads a policy from its own file and places problems there", async () => {
    const files = { "/etc/box/policy.yaml": "roles: { a: [x.*] }\nrules:\n  - { id: r, on: x.y, effect: dney }\n" };
    expect(await load(`${minimal}policy: ./policy.yaml\n`, {}, files)).toMatchObject({
      problems: [{ file: "/etc/box/policy.yaml", line: 3 }],
    });
    expect(places(await load(`${minimal}policy: ./absent.yaml\n`))[0]).toContain("3:9 `./absent.yaml`: there is no such file");
  });

  test("says how to begin where there is no file", async () => {
    const loaded = await loadConfig(
      { path: "signalbox.yaml" },
      { environment: {}, readFile: () => Promise.reject(Object.assign(new Error("x"), { code: "ENOENT" })) },
    );
    expect(loaded).toMatchObject({
      problems: [{ message: "there is no such file", mend: "run `signalbox init`, or name another file with `--config`" }],
    });
  });
});

describe("showing problems", () => {
  test("quotes the line with a caret under the column, and masks a secret given by value", async () => {
    const content = `${minimal}credentials:\n  a: { secret: hunter2-hunter2, tenant: acme, administers: true }\n`;
    const loaded = await load(content);
    if (!("problems" in loaded)) throw new Error("loaded");
    expect(renderProblems(loaded.problems, loaded.texts)).toMatchInlineSnapshot(`
      "/etc/box/signalbox.yaml:4:16: a secret stands here by value
        4 |   a: { secret: ***************, tenant: acme, administers: true }
          |                ^
        mend: write \`secret://env/NAME\` or \`secret://file/path\`; the file itself holds no secret"
    `);
  });
});
