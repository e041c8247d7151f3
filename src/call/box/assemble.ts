import { systemClock, type Clock } from "../../base/clock.ts";
import { systemEnvironment } from "../../base/environment.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import { createIdSource } from "../../base/ids.ts";
import { resolveLimits, type Limits } from "../../base/limits.ts";
import { systemRandom, type Random } from "../../base/random.ts";
import { createThrottle } from "../../budget/throttle.ts";
import { createToolRates } from "../../budget/tool-rates.ts";
import { httpHealthCheck } from "../../connectors/http-health-check.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { createCheckpointer, type Checkpointer } from "../../ledger/checkpointer.ts";
import type { Keyring } from "../../ledger/keyring.ts";
import { openVault } from "../../ledger/vault.ts";
import { createRedactor } from "../../redaction/redact.ts";
import { createRegistry } from "../../registry/registry.ts";
import { createReadCache } from "../../resilience/read-cache.ts";
import type { LoopBlocked } from "../../resilience/loop-watch.ts";
import { createResilience } from "../../resilience/resilience.ts";
import { createSharedBreakers, type SharedBreakers } from "../../resilience/shared-breakers.ts";
import { isShared } from "../../store/shared.ts";
import type { Store } from "../../store/store.ts";
import { createArgumentValidator } from "../../schema/validate.ts";
import { createSecretResolver } from "../../secrets/resolver.ts";
import { readSecretFile } from "../../secrets/secret-file.ts";
import { createApprovalDesk, type ApprovalDesk } from "../desk/approval-desk.ts";
import { createElsewhere, joinElsewhere, type Elsewhere } from "../recovery/elsewhere.ts";
import type { JourneyEvent } from "./box.ts";
import { createCarrier, type Carrier } from "./carry.ts";
import { closeBox } from "./closing.ts";
import { createDeferralDesk, waitingOutcome, type DeferralDesk } from "../desk/deferral-desk.ts";
import { createWaking } from "../desk/waking.ts";
import { createFlowDesk, type FlowParts } from "../flow-desk.ts";
import { safely, tell } from "./observers.ts";
import { notingStore, openState } from "./open-state.ts";
import type { SignalboxOptions, Trouble } from "./options.ts";
import { createDecisionPoints } from "../decision-points.ts";
import { requireHealthChecks, startHealthChecks } from "./health-checks.ts";
import { createNoticeDesk, type NoticeParts } from "../notices.ts";
import { runCall } from "../pipeline.ts";
import { keepPolicy, policyInForce, startPolicy } from "./policy-in-force.ts";
import { startPulse, type Pulse } from "./pulse.ts";
import { channelOf } from "./limit-channel.ts";
import { recordedOutcome } from "../review/recorded.ts";
import { createRecovery, type Recovery } from "../recovery/recovery.ts";
import { addTools, forgetsCalls, recordTools } from "./register-tools.ts";
import { createResultCheck } from "./result-check.ts";
import type { Runtime, CallState, FlowDesk } from "../runtime.ts";
import { createSharedWrites } from "../shared-writes.ts";
import { createSessions, type Sessions } from "../session/sessions.ts";
import { createToolSources, type ToolSources } from "./tool-sources.ts";
import { toolNamed } from "../review/tool-named.ts";
import { startUpkeep, type Upkeep } from "./upkeep.ts";

/** Everything that a running box consists of. */
export interface Assembly {
  readonly runtime: Runtime;
  readonly keyring: Keyring;
  readonly checkpointer: Checkpointer;
  readonly sessions: Sessions;
  readonly desk: ApprovalDesk;
  readonly deferrals: DeferralDesk;
  readonly carrier: Carrier;
  readonly recovery: Recovery;
  readonly upkeep: Upkeep;
  readonly pulse: Pulse;
  readonly toolSources: ToolSources;
  readonly observers: Set<(event: JourneyEvent) => void>;
  isClosing(): boolean;
  /** Idempotent: whoever asks again waits for the same end. */
  close(): Promise<void>;
}

/** What the parts of a runtime are made with before there is one. */
interface Ground {
  readonly options: SignalboxOptions;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly trouble: (trouble: Trouble) => void;
  readonly observers: Assembly["observers"];
}

/** What the runtime calls back into, and what in turn needs the runtime. Filled while a box is put together. */
interface Knot {
  carrier?: Carrier;
  desk?: ApprovalDesk;
  deferrals?: DeferralDesk;
  recovery?: Recovery;
  elsewhere?: Elsewhere;
  breakers?: SharedBreakers | undefined;
}

/** Puts a box together, in the order in which its parts need each other. */
export async function assemble(options: SignalboxOptions): Promise<Assembly> {
  const clock = options.clock ?? systemClock;
  const { limits, problems } = resolveLimits(options.limits);
  if (problems.length > 0) throw toolCallError("CONFIG_INVALID", `the limits are not valid: ${problems.join("; ")}`);
  requireHealthChecks(options.upstreams ?? {});
  const ground: Ground = { options, clock, limits, trouble: safely(options.onTrouble), observers: new Set() };
  const knot: Knot = {};
  const opened = await createRuntime(ground, knot);
  try {
    return await assembleOn(opened, ground, knot);
  } catch (error) {
    // Nobody else could close what was opened here. A store that was handed over is still the caller's.
    if (typeof options.store !== "object") await opened.runtime.store.close();
    throw error;
  }
}

