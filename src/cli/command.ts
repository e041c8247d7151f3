import type { Readable, Writable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Ending } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

/** A flag of a command. */
export interface Flag {
  readonly about: string;
  /** Name of its value in the usage, such as `FILE`; without one it is a switch. */
  readonly value?: string;
  /** May be given several times. */
  readonly isList?: boolean;
}

/** The world around a command, handed in by `main.ts`. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly random: Random;
  /** Folder in which the command was given. */
  readonly folder: string;
  /** Version of the program. */
  readonly version: string;
  /** Resolves when the process shall end. */
  readonly stopped: () => Promise<void>;
  /** Does the task whenever the process is told to read its files again. */
  readonly onHangup: (task: () => void) => void;
  readonly readInput: () => Promise<string>;
  /** The program's own streams, for commands that speak a protocol over them. */
  readonly streams: () => { readonly input: Readable; readonly output: Writable };
}

/** What a command works with. */
export interface Invocation extends Surroundings {
  readonly texts: Readonly<Record<string, string | undefined>>;
  readonly lists: Readonly<Record<string, readonly string[] | undefined>>;
  readonly switches: Readonly<Record<string, boolean | undefined>>;
  readonly positionals: readonly string[];
  readonly isJson: boolean;
}

/** One command. */
export interface Command {
  /** One or two words: `serve`, `policy check`. */
  readonly name: string;
  readonly summary: string;
  /** Positional arguments as shown: `CALL`, `[CODE]`. Names in brackets may be left out. */
  readonly takes?: readonly string[];
  readonly flags?: Readonly<Record<string, Flag>>;
  /** More for `help`. */
  readonly about?: string;
  run(invocation: Invocation): Promise<Ending>;
}

/** Flags of every command. */
export const commonFlags: Readonly<Record<string, Flag>> = {
  json: { about: "print JSON for machines" },
  help: { about: "show help" },
};

/** Flag of commands that read the configuration. */
export const configFlag: Readonly<Record<string, Flag>> = {
  config: { value: "FILE", about: "the configuration; default SIGNALBOX_CONFIG, else signalbox.yaml" },
};

/** Flags of commands that talk to a running gateway. */
export const gatewayFlags: Readonly<Record<string, Flag>> = {
  url: { value: "URL", about: "the gateway; default SIGNALBOX_URL, else http://127.0.0.1:7320. The API key comes from SIGNALBOX_KEY" },
};
