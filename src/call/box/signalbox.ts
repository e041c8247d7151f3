import { fixedBounds } from "../../base/fixed-bounds.ts";
import { systemEnvironment } from "../../base/environment.ts";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { loadConfig } from "../../config/load.ts";
import { renderProblems } from "../../config/problem.ts";
import type { Credential } from "../../domain/principal.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { retainSince } from "../../ledger/retention.ts";
import { auditView } from "../../ledger/audit-view.ts";
import { trail } from "../../ledger/trail.ts";
import { assemble, type Assembly } from "./assemble.ts";
import { outcomeForReader } from "../desk/call-outcome.ts";
import { policyInForce, putInForce } from "./policy-in-force.ts";
import { decideGroup, listGroups } from "../desk/group-desk.ts";
import type { JourneyEvent, Signalbox } from "./box.ts";
import { isWithin } from "../delegation.ts";
import { optionsFromConfig } from "./from-config.ts";
import { readHandle } from "./handles.ts";
import type { SignalboxOptions } from "./options.ts";
import { createLetterDesk } from "../desk/letter-desk.ts";
import { createPlanDesk } from "../desk/plan-desk.ts";
import { readOnlyStates, turnReadOnly } from "../read-only.ts";
import { sessionView } from "../session/session-view.ts";
import { simulatePolicy } from "../review/simulate.ts";
import { healthReport } from "./tool-health.ts";
import { boxSession } from "./turn.ts";
import type { LiveSession } from "../live-session.ts";
import type { BoxSession, Delegated, DelegationOptions } from "./box-session.ts";

/** The credential of code that uses the library in its own process: it acts for every role, and its word on what the user said is believed. */
export function libraryCredential(tenant: string): Credential {
  return { id: "library", tenant, actsFor: ["*"], approves: [], administers: false, words: "attested", authenticatedAtMs: undefined };
}

/**
 * Makes a box and brings it up: opens the store, continues the ledger, puts the policy in force, settles what an earlier process left open.
 *
 * @throws ToolCallError `CONFIG_INVALID` with every problem of tools, policy and limits at once.
 */
export async function createSignalbox(options: SignalboxOptions = {}): Promise<Signalbox> {
  const parts = await assemble(options.config === undefined ? options : await withConfig(options, options.config));
  const box = boxOf(parts);
  try {
    // What is found open may be a call of a source's tool.
    await parts.toolSources.start();
    await parts.upkeep.start();
    // What others have let through before is known before the first call is.
    await parts.pulse.beat();
  } catch (error) {
    // What cannot start must not go on by itself. Why it could not says more than what is wrong with closing it.
    await parts.close().catch(() => undefined);
    throw error;
  }
  return box;
}

/** The file's settings, with what the code says beside it winning; tools of both are there. */
async function withConfig(options: SignalboxOptions, path: string): Promise<SignalboxOptions> {
  const environment = options.environment ?? systemEnvironment();
  const loaded = await loadConfig({ path: resolve(path) }, { environment, readFile: (file) => readFile(file, "utf8") });
  if ("problems" in loaded)
    throw toolCallError("CONFIG_INVALID", `\`${path}\` is not valid:\n${renderProblems(loaded.problems, loaded.texts)}`);
  const fromFile = await optionsFromConfig(loaded.config, options.clock ?? systemClock);
  return {
    ...fromFile,
    ...options,
    tools: [...(fromFile.tools ?? []), ...(options.tools ?? [])],
    sources: [...(fromFile.sources ?? []), ...(options.sources ?? [])],
  };
}

function sourcesOf({ toolSources }: Assembly, refuseWhenClosing: () => void): Signalbox["sources"] {
  return {
    list: () => toolSources.sources(),
    pins: () => toolSources.pins(),
    async admit(request) {
      refuseWhenClosing();
      return await toolSources.admit(request);
    },
  };
}

type Operations = Pick<
  Signalbox,
  | "tools"
  | "sources"
  | "store"
  | "trail"
  | "auditView"
  | "deadLetters"
  | "deferrals"
  | "activatePolicy"
  | "simulatePolicy"
  | "recover"
  | "checkpoint"
  | "erase"
  | "retain"
  | "stopSession"
  | "revokeRoles"
  | "readOnly"
  | "health"
  | "healthReport"
  | "observe"
>;

