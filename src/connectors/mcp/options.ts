import type { HttpAuth } from "../http-options.ts";

/** How an upstream server is reached. */
export type McpReach =
  /** A child process that speaks over its standard streams, started without a shell. */
  | {
      readonly kind: "stdio";
      readonly command: readonly [string, ...string[]];
      /** Folder in which it is started. Default: that of this process. */
      readonly folder?: string | undefined;
      /** Variables beside the few that every program needs; a value may be a `secret://` reference. Nothing else of our environment is passed on. */
      readonly environment?: Readonly<Record<string, string>> | undefined;
    }
  | {
      readonly kind: "http";
      readonly url: string;
      /** The service's. Beside `userAuth` it only lists. */
      readonly auth?: HttpAuth | undefined;
      /** A credential of each user, which their calls are made with, each over a connection of their own. Default: one connection for everybody. */
      readonly userAuth?: HttpAuth | undefined;
      /** Exact `host:port` that may be asked although private or without TLS. */
      readonly allowPrivate?: readonly string[] | undefined;
    };

/** An upstream MCP server as a source of tools. */
export interface McpOptions {
  /** Of the source; begins the names of its tools. */
  readonly name: string;
  readonly reach: McpReach;
  /**
   * What an error that the server reports itself (`isError`) says of the effect of a call that is no read. Default `unknown`: such an error may come
   * after half of the work. `none` only for a server that is known to check before it acts.
   */
  readonly errorEffect?: "none" | "unknown" | undefined;
}