/** What a box stands on, once its store is open. */
type Opened = Pick<Assembly, "runtime" | "keyring" | "checkpointer">;

async function assembleOn({ runtime, keyring, checkpointer }: Opened, ground: Ground, knot: Knot): Promise<Assembly> {
  const { options } = ground;
  const state: { closing?: Promise<void> } = {};
  const sessions = createSessions({ ...runtime, grants: (roles, tool) => runtime.policy.engine.grants(roles, tool) });
  const carrier = (knot.carrier = createCarrier(runtime, runCall, () => state.closing !== undefined));
  const waking = createWaking(runtime, sessions, (call) => (state.closing === undefined ? carrier.track(call) : undefined));
  const desk = (knot.desk = createApprovalDesk(runtime, sessions, waking));
  const deferrals = (knot.deferrals = createDeferralDesk(runtime, sessions, waking));
  const recovery = (knot.recovery = createRecovery(runtime, sessions, async (call, from) => await carrier.track(call, from)));
  const elsewhere = (knot.elsewhere = createElsewhere(runtime));
  await recordTools(runtime);
  const toolSources = createToolSources({
    runtime,
    sources: options.sources ?? [],
    isMemory: forgetsCalls(options),
    trouble: ground.trouble,
  });
  if (options.keepsPolicy === true) await keepPolicy(runtime);
  else await startPolicy(runtime, options.policy);
  const rates = { principals: runtime.throttle, tools: runtime.toolRates };
  const pulse = await startPulse(runtime, { rates, breakers: knot.breakers, openChannel: channelOf(runtime, options.sharedLimits) });
  const healthChecks = startHealthChecks({
    ...runtime,
    guards: runtime.resilience.guards,
    sources: options.upstreams ?? {},
    make: httpHealthCheck,
  });
  const upkeep = startUpkeep(runtime, { desk, deferrals }, recovery);

  return {
    runtime,
    keyring,
    checkpointer,
    sessions,
    desk,
    deferrals,
    carrier,
    recovery,
    upkeep,
    pulse,
    toolSources,
    observers: ground.observers,
    isClosing: () => state.closing !== undefined,
    close: () =>
      (state.closing ??= closeBox({ runtime, byItself: [upkeep, elsewhere, pulse, healthChecks], carrier, toolSources, checkpointer })),
  };
}

async function createRuntime(ground: Ground, knot: Knot): Promise<Opened> {
  const { options, clock, limits, trouble } = ground;
  const random = options.random ?? systemRandom;
  const policy = policyInForce(options.keepsPolicy === true ? undefined : options.policy, limits);
  const registry = createRegistry({ limits });
  addTools(registry, options, limits);
  const { store: rawStore, keyring } = await openState(options, { clock, random, limits });
  const anchors = options.anchors ?? [];
  const checkpointer = createCheckpointer({ store: rawStore, keyring, clock, limits, anchors });
  // A store that keeps nothing has nothing to sign for anybody later, unless an anchor outside keeps the signatures.
  const isSigned = rawStore.survivesRestart || anchors.length > 0;
  const store = isSigned ? notingStore(rawStore, checkpointer) : rawStore;
  const rates = createToolRates({ keysMax: limits.sessionsLiveMax });
  const hidden = privacy(ground);
  const reportFault: Runtime["reportFault"] = (where, cause) =>
    trouble({ kind: "fault", where, note: cause instanceof Error ? cause.message : "unexpected", cause });
  const ids = createIdSource(clock, random);
  const letterTenants: Runtime["letterTenants"] = new Set();
  const runtime: Runtime = {
    clock,
    random,
    ids,
    limits,
    isReadOnly: options.readOnly === true,
    store,
    vault: openVault({ store: rawStore, keyring, clock, random, limits }),
    registry,
    throttle: createThrottle({ perMinute: limits.rateCallsPerMinute, burst: limits.rateBurstCalls, keysMax: limits.sessionsLiveMax }),
    ...readCache(limits, rawStore),
    resilience: createResilience({
      clock,
      random,
      limits,
      sources: options.upstreams,
      breakers: (knot.breakers = breakersOn(rawStore, clock)),
      onLoopBlocked: tellOfLoop(trouble),
    }),
    policy,
    flow: flowDesk(ground, random, () => runtime),
    running: new Map(),
    letterTenants,
    validateArguments: createArgumentValidator(limits),
    checkResult: createResultCheck(limits),
    ...hidden,
    ...peopleTold(ground, { random, ids, store, secret: hidden.secret, reportFault, letterTenants }),
    decisionPoints: createDecisionPoints(options.decisionPoints ?? [], { clock, limits, secret: hidden.secret, reportFault }),
    toolRates: rates,
    takeToolRate: (call) => takeToolRate(rates, call, clock.monotonic()),
    reportHandler: (tool, what, note, cause) =>
      trouble({ kind: "handler", where: tool.name, note: `${what}: ${note}`, ...(cause !== undefined && { cause }) }),
    callInside: (parent, request) => (knot.carrier as Carrier).inside(parent, request),
    withinReplyDeadline: (running, asker) => (knot.carrier as Carrier).within(running, asker),
    waitingOutcome: (tenant, callId) => waitingOutcome(knot as Required<Pick<Knot, "desk" | "deferrals">>, tenant, callId),
    joinElsewhere: (asker, callId, keyRow) => joinElsewhere(knot.elsewhere as Elsewhere, asker, { callId, keyRow }),
    recordedOutcome: (tenant, callId) => recordedOutcome(runtime, tenant, callId),
    reconcile: (tenant, keyRow) => (knot.recovery as Recovery).reconcile(tenant, keyRow),
    get hasObservers() {
      return ground.observers.size > 0;
    },
    observe: (call, stage, what, note) => tell(ground.observers, call, stage, what, note),
    reportFault,
  };
  return { runtime, keyring, checkpointer };
}