/** What operators and auditors do with a box. */
function operationsOf(parts: Assembly, refuseWhenClosing: () => void): Operations {
  const { runtime, sessions } = parts;
  return {
    tools: () => runtime.registry.listVersions(() => true).map((registered) => registered.tool),
    sources: sourcesOf(parts, refuseWhenClosing),
    store: runtime.store,
    trail: (query) => trail(runtime.store, runtime.vault, query),
    auditView: (query) => auditView(runtime.store, runtime.vault, query),
    deadLetters: createLetterDesk(parts, refuseWhenClosing),
    deferrals: { list: (query) => parts.deferrals.list(query), cancel: (callId, request) => parts.deferrals.cancel(callId, request) },
    async activatePolicy(policy, by, from = "api") {
      const next = policyInForce(policy, runtime.limits);
      await putInForce(runtime, { policy: next, raw: policy, by, isFile: from === "file" });
      return { version: next.engine.version };
    },
    simulatePolicy({ policy, tenant, sinceMs }) {
      const { engine } = policy === undefined ? runtime.policy : policyInForce(policy, runtime.limits);
      const tools = runtime.registry.listVersions(() => true).map((registered) => registered.tool);
      return simulatePolicy({ ...runtime, engine, tools, tenant, sinceMs });
    },
    recover: () => parts.upkeep.sweep(true),
    async checkpoint() {
      await parts.checkpointer.tick();
    },
    async erase({ tenant, dataSubject, by }) {
      const erased =
        dataSubject === undefined
          ? await runtime.vault.eraseTenant({ tenant, by })
          : await runtime.vault.eraseSubject({ tenant, subject: dataSubject, by });
      // What was erased must not be given again.
      runtime.cache.forget((origin) => origin.tenant === tenant);
      runtime.sharedWrites?.note({ tenant });
      return erased.keyIds.length;
    },
    async retain(retention) {
      const segments = await retainSince(
        { store: runtime.store, keyring: parts.keyring, clock: runtime.clock, limits: runtime.limits },
        retention,
      );
      return segments.reduce((sum, segment) => sum + segment.entries, 0);
    },
    stopSession: (sessionId, tenant, reason, by = "operator") => sessions.stop(sessionId, tenant, reason, by),
    revokeRoles: (revocation) => sessions.revoke(revocation),
    healthReport: () => healthReport({ ...parts, problems: problemsOf(parts) }),
    readOnly: {
      async turn(change) {
        const { scope } = change;
        if (scope.kind === "session" && (await sessions.find(scope.sessionId, scope.tenant)) === undefined)
          throw toolCallError("SESSION_UNKNOWN", "no such session; open one first");
        // Open sessions notice at their next gate, in this process and in others.
        await turnReadOnly(runtime, change);
      },
      list: (tenant) => readOnlyStates(runtime.store, tenant),
    },
    health: () => ({
      ready: !parts.isClosing() && parts.pulse.isWell,
      store: runtime.store.kind,
      policyVersion: runtime.policy.engine.version,
      callsRunning: runtime.running.size,
      problems: problemsOf(parts),
    }),
    observe(observer: (event: JourneyEvent) => void) {
      parts.observers.add(observer);
      return () => parts.observers.delete(observer);
    },
  };
}

/** What a token proves: its session, with the id of the credential that the first session came through, and no roles beyond those that it holds. */
async function delegatedCredential(sessions: Assembly["sessions"], token: string): Promise<Credential | undefined> {
  const session = await sessions.findByToken(token);
  if (session === undefined) return undefined;
  const { tenant, roles } = session.principal;
  const nothing = { approves: [], administers: false, words: "claimed", authenticatedAtMs: undefined } as const;
  return { id: session.credentialId, tenant, actsFor: roles, ...nothing, sessionId: session.id };
}

function problemsOf({ pulse, checkpointer }: Assembly): readonly string[] {
  return [...pulse.problems(), ...checkpointer.problems()];
}

function boxOf(parts: Assembly): Signalbox {
  const { runtime, sessions, desk } = parts;
  const open = (live: LiveSession): BoxSession =>
    boxSession({ runtime, carry: (call) => parts.carrier.carry(call), delegate }, live as Parameters<typeof boxSession>[1]);

  async function delegate(from: LiveSession, options: DelegationOptions): Promise<Delegated> {
    refuseWhenClosing();
    const { session, token } = await sessions.delegate(from, options);
    return { session: open(session), token };
  }

  async function resume(sessionId: string, credential: Credential): Promise<BoxSession> {
    const live = await sessions.find(sessionId, credential.tenant);
    if (live === undefined || live.credentialId !== credential.id || !isWithin(live, credential))
      throw toolCallError("SESSION_UNKNOWN", "no such session for this credential; open one first");
    return open(live);
  }

  function refuseWhenClosing(): void {
    if (parts.isClosing())
      throw toolCallError("SHUTTING_DOWN", "this process is stopping; try again elsewhere or later", {
        retryAfterMs: fixedBounds.comeBackMs,
      });
  }

  return {
    async session(wanted) {
      refuseWhenClosing();
      if (wanted.credential?.sessionId !== undefined)
        throw toolCallError("PERMISSION_DENIED", "a delegated session's token opens no other session; delegate from it instead");
      return open(await sessions.open(wanted, wanted.credential ?? libraryCredential(wanted.tenant)));
    },
    resume,
    delegated: (token) => delegatedCredential(sessions, token),
    sessionView: (id, tenant) => sessionView(runtime, sessions, { id, tenant }),
    outcome: (callId, credential, reader) => outcomeForReader(parts, callId, credential, reader?.id),
    readHandle: (handle, session, page) => readHandle(runtime, handle, session, page),
    approvals: {
      list: (query) => desk.list(query),
      get: (id, tenant) => desk.get(id, tenant),
      card: (id, tenant) => desk.card(id, tenant),
      arguments: (id, tenant) => desk.arguments(id, tenant),
      async decide(id, decision, credential) {
        refuseWhenClosing();
        return await desk.decide(id, decision, credential);
      },
      groups: ({ tenant, maySee = () => true }) => listGroups(parts, tenant, maySee),
      async decideGroup(decision, credential) {
        refuseWhenClosing();
        return await decideGroup(parts, decision, credential);
      },
    },
    plans: createPlanDesk({ runtime, sessions, refuseWhenClosing }),
    ...operationsOf(parts, refuseWhenClosing),
    close: () => parts.close(),
    [Symbol.asyncDispose]: () => parts.close(),
  };
}
