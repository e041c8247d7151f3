/**
 * Every bound of the product: one table, from which `docs/limits.md` is made. A bound has a name with its unit last, a default, and a sentence.
 * What an operator may change is read from configuration through `resolveLimits`; nothing else may invent a number.
 */
export const limitTable = {
  // Arguments, as the model sent them.
  argumentsBytesMax: { value: 262_144, unit: "bytes", about: "arguments of one call" },
  argumentsDepthMax: { value: 32, unit: "levels", about: "nesting of arguments" },
  argumentsKeysMax: { value: 1_000, unit: "keys", about: "object members in the arguments of one call, over all levels" },
  toolNameCharsMax: { value: 200, unit: "characters", about: "a tool name as the model sent it" },
  callIdCharsMax: { value: 200, unit: "characters", about: "a provider's call id" },
  turnCallsMax: { value: 128, unit: "calls", about: "calls of one turn" },
  keyCharsMax: { value: 200, unit: "characters", about: "an idempotency key" },
  principalCharsMax: { value: 200, unit: "characters", about: "the name of a tenant, user or role" },
  saidCharsMax: { value: 100_000, unit: "characters", about: "the user's words of one turn" },
  reasoningCharsMax: { value: 4_000, unit: "characters", about: "stated reasoning kept with a call" },
  // Answers.
  resultCharsMax: { value: 2_000, unit: "characters", about: "a result as the model sees it" },
  handlePageCharsMax: { value: 20_000, unit: "characters", about: "one page of a handle" },
  resultBytesMax: { value: 8_388_608, unit: "bytes", about: "a result that a tool may return at all" },
  resultDepthMax: { value: 64, unit: "levels", about: "nesting of a result" },
  resultNodesMax: { value: 1_000_000, unit: "values", about: "values in one result, over all levels" },
  handleExpiryMs: { value: 3_600_000, unit: "ms", about: "life of a handle to the rest of a long result" },
  errorDetailCharsMax: { value: 1_000, unit: "characters", about: "an upstream's own words inside an error" },
  errorFieldsMax: { value: 20, unit: "fields", about: "wrong fields named in one error" },
  replyDeadlineMs: { value: 30_000, unit: "ms", about: "the caller is answered by then" },
  executeDeadlineMs: { value: 30_000, unit: "ms", about: "execution ends by then, all attempts together" },
  attemptTimeoutMs: { value: 10_000, unit: "ms", about: "one attempt" },
  attemptsMax: { value: 3, unit: "attempts", about: "attempts of one call, the first included" },
  retryBaseMs: { value: 200, unit: "ms", about: "backoff before the first retry is up to this" },
  retryCapMs: { value: 5_000, unit: "ms", about: "no backoff is longer" },
  retryAfterMsMax: { value: 20_000, unit: "ms", about: "a longer Retry-After is surfaced instead of waited for" },
  retryBudgetPercent: { value: 20, unit: "%", about: "retries per tool as a share of its calls in the window" },
  retryBudgetWindowMs: { value: 60_000, unit: "ms", about: "window of the retry budget" },
  breakerFailures: { value: 5, unit: "failures", about: "consecutive failures that open the breaker of a tool or source" },
  breakerOpenMs: { value: 60_000, unit: "ms", about: "an open breaker lets nobody through for so long, then probes" },
  healthCheckMs: { value: 10_000, unit: "ms", about: "between two questions to a source whether it is well, where `healthCheck` says how" },
  healthCheckTimeoutMs: { value: 2_000, unit: "ms", about: "a source that has not said by then that it is well counts as not well" },
  breakerProbes: { value: 1, unit: "calls", about: "calls that a half-open breaker lets through; it closes when all went well" },
  toolConcurrentMax: { value: 512, unit: "calls", about: "calls of one tool under way in one process" },
  sourceConcurrentMax: { value: 512, unit: "calls", about: "calls of all tools of one source under way in one process" },
  bulkheadQueueMax: { value: 1_024, unit: "calls", about: "calls that wait for a place in one tool or source" },
  bulkheadWaitMs: { value: 5_000, unit: "ms", about: "one call waits for a place in a tool or source" },
  healthWindowMs: { value: 60_000, unit: "ms", about: "window of the counts that the health of a tool or source is told from" },
  healthFailurePercent: { value: 5, unit: "%", about: "failed attempts of a tool or source that is healthy" },
  callsRunningMax: { value: 2_000, unit: "calls", about: "calls that one process has taken on; more are turned away at once" },
  tenantSharePercent: { value: 80, unit: "%", about: "of `callsRunningMax`: what tenants share once half of it is in use" },
  readSharePercent: { value: 90, unit: "%", about: "of `callsRunningMax`: from here on reads are turned away" },
  loopDelayMs: { value: 250, unit: "ms", about: "calls are turned away while the event loop is later than this, again and again" },
  hedgeAnswersMin: { value: 20, unit: "answers", about: "of a read, before it is hedged at what 95 % of them took" },
  cacheEntriesMax: { value: 10_000, unit: "results", about: "results of reads kept in the cache of one process" },
  cacheBytesMax: { value: 33_554_432, unit: "bytes", about: "all results in the cache of one process" },
  cacheResultBytesMax: { value: 262_144, unit: "bytes", about: "one result in the cache; a larger one is not kept" },
  cacheWritesMax: { value: 1_000, unit: "writes", about: "latest writes that a read under way is compared with before it is kept" },
  progressCharsMax: { value: 1_000, unit: "characters", about: "one progress message of a tool" },
  progressMessagesMax: { value: 1_000, unit: "messages", about: "progress messages passed on from one attempt" },
  retryBudgetMin: { value: 10, unit: "retries", about: "retries per tool that the window allows however few its calls" },
  loopBlockedMs: { value: 200, unit: "ms", about: "a handler that holds the event loop longer is named and reported" },
  // People.
  approvalExpiryMs: { value: 86_400_000, unit: "ms", about: "an approval nobody answered expires" },
  approvalGrantMs: { value: 600_000, unit: "ms", about: "a given approval must be used within" },
  noticesAtOnceMax: { value: 16, unit: "notices", about: "notices to people outside that are delivered at once" },
  noticeTimeoutMs: { value: 10_000, unit: "ms", about: "one attempt to deliver a notice" },
  noticeAttemptsMax: { value: 12, unit: "attempts", about: "to deliver a notice, before it is kept as dead" },
  noticeRetryBaseMs: { value: 2_000, unit: "ms", about: "backoff before a notice is tried again the first time is up to this" },
  noticeRetryCapMs: { value: 3_600_000, unit: "ms", about: "no backoff before a notice is tried again is longer" },
  answerReasonCharsMax: { value: 1_000, unit: "characters", about: "a person's reason for an answer, shown to the model with a no" },
  cardSaidCharsMax: { value: 600, unit: "characters", about: "the user's words on the card of an approval" },
  cardArgumentsMax: { value: 50, unit: "arguments", about: "single values on the card of an approval, the most consequential first" },
  cardValueCharsMax: { value: 300, unit: "characters", about: "one value on the card of an approval" },
  cardQuoteCharsMax: { value: 200, unit: "characters", about: "a quote of where an argument on the card of an approval came from" },
  cardAddressesMax: {
    value: 10,
    unit: "addresses",
    about: "addresses, links and accounts that one text on the card of an approval carries",
  },
  approvalOriginsMax: {
    value: 100,
    unit: "origins",
    about: "where values of a call came from, kept with its approval, the riskiest first",
  },
  cardEntriesMax: {
    value: 200,
    unit: "entries",
    about: "ledger entries of a conversation that are searched for where arguments came from",
  },
  planGoalCharsMax: { value: 500, unit: "characters", about: "what a proposed plan is for, in words" },
  planStepsMax: { value: 20, unit: "steps", about: "in one plan" },
  planStepCallsMax: { value: 1_000, unit: "calls", about: "that one step of a plan may foresee" },
  planBytesMax: { value: 65_536, unit: "bytes", about: "all steps of a plan, as JSON" },
  planHoldsMs: { value: 3_600_000, unit: "ms", about: "an approved plan holds, where it does not say how long" },
  planHoldsMsMax: { value: 86_400_000, unit: "ms", about: "no approved plan holds longer" },
  plansPerSessionMax: { value: 10, unit: "plans", about: "that one session may propose, answered or not" },
  approvalsPendingMax: { value: 20, unit: "approvals", about: "pending approvals of one principal" },
  approvalAsksPerMinuteMax: { value: 30, unit: "approvals", about: "calls of one principal that ask a person, in one minute" },
  approvalGroupMax: { value: 20, unit: "approvals", about: "that are shown and answered as one group" },
  freshAuthenticationMs: { value: 300_000, unit: "ms", about: "an approver of a privileged call authenticated within" },
  // Keys.
  keyRetentionMs: { value: 2_592_000_000, unit: "ms", about: "an idempotency key is remembered" },
  duplicateWindowMs: { value: 600_000, unit: "ms", about: "the same meaning asked again within asks a person" },
  // Rates and budgets.
  rateCallsPerMinute: { value: 600, unit: "calls/min", about: "calls of one principal" },
  rateBurstCalls: { value: 100, unit: "calls", about: "burst above the rate of one principal" },
  sessionCallsMax: { value: 100, unit: "calls", about: "calls of one session" },
  sessionExecutionMsMax: { value: 300_000, unit: "ms", about: "execution time of one session" },
  sessionCostMicrosUsdMax: { value: 100_000, unit: "micro-USD", about: "cost of one session" },
  // Flow: what a session remembers of what it has read.
  flowSlotsMax: {
    value: 262_144,
    unit: "entries",
    about:
      "words and pairs of words of untrusted text that are remembered with their origin (a power of two); older ones stay in a fixed filter",
  },
  flowValuesMax: { value: 20_000, unit: "values", about: "trusted values, and values of records that the user named, kept per session" },
  flowWaitingCharsMax: { value: 131_072, unit: "characters", about: "results of one session that were read and wait to be indexed" },
  flowSessionsMax: { value: 1_000, unit: "sessions", about: "sessions whose knowledge of values is kept in the memory of one process" },
  flowCirclesMax: { value: 8, unit: "circles", about: "circles of readers told apart in guarded text; others count as nobody" },
  flowRecipientsMax: { value: 50, unit: "recipients", about: "recipients of a call that are looked up in the directory" },
  flowHistoryEntriesMax: {
    value: 5_000,
    unit: "entries",
    about: "ledger entries from which the knowledge of a session is read back after a restart",
  },
  flowDecayMs: {
    value: 86_400_000,
    unit: "ms",
    about: "untrusted text that a principal has read restricts all of its sessions for at least so long",
  },
  readerNoteMs: { value: 5_000, unit: "ms", about: "a session that goes on reading says so to other processes again within" },
  readerLookMs: { value: 1_000, unit: "ms", about: "what other sessions of a user read in other processes restricts here within" },
  readerOverlapMs: {
    value: 10_000,
    unit: "ms",
    about: "entries of other processes that are looked at again, since they may come late and their clocks may differ",
  },
  readerSessionsMax: {
    value: 1_000,
    unit: "sessions",
    about: "sessions of one user under one credential whose reading is looked at; with more, everything counts as read",
  },
  readerEntriesMax: {
    value: 20_000,
    unit: "entries",
    about: "ledger entries of other sessions that one look opens; with more, everything counts as read",
  },
  readersShownMax: { value: 20, unit: "sessions", about: "other sessions of the user whose reading is named where a session is shown" },
  delegationDepthMax: { value: 5, unit: "sessions", about: "sessions above a delegated one" },
  delegationMsMax: { value: 86_400_000, unit: "ms", about: "a delegated session ends by then" },
  delegationsMax: { value: 1_000, unit: "sessions", about: "sessions that one conversation delegates to in all, over all levels" },
  delegatedGlobsMax: { value: 100, unit: "globs", about: "tool globs of one delegation" },
  sessionDenialsMax: { value: 5, unit: "denials", about: "denials that stop a session" },
  // Tools and policy.
  toolsPerRequestMax: { value: 20, unit: "tools", about: "full definitions in one request before a warning" },
  toolsMax: { value: 10_000, unit: "tools", about: "tools of one registry" },
  schemaBytesMax: { value: 524_288, unit: "bytes", about: "one JSON Schema" },
  schemaDepthMax: { value: 64, unit: "levels", about: "nesting of one JSON Schema" },
  schemaBranchesMax: { value: 1_000, unit: "branches", about: "members of one anyOf, oneOf or allOf" },
  schemaStepsMax: { value: 20_000, unit: "steps", about: "subschemas that one schema may try for a value at one place" },
  validationStepsMax: { value: 50_000, unit: "steps", about: "alternatives of a schema from outside that one validation may try" },
  schemasCompiledMax: { value: 2_000, unit: "schemas", about: "compiled schemas kept" },
  explainedValuesMax: { value: 5_000, unit: "values", about: "values in arguments of which every wrong one is named; beyond, the first" },
  explanationStepsMax: {
    value: 5_000,
    unit: "steps",
    about: "alternatives of a schema from outside that an explanation may try; beyond, it says only that nothing fits",
  },
  explainedErrorsMax: { value: 500, unit: "errors", about: "errors that an explanation is chosen from, the outermost first" },
  repairRoundsMax: { value: 4, unit: "rounds", about: "passes of safe repairs over the arguments of one call" },
  patternCharsMax: { value: 1_000, unit: "characters", about: "a pattern in a schema" },
  patternSubjectCharsMax: { value: 100_000, unit: "characters", about: "a string matched against a pattern from outside" },
  rulesMax: { value: 20_000, unit: "rules", about: "rules of one policy" },
  ruleCharsMax: { value: 4_000, unit: "characters", about: "one rule's condition" },
  ruleCostMax: { value: 10_000, unit: "nodes", about: "nodes of one condition's expression" },
  ruleItemsMax: { value: 1_000, unit: "items", about: "a list that a condition loops over" },
  ruleStepsMax: { value: 10_000, unit: "steps", about: "rounds of all loops in one evaluation of a condition" },
  deferralExpiryMs: { value: 86_400_000, unit: "ms", about: "a call that a rule put off is denied after, unless the rule says otherwise" },
  deferralMsMax: { value: 2_678_400_000, unit: "ms", about: "a rule may put a call off, and let it wait" },
  deferralCheckMs: { value: 60_000, unit: "ms", about: "between two looks at a condition that a call waits for" },
  deferralsPendingMax: { value: 100, unit: "calls", about: "calls of one principal that rules have put off" },
  narrowingRoundsMax: { value: 4, unit: "rounds", about: "times that the rules which modify look at a call that they changed" },
  decisionPointMs: { value: 2_000, unit: "ms", about: "a decision point outside answers within, or the call is denied" },
  simulatedCallsMax: { value: 100_000, unit: "calls", about: "recorded calls judged again by one simulation of a policy" },
  simulatedRowsMax: {
    value: 50_000,
    unit: "rows",
    about: "look-ups, sessions and groups that one simulation of a policy keeps in mind, of each",
  },
  simulatedShownMax: { value: 1_000, unit: "calls", about: "calls named in the answer to a simulation over HTTP; all are counted" },
  decisionsCachedMax: { value: 10_000, unit: "answers", about: "answers of decision points that are kept" },
  historyRulesMax: { value: 1_000, unit: "rules", about: "sequences, and separations, of one policy" },
  historyWindowMsMax: { value: 31_622_400_000, unit: "ms", about: "earlier calls that a sequence or separation looks back on" },
  quorumMax: { value: 10, unit: "people", about: "people who must approve one call" },
  factCacheMsMax: { value: 3_600_000, unit: "ms", about: "a fact may be kept for later calls" },
  factsPerCallMax: { value: 8, unit: "facts", about: "facts looked up for one call" },
  policyBytesMax: { value: 8_388_608, unit: "bytes", about: "one policy file" },
  // Connectors.
  redirectsMax: { value: 5, unit: "redirects", about: "redirects followed by one outbound request" },
  connectTimeoutMs: { value: 5_000, unit: "ms", about: "opening an outbound connection" },
  connectionsPerOriginMax: { value: 64, unit: "connections", about: "outbound connections to one origin" },
  originsPerToolMax: { value: 32, unit: "origins", about: "origins that one tool keeps connections to" },
  errorBodyBytesMax: { value: 16_384, unit: "bytes", about: "an upstream's error body that is read" },
  dnsAddressesMax: { value: 64, unit: "addresses", about: "addresses of one host that are considered" },
  workersMax: { value: 4, unit: "workers", about: "worker threads of one tool that is isolated" },
  workerQueueMax: { value: 256, unit: "calls", about: "calls that wait for a worker of one tool" },
  workerHeapMegabytesMax: { value: 256, unit: "MiB", about: "heap of one worker" },
  // Secrets and redaction.
  secretCacheMs: { value: 10_000, unit: "ms", about: "a resolved secret is used before it is read again" },
  tokenExchangeMs: { value: 5_000, unit: "ms", about: "a token endpoint answers within" },
  tokenLifeMsMax: { value: 3_600_000, unit: "ms", about: "an exchanged token is used, however long it says it lives" },
  tokenLeewayMs: { value: 10_000, unit: "ms", about: "an exchanged token is no longer used before it expires" },
  tokensKeptMax: { value: 10_000, unit: "tokens", about: "exchanged tokens of one source that are kept, by user" },
  tokenCharsMax: { value: 16_384, unit: "characters", about: "an exchanged token" },
  secretsMax: { value: 1_000, unit: "secrets", about: "secret values that are kept and taken out of what leaves" },
  secretFileBytesMax: { value: 65_536, unit: "bytes", about: "a file that holds a secret" },
  redactCharsMax: { value: 8_388_608, unit: "characters", about: "one text that is searched for secrets; a longer one is withheld" },
  // Gateway.
  bodyBytesMax: { value: 1_048_576, unit: "bytes", about: "one inbound HTTP body" },
  headerBytesMax: { value: 16_384, unit: "bytes", about: "inbound HTTP headers" },
  requestTimeoutMs: { value: 60_000, unit: "ms", about: "an inbound request must have arrived whole" },
  connectionsMax: { value: 2_000, unit: "connections", about: "open inbound connections" },
  keepAliveMs: { value: 75_000, unit: "ms", about: "an idle inbound connection; balancers commonly keep theirs for 60 s" },
  gatheredTasksMax: {
    value: 64,
    unit: "tasks",
    about: "requests, replies or upstream answers taken up in a row in one turn of the event loop",
  },
  bodyDepthMax: { value: 48, unit: "levels", about: "nesting of an inbound body" },
  bodyKeysMax: { value: 50_000, unit: "keys", about: "object members in an inbound body, over all levels" },
  eventStreamsMax: { value: 100, unit: "streams", about: "open streams of events" },
  eventStreamBytesMax: { value: 1_048_576, unit: "bytes", about: "events that wait for a slow reader before its stream is ended" },
  eventPingMs: { value: 15_000, unit: "ms", about: "between two signs of life in a quiet stream of events" },
  apiKeyCharsMin: { value: 20, unit: "characters", about: "the shortest API key that is accepted" },
  logLinesWaitingMax: { value: 10_000, unit: "lines", about: "log lines waiting to be written; beyond, lines are dropped and counted" },
  // MCP, towards clients and towards upstream servers.
  ambientSessionMs: { value: 3_600_000, unit: "ms", about: "life of the session of an MCP credential whose client names no conversation" },
  mcpListTtlMs: { value: 30_000, unit: "ms", about: "an MCP client may keep a list of tools" },
  mcpToolsPageMax: { value: 500, unit: "tools", about: "one page of `tools/list`" },
  mcpStateMs: { value: 600_000, unit: "ms", about: "an MCP client may answer a question to its user in a request of its own" },
  mcpConfirmWaitMs: { value: 120_000, unit: "ms", about: "a call of an MCP client waits in its own response for the user's answer" },
  mcpListWatchMs: { value: 1_000, unit: "ms", about: "between two looks at whether an MCP client that listens may call other tools now" },
  mcpSubscriptionsMax: { value: 20, unit: "streams", about: "open `subscriptions/listen` of one credential" },
  mcpProgressGapMs: {
    value: 100,
    unit: "ms",
    about: "between two progress messages of one call to an MCP client, after a burst; what comes sooner is left out",
  },
  mcpProgressBurst: { value: 20, unit: "messages", about: "progress messages of one call to an MCP client that may follow at once" },
  mcpStdioCallsMax: { value: 128, unit: "requests", about: "requests of one MCP client over stdio that are worked on at once" },
  mcpConnectMs: { value: 15_000, unit: "ms", about: "an upstream MCP server is connected, greeted and listed within" },
  mcpProbeMs: { value: 5_000, unit: "ms", about: "an upstream MCP server over stdio says which era it belongs to within" },
  mcpListPagesMax: { value: 100, unit: "pages", about: "pages of `tools/list` read from one upstream server" },
  mcpUserLinksMax: { value: 200, unit: "connections", about: "connections to one MCP server, of a user each (`runsAs: user`)" },
  mcpSourceToolsMax: { value: 1_000, unit: "tools", about: "tools of one upstream MCP server" },
  mcpMessageBytesMax: { value: 16_777_216, unit: "bytes", about: "one message of an upstream MCP server" },
  mcpStrayMessagesMax: { value: 50_000, unit: "messages", about: "of an MCP server over stdio between two answers, before it is ended" },
  mcpRelistMs: { value: 300_000, unit: "ms", about: "between two looks at the tools of an upstream server that announced no change" },
  mcpChangeWaitMs: { value: 250, unit: "ms", about: "further announcements of a change are waited for before the tools are listed again" },
  mcpRestartBaseMs: { value: 500, unit: "ms", about: "backoff before an upstream server is connected again the first time is up to this" },
  mcpRestartCapMs: { value: 60_000, unit: "ms", about: "no backoff before connecting again is longer" },
  mcpSteadyMs: { value: 60_000, unit: "ms", about: "an upstream server that was up for so long counts as healthy again" },
  mcpEndMs: {
    value: 500,
    unit: "ms",
    about: "an upstream server over stdio ends by itself within, once its input has ended, before it is told to",
  },
  mcpKillMs: { value: 2_000, unit: "ms", about: "an upstream server over stdio that was told to end does so within, before it is killed" },
  mcpCallsWaitingMax: { value: 256, unit: "calls", about: "calls of one upstream server that wait for their answers" },
  configAliasesMax: { value: 100, unit: "aliases", about: "repeated anchors in one YAML file" },
  configProblemsMax: { value: 100, unit: "problems", about: "problems of one configuration that are reported" },
  pageRowsMax: { value: 200, unit: "rows", about: "one page of a listing" },
  drainMs: { value: 10_000, unit: "ms", about: "accepted calls may finish after SIGTERM" },
  // Store and ledger.
  groupUnitsMax: { value: 256, unit: "units", about: "units in one group commit" },
  storeBusyMs: { value: 1_000, unit: "ms", about: "wait for a lock on the store file that another program holds" },
  storeCacheRowsMax: {
    value: 10_000,
    unit: "rows",
    about: "versions and counters that the writer remembers instead of reading them again",
  },
  storeInlineRowsMax: { value: 500, unit: "rows", about: "rows or entries read on the main thread; more go through the worker thread" },
  storeInlineBytesMax: { value: 262_144, unit: "bytes", about: "of the store's log brought in on the main thread; a worker takes more" },
  storeLogBytesMax: {
    value: 2_097_152,
    unit: "bytes",
    about: "one of the two files of the store's commit log, before the other takes its turn and it is brought into the tables",
  },
  storeSliceRowsMax: { value: 200, unit: "rows", about: "rows or entries deleted in one transaction by purge and retention" },
  storeConnectMs: { value: 5_000, unit: "ms", about: "one attempt to connect to a store's database" },
  storeReconnectMs: {
    value: 10_000,
    unit: "ms",
    about: "a lost connection to a store's database is tried again before what waits for it is refused",
  },
  storeAnswerMs: { value: 30_000, unit: "ms", about: "a store's database answers within, or its connection counts as lost" },
  storeLockMs: { value: 5_000, unit: "ms", about: "wait for rows of a store's database that another process holds" },
  storeTransactionIdleMs: { value: 10_000, unit: "ms", about: "a process that went silent inside a transaction holds its rows" },
  storeConnectionsMax: {
    value: 4,
    unit: "connections",
    about: "connections of one process that read a store's database, beside the one that writes",
  },
  storeAttemptsMax: { value: 10, unit: "attempts", about: "of one group whose rows other processes change meanwhile" },
  writerLeaseMs: { value: 30_000, unit: "ms", about: "a process keeps its place as a writer of a shared store without a sign of life" },
  checkpointLogPagesMax: {
    value: 2_000,
    unit: "pages",
    about: "pages of SQLite's write-ahead log before they are moved into the store file",
  },
  memoryEntriesMax: { value: 20_000, unit: "entries", about: "ledger entries kept by the memory store" },
  checkpointEntriesMax: { value: 1_000, unit: "entries", about: "ledger entries between two signed checkpoints" },
  checkpointIntervalMs: { value: 5_000, unit: "ms", about: "time between two signed checkpoints while entries arrive" },
  verifyPageEntries: { value: 500, unit: "entries", about: "read at once while the ledger is verified or exported" },
  auditViewEntriesMax: { value: 2_000, unit: "entries", about: "read for one auditors' view" },
  ledgerProblemsMax: { value: 1_000, unit: "problems", about: "named by one verification of the ledger; the rest is counted" },
  dataKeyCacheMs: { value: 60_000, unit: "ms", about: "a data key is used without looking whether it was destroyed elsewhere" },
  dataKeysCachedMax: { value: 10_000, unit: "keys", about: "data keys of tenants and persons kept in memory" },
  sessionsLiveMax: { value: 100_000, unit: "sessions", about: "sessions kept in the memory of one process" },
  // Several processes on one store.
  pulseMs: { value: 400, unit: "ms", about: "between two exchanges of rates and policy among the processes of one store" },
  storeAwayMs: { value: 5_000, unit: "ms", about: "a process that got no answer of a shared store for so long says that it is not ready" },
  pulseKeysMax: { value: 2_000, unit: "keys", about: "principals and tools whose rates one process tells the others, the latest used" },
  pulseProcessesMax: { value: 200, unit: "processes", about: "processes on one store that tell each other their rates" },
  channelPulseMs: {
    value: 100,
    unit: "ms",
    about: "between two times that a process tells the others its rates and breakers where `sharedLimits` is set",
  },
  channelAwayMs: {
    value: 3_000,
    unit: "ms",
    about: "a process that did not hear itself on the channel of `sharedLimits` for so long says that it is away",
  },
  channelMessageCharsMax: {
    value: 1_000_000,
    unit: "characters",
    about: "said at once on the channel of `sharedLimits`; more goes through the store",
  },
  drainNoticeMs: {
    value: 2_000,
    unit: "ms",
    about:
      "a gateway on a shared store still takes calls after SIGTERM while it says that it is not ready, so that a balancer turns away first",
  },
  joinPollMs: { value: 100, unit: "ms", about: "between two looks at calls of other processes that somebody here waits for" },
  joinsWaitingMax: { value: 1_000, unit: "calls", about: "callers of one process that wait for calls of other processes" },
  // Recovery and reconciliation.
  upkeepIntervalMs: { value: 5_000, unit: "ms", about: "between two sweeps for calls to recover and approvals to wake or to expire" },
  recoveryAtOnceMax: { value: 16, unit: "calls", about: "calls that waited, or whose process died, taken up again at once" },
  recoveryStartMs: {
    value: 1_000,
    unit: "ms",
    about: "a starting process waits for the recovery of such calls; what takes longer goes on beside",
  },
  deadLettersMax: {
    value: 1_000,
    unit: "letters",
    about:
      "open dead letters of one tenant; beyond, failed ones are forgotten, and where as many calls are unknown the tenant is limited to reads",
  },
  deadLetterKeepMs: {
    value: 2_592_000_000,
    unit: "ms",
    about: "a dead letter of which nobody has to know more is kept; an unknown call stays",
  },
  reconcileSettleMs: { value: 5_000, unit: "ms", about: "after a lost attempt's deadline, before a negative look-up counts" },
} as const satisfies Record<string, LimitRow>;

/** One bound: its default, its unit and what it bounds. */
export interface LimitRow {
  readonly value: number;
  readonly unit: string;
  readonly about: string;
}

/** The bounds in force, by name. */
export type Limits = { readonly [name in keyof typeof limitTable]: number };

/** The defaults. */
export const defaultLimits: Limits = Object.freeze(
  Object.fromEntries(Object.entries(limitTable).map(([name, row]) => [name, row.value])),
) as Limits;

/** The defaults with an operator's changes. Unknown names and values that are not positive whole numbers are reported together. */
export function resolveLimits(changes: { readonly [name: string]: unknown } = {}): {
  readonly limits: Limits;
  readonly problems: readonly string[];
} {
  const limits: Record<string, number> = { ...defaultLimits };
  const problems: string[] = [];
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(limitTable, name)) problems.push(`no limit named \`${name}\`; the table is in docs/limits.md`);
    else if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1)
      problems.push(`limit \`${name}\` is \`${String(value)}\`; it must be a whole number of at least 1`);
    else limits[name] = value;
  }
  return { limits: Object.freeze(limits) as Limits, problems };
}
