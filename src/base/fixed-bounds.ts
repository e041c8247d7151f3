import type { LimitRow } from "./limits.ts";

const changesOnlySpeed = "with another value everything is the same, only slower";

/**
 * The bounds that nobody changes: how often a lost race is run again, how much of a text is quoted, what is remembered of what was worked out.
 * Each is here and nowhere else, so that one thing has one number, and `docs/limits.md` shows them all. What an operator may change is in
 * `limits.ts`; a number of somebody else's format or protocol stays with the code that speaks it.
 */
export const fixedTable = {
  // Trying again.
  racesMax: { value: 20, unit: "attempts", about: "at one change of a row that other callers or processes change meanwhile" },
  restartsMax: { value: 5, unit: "times", about: "that one call is judged again because what its decision rests on changed meanwhile" },
  settleAttemptsMax: { value: 3, unit: "attempts", about: "at writing an outcome down, where a store that others share did not answer" },
  logReadsMax: {
    value: 20,
    unit: "attempts",
    about: "at reading a store's commit log while another process brings it in",
    untested: "another process would have to bring the log in between each two readings",
  },
  verifyReadingsMax: {
    value: 3,
    unit: "readings",
    about: "of the ledger by one verification, where retention drops entries meanwhile",
    untested: "retention would have to drop entries between each two readings",
  },
  storeRetryBaseMs: { value: 50, unit: "ms", about: "pause before a lost database is tried again the first time; it doubles" },
  storeRetryCapMs: { value: 1_000, unit: "ms", about: "no such pause is longer" },
  comeBackMs: { value: 1_000, unit: "ms", about: "who is turned away for a moment is told to come back after" },
  comeBackLaterMs: { value: 5_000, unit: "ms", about: "who holds all the streams that one may hold is told to come back after" },
  // Upkeep.
  sweepRowsMax: { value: 1_000, unit: "rows", about: "due calls, approvals or deferrals that one sweep takes up; the next one goes on" },
  closeMs: { value: 5_000, unit: "ms", about: "tools, sources and receivers may take to close, once the calls have ended" },
  purgeRowsMax: { value: 1_000, unit: "rows", about: "expired rows of one kind that one sweep deletes" },
  scanRowsMax: { value: 200, unit: "rows", about: "one step of a search that goes through all rows of one kind" },
  orphanHorizonMs: {
    value: 3_600_000,
    unit: "ms",
    about: "no call of a process that died can still be within its own deadline for longer",
  },
  unknownAgainMs: { value: 60_000, unit: "ms", about: "between two looks at a call of which nobody can tell whether it happened" },
  pulsesMissedMax: { value: 2, unit: "pulses", about: "since all other processes were heard, while kept facts may stand for a look-up" },
  toldWritesMax: {
    value: 200,
    unit: "kinds",
    about: "of what its latest writes touched that a process tells the others; of more they forget all",
  },
  silentPulsesMax: { value: 120, unit: "pulses", about: "that a process misses before the others forget its rates" },
  simulatedStepCalls: {
    value: 64,
    unit: "calls",
    about: "that a simulation of a policy judges before it lets others have a turn",
    untested: changesOnlySpeed,
  },
  // Looking back.
  callEntriesMax: { value: 200, unit: "entries", about: "ledger entries of one call that are read to tell what became of it" },
  readOnlyStatesMax: { value: 1_000, unit: "switches", about: "read-only switches of one tenant that are looked at" },
  wideningsShownMax: { value: 200, unit: "approvals", about: "answers for a whole session that are named where the session is shown" },
  breakerNewsMs: { value: 600_000, unit: "ms", about: "that an opened breaker is news to other processes" },
  probePeriodMsMin: { value: 1_000, unit: "ms", about: "one process at a time probes a shared breaker for at least so long" },
  lateTicksMin: { value: 3, unit: "ticks", about: "in a row that come late, before a process counts as overloaded" },
  lateTickGapMs: { value: 50, unit: "ms", about: "between two late ticks that follow each other, beside the delay itself" },
  policyQuietMs: { value: 200, unit: "ms", about: "a policy file has not changed for, before it is read" },
  logFlushMs: { value: 50, unit: "ms", about: "lines of the log are gathered before they are written" },
  freeBytesMin: {
    value: 209_715_200,
    unit: "bytes",
    about: "free beside the store file; with less, `doctor` warns",
    untested: "needs a disk that is nearly full",
  },
  clockMsMin: { value: 1_767_225_600_000, unit: "ms since 1970", about: "no clock that is right shows an earlier time (2026-01-01)" },
  healthAttemptsMin: {
    value: 20,
    unit: "attempts",
    about: "of a tool or source in the window, before its share of failures says anything",
  },
  // What people and models are shown.
  helpCharsMax: {
    value: 100,
    unit: "characters",
    about: "a line of prose in the help of a command, where no terminal says how wide it is",
  },
  foldedCharsMin: {
    value: 24,
    unit: "characters",
    about: "a last column of the command line is never folded narrower, however narrow the terminal",
  },
  shownNameCharsMax: { value: 80, unit: "characters", about: "a name where people read it, such as that of a tool on a card" },
  shownTextCharsMax: {
    value: 200,
    unit: "characters",
    about: "a text where people read it: what a tool is for on a plan, a value in the auditors' view",
  },
  quotedCharsMax: { value: 60, unit: "characters", about: "a value or a name from outside, quoted inside a sentence" },
  shownPathCharsMax: { value: 300, unit: "characters", about: "the path of an argument, in words about it" },
  shownPathsMax: { value: 20, unit: "arguments", about: "that are named as changed, where a person changed the arguments of a call" },
  cardSummaryCharsMax: { value: 300, unit: "characters", about: "the line that says what a call will do, on the card of an approval" },
  namedMax: { value: 3, unit: "names", about: "given as examples in one message; the rest is counted" },
  cutNoteCharsMax: { value: 150, unit: "characters", about: "what is said beside a result that was cut, and is kept free for it" },
  cutDepthMax: { value: 32, unit: "levels", about: "of a result that are kept where it is cut" },
  problemsMax: { value: 100, unit: "problems", about: "of one schema, or of the tools of one server, that are told" },
  valuesShownMax: { value: 8, unit: "values", about: "that an argument may have, named in one message; the rest is counted" },
  numberCharsMax: { value: 400, unit: "characters", about: "a text that is taken for a number" },
  nearestNamesMax: { value: 20_000, unit: "names", about: "of tools or arguments that a mistyped one is compared with" },
  configQuoteCharsMax: { value: 160, unit: "characters", about: "of a line of configuration that is shown where it is wrong" },
  logLineCharsMax: { value: 2_000, unit: "characters", about: "one line of the log; of a longer one only the event stays" },
  upstreamWordsCharsMax: {
    value: 2_000,
    unit: "characters",
    about: "an MCP server's own words about a failure, before they are shortened for the model",
  },
  definitionDepthMax: { value: 200, unit: "levels", about: "of a tool's definition as it is handed over; deeper is a circle" },
  // What outsiders send.
  paramHeadersDepthMax: { value: 16, unit: "levels", about: "of a schema that are searched for headers that an MCP server declares" },
  mcpMethodCharsMax: { value: 200, unit: "characters", about: "the method of an MCP request" },
  mcpIdCharsMax: { value: 1_000, unit: "characters", about: "the id of an MCP request" },
  erasureDaysMax: { value: 36_500, unit: "days", about: "age from which retention may be asked to drop entries" },
  pageRowsDefault: { value: 50, unit: "rows", about: "one page of a listing whose length nobody asked for" },
  secretCharsMin: {
    value: 6,
    unit: "characters",
    about: "a secret, or a written form of it, that is taken out of what leaves; shorter ones stand everywhere",
  },
  needleCharsMin: { value: 4, unit: "characters", about: "a text that many texts are searched for at once" },
  // Personal and secret data that nobody labelled.
  personalTextCharsMin: { value: 8, unit: "characters", about: "a text that has room for a name and a value" },
  personalBehindCharsMax: { value: 160, unit: "characters", about: "behind a name, in which its value stands" },
  personalGroupsCharsMin: {
    value: 8,
    unit: "characters",
    about: "of digits in groups that may prove themselves: the shortest account has a run of them",
  },
  personalGroupsCharsMax: { value: 80, unit: "characters", about: "of digits in groups that are looked at together" },
  personalLeadCharsMax: { value: 16, unit: "characters", about: "before such groups, in which an account may begin" },
  personalLeafCharsMax: { value: 4_096, unit: "characters", about: "a value that is personal by the name of its field" },
  personalFormCharsMin: { value: 4, unit: "characters", about: "a value that looks personal, without its separators" },
  personalFormCharsMax: { value: 128, unit: "characters", about: "a value that looks personal, without its separators" },
  personalTellingCharsMin: { value: 6, unit: "characters", about: "such a value is known again without a name of its kind beside it" },
  fieldNamesKnownMax: { value: 5_000, unit: "names", about: "of fields of which it is remembered what they say" },
  daysInTextMax: { value: 100, unit: "days", about: "with their years that are told apart in one text" },
  // Text that may carry what was read.
  knownValueCharsMax: { value: 300, unit: "characters", about: "a value that is remembered as a whole; a longer one is text" },
  argumentLeavesMax: {
    value: 1_000,
    unit: "values",
    about: "in the arguments of one call that are traced, and shown on cards, one by one",
  },
  argumentPlacesMax: {
    value: 1_000,
    unit: "places",
    about: "in the arguments of one tool whose meaning is worked out once; of more it is worked out at each call",
  },
  steeringCharsMax: { value: 120, unit: "characters", about: "a value of no declared role that may steer a call; a longer one is content" },
  tracedCharsMin: { value: 3, unit: "characters", about: "a value that is looked for in other texts; shorter ones are found everywhere" },
  userWordsCharsMax: {
    value: 400_000,
    unit: "characters",
    about: "the user's words of one session that may grant something; older ones are forgotten",
  },
  actionablesMax: { value: 200, unit: "values", about: "addresses, links and accounts that are taken from one text" },
  encodedCharsMin: { value: 16, unit: "characters", about: "a run of a text that is tried as hexadecimal or base64" },
  givenWaitingMax: {
    value: 256,
    unit: "values",
    about: "of arguments that wait to be indexed; they excuse and never restrict, so the oldest are forgotten",
  },
  originsMax: { value: 60_000, unit: "origins", about: "that one table of read text tells apart (their numbers have 16 bits)" },
  indexSliceChars: { value: 32_768, unit: "characters", about: "of results that are indexed between two turns of the event loop" },
  repeatedResultsMax: { value: 4, unit: "results", about: "latest short results that are not indexed again when they come again" },
  repeatedResultCharsMax: { value: 2_048, unit: "characters", about: "such a result" },
  embeddedDepthMax: { value: 64, unit: "levels", about: "of JSON inside a text that are opened; what is deeper is read as text" },
  recordNamesMax: { value: 500, unit: "names", about: "of records that a session remembers, for when the user names one" },
  recordPlacesMax: { value: 1_000, unit: "places", about: "lists with a single record that a session remembers" },
  recordObjectsMax: { value: 200, unit: "objects", about: "of one result that are looked at for names that the user said" },
  recordCharsMax: { value: 100_000, unit: "characters", about: "of one result that are searched for names that the user said" },
  recordNameCharsMin: { value: 6, unit: "characters", about: "a record's name that the user may mean by saying it" },
  toolNounCharsMin: { value: 3, unit: "characters", about: "a word of a tool's name by which the user may call what it handles" },
  handledWordsMax: { value: 4, unit: "words", about: "behind a verb that says little, among which is what the tool handles" },
  guardedWordsMin: { value: 5, unit: "words", about: "in a row of guarded text that make a longer text guarded" },
  memberNameCharsMax: { value: 100, unit: "characters", about: "a member's name that is looked at for what it means" },
  flowCallsKnownMax: {
    value: 2_000,
    unit: "calls",
    about: "latest calls that need not be read back from the ledger",
    untested: "what is forgotten is read back with the same result",
  },
  // Rules.
  reasonCharsMax: { value: 500, unit: "characters", about: "the reason that a rule or a decision point gives" },
  ruleNameCharsMax: { value: 100, unit: "characters", about: "the id of a rule" },
  ruleChangesMax: { value: 20, unit: "arguments", about: "that one rule changes" },
  ruleLoopsDepthMax: { value: 2, unit: "levels", about: "of loops inside loops in a condition" },
  sequenceSumMax: { value: 1_000_000_000, unit: "units", about: "a sum that a sequence allows" },
  policyCasesMax: { value: 10_000, unit: "cases", about: "in one test table of a policy" },
  hintNamesMax: { value: 2_000, unit: "names", about: "that a mistyped name in a policy or configuration is compared with" },
  comparedCharsMax: { value: 80, unit: "characters", about: "of names that are compared to find the nearest one" },
  digestHexChars: {
    value: 32,
    unit: "characters",
    about: "that a shortened digest keeps: 128 bits, so that nobody finds two alike",
    untested: "nobody finds two texts whose digests begin alike",
  },
  // Configuration.
  configTextCharsMax: { value: 4_000, unit: "characters", about: "one text of the configuration" },
  configNameCharsMax: { value: 200, unit: "characters", about: "a name, a glob or a word in the configuration" },
  configItemsMax: { value: 1_000, unit: "items", about: "one list of the configuration" },
  configShortItemsMax: { value: 100, unit: "items", about: "a list of patterns, readers or words that belong to one tool" },
  configCountMax: { value: 1_000_000, unit: "of its kind", about: "a number of calls, tries or places in the configuration" },
  configSpanMsMax: { value: 3_600_000, unit: "ms", about: "a span of time in the configuration" },
  configCostMicrosUsdMax: { value: 1_000_000_000, unit: "micro-USD", about: "what one call of a tool may cost" },
  attemptTimeoutMsMax: { value: 600_000, unit: "ms", about: "that a tool may give one attempt" },
  healthCheckMsMin: { value: 10, unit: "ms", about: "between two questions to a source whether it is well" },
  // Store.
  cautionGroupsMax: {
    value: 64,
    unit: "groups",
    about: "that lock their rows first, after other processes changed them often",
    untested: changesOnlySpeed,
  },
  wholeGroupsMax: { value: 64, unit: "groups", about: "that are written whole, before halves are tried again", untested: changesOnlySpeed },
  splitUnitsMin: {
    value: 16,
    unit: "units",
    about: "that are written as two groups in turn; the database takes about as long for fewer as for one",
    untested: changesOnlySpeed,
  },
  fewKeysMax: {
    value: 4,
    unit: "keys",
    about: "that a database is asked for one by one, by a statement that is planned once",
    untested: changesOnlySpeed,
  },
  batchEntriesMax: {
    value: 100_000,
    unit: "entries",
    about: "the last batch of a store file has, when it is proven at start",
    untested: "no group of units has that many entries",
  },
  undoPlacesMax: { value: 64, unit: "places", about: "that one unit changes, for which memory is kept for the next" },
  randomPoolBytes: { value: 4_096, unit: "bytes", about: "of randomness fetched at once", untested: changesOnlySpeed },
  // What was worked out and is kept.
  rememberedMax: { value: 1_000, unit: "answers", about: "of one pure question, by what was asked; more are worked out again" },
} as const satisfies Record<string, FixedRow>;

/** A bound that nobody changes. */
export interface FixedRow extends LimitRow {
  /** Why no test can hit it; absent: one does. */
  readonly untested?: string;
}

/** The fixed bounds by name. */
export const fixedBounds: { readonly [name in keyof typeof fixedTable]: number } = Object.freeze(
  Object.fromEntries(Object.entries(fixedTable).map(([name, row]) => [name, row.value])),
) as { readonly [name in keyof typeof fixedTable]: number };
