/** Processor time that some work takes, in milliseconds: unlike the time on the wall it does not grow when the machine is busy with other things. */
export async function cpuMsOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
