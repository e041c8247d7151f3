/** How a source is asked whether it is well, beside what calls find. */
export interface HealthCheckOptions {
  /** Asked with GET, without credentials. Whatever answers 200 to 399 is well. */
  readonly url: string;
  /** Between two checks. Default: the limit `healthCheckMs`. */
  readonly everyMs?: number | undefined;
  /** Exact `host:port` that may be asked although the address is private, or without TLS. Default none. */
  readonly allowPrivate?: readonly string[] | undefined;
}

/** What asks one source. */
export interface HealthCheck {
  /** Whether it is well; undefined where the signal fired before that was known. Never rejects. */
  ask(signal: AbortSignal): Promise<boolean | undefined>;
  close(): Promise<void>;
}