function tellOfLoop(trouble: Ground["trouble"]): (blocked: LoopBlocked) => void {
  return ({ tools, blockedMs }) =>
    trouble({ kind: "handler", where: tools.join(", "), note: `held the event loop for ${Math.round(blockedMs)} ms` });
}

/** Results that may be given again, and how other processes make them old. */
function readCache(limits: Limits, store: Store): Pick<Runtime, "cache" | "sharedWrites"> {
  const cache = createReadCache(limits);
  const holdsMs = fixedBounds.pulsesMissedMax * limits.pulseMs;
  const forget = (isTouched: Parameters<typeof cache.forget>[0]): void => cache.forget(isTouched);
  return { cache, sharedWrites: isShared(store) ? createSharedWrites({ forget, holdsMs, toldMax: fixedBounds.toldWritesMax }) : undefined };
}

/** Breakers that the processes on one store keep together; undefined where nobody shares it. */
function breakersOn(store: Store, clock: Clock): SharedBreakers | undefined {
  if (!isShared(store)) return undefined;
  return createSharedBreakers({
    clock,
    async claim(name, forMs) {
      const put = {
        op: "put",
        key: { space: "probe", tenant: "", key: name },
        body: null,
        expect: "absent",
        dueMs: clock.now() + forMs,
      } as const;
      return (await store.commit({ operations: [put], entries: [], wait: "claimed" })).kind === "committed";
    },
  });
}

function flowDesk({ options, clock, limits }: Ground, random: Random, runtime: () => Runtime): FlowDesk {
  const mode = options.flow?.mode ?? "standard";
  let past: ReturnType<FlowParts["past"]> | undefined;
  return createFlowDesk({
    mode,
    guesses: options.flow?.personalData !== "declared",
    clock,
    random,
    limits,
    past: () => (past ??= { mode, store: runtime().store, vault: runtime().vault, toolOf: (name) => toolNamed(runtime().registry, name) }),
  });
}

function takeToolRate(rates: ReturnType<typeof createToolRates>, call: CallState, nowMonotonicMs: number): number {
  const tool = call.registered?.tool;
  if (tool?.ratePerMinute === undefined) return 0;
  return rates.take({ tenant: call.session.principal.tenant, tool: tool.name, perMinute: tool.ratePerMinute, nowMonotonicMs });
}

/** How people outside hear of what waits for them and of what ran. */
function peopleTold(
  { options, clock, limits, trouble }: Ground,
  parts: Pick<NoticeParts, "random" | "ids" | "store" | "secret" | "reportFault"> & Pick<Runtime, "letterTenants">,
): Pick<Runtime, "notices" | "tellAsked"> {
  const onDead: NoticeParts["onDead"] = ({ id, tenant, attemptsCount, problem, notice }) => {
    parts.letterTenants.add(tenant);
    trouble({ kind: "notice", where: notice.type, note: `\`${id}\` was not delivered in ${attemptsCount} attempts: ${problem}` });
  };
  return {
    notices: createNoticeDesk({ ...parts, clock, limits, port: options.notify, onDead }),
    tellAsked(approval) {
      try {
        options.onApprovalAsked?.(approval);
      } catch (cause) {
        // A listener that throws changes nothing for the call.
        parts.reportFault("notices", cause);
      }
    },
  };
}

/** Secrets in and out: references are resolved late, and whatever was resolved is redacted from everything that leaves. */
function privacy({ options, clock, limits, trouble }: Ground): Pick<Runtime, "redact" | "redactText" | "secret" | "conceal"> {
  const redactor = createRedactor({ limits });
  const secrets = createSecretResolver({
    environment: options.environment ?? systemEnvironment(),
    readFile: readSecretFile,
    clock,
    limits,
    redactor,
    onWarning: (note) => trouble({ kind: "fault", where: "secrets", note }),
  });
  return {
    redact: (value, text, how) => redactor.redactJsonText(value, text, how).value,
    redactText: (text) => redactor.redactText(text).text.slice(0, limits.errorDetailCharsMax),
    secret: (reference) => secrets.resolve(reference),
    conceal: (value) => redactor.addSecret(value),
  };
}
