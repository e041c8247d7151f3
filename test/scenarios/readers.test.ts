import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import { approvalIdOf } from "../support/box.ts";
import { verifies } from "../verifies.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-readers-"));
const staff: Readonly<Record<string, object>> = {
  "ann@desk.example": { id: "ann", address: "ann@desk.example", groups: ["care"] },
  "bob@desk.example": { id: "bob", address: "bob@desk.example", groups: ["sales"] },
};
const complaint = "Iris Vandermeer has had a swollen left knee since the operation";
const asked: string[] = [];

const server = createServer((request, response) => {
  const path = decodeURIComponent(request.url ?? "");
  asked.push(`${request.method ?? ""} ${path}`);
  const person = staff[path.replace("/staff/", "")];
  const [status, body] = path.startsWith("/cases/")
    ? [200, { id: "C-1", complaint }]
    : request.method === "POST"
      ? [200, { sent: true }]
      : person === undefined
        ? [404, { error: "nobody" }]
        : [200, person];
  request.resume().on("end", () => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)));
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

test(
  verifies("AUTH-09", "the configuration in docs/labels.md lets a mail leave for those who may read it, and asks about others by name"),
  async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const page = readFileSync(new URL("../../docs/labels.md", import.meta.url), "utf8");
    const written = /```yaml\n(version: 1[\s\S]*?)```/.exec(page)?.[1] ?? "";
    const path = join(folder, "signalbox.yaml");
    writeFileSync(path, written.replaceAll("127.0.0.1:7000", `127.0.0.1:${(server.address() as AddressInfo).port}`));
    const box = await createSignalbox({ config: path });
    const session = await box.session({ tenant: "acme", user: "carl", roles: ["care"] });
    const mail = async (...to: readonly string[]) => {
      const turn = session.turn({ said: `Send ${to.join(" and ")} a mail with what case C-1 says` });
      await turn.call({ tool: "desk.get_case", arguments: { id: "C-1" } });
      return await turn.call({ tool: "desk.send_mail", arguments: { to, text: `For your talk: ${complaint}.` } });
    };
    expect((await mail("ann@desk.example")).outcome.kind).toBe("completed");
    const waiting = await mail("ann@desk.example", "bob@desk.example", "eve@else.example");
    expect(waiting.outcome.kind).toBe("pending");
    const card = await box.approvals.card(approvalIdOf(waiting), "acme");
    expect(card.mayNotRead).toEqual([
      { who: "bob@desk.example", isKnown: true },
      { who: "eve@else.example", isKnown: false },
    ]);
    expect(asked.filter((each) => each.startsWith("POST"))).toHaveLength(1);
    const trail = await box.trail({ tenant: "acme", limit: 1_000 });
    const lookUps = trail.filter(({ body }) => (body as { readonly tool?: string }).tool === "desk.find_colleague");
    expect(new Set(lookUps.map(({ body }) => (body as { readonly purpose?: string }).purpose))).toContain("fact");
    await box.close();
  },
);
