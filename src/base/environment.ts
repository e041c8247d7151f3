/** Variables of the process's environment, as they are when asked. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process. Everything else takes one as a parameter. */
export function systemEnvironment(): Environment {
  return process.env;
}
