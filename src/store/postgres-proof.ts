import { toolCallError } from "../errors/tool-call-error.ts";
import type { DatabaseAddress, Queryable } from "./postgres-driver.ts";
import { sealBatch } from "./seal.ts";
import type { WriterHead } from "./store.ts";

const lastBatch = `select seq, epoch, batch_count, batch_previous, batch_head from signalbox.entries
  where writer = $1 and epoch = (select max(epoch) from signalbox.entries where writer = $1) order by seq desc limit 1`;
const textsOfBatch = "select text from signalbox.entries where epoch = $1 and writer = $2 and seq > $3 and seq <= $4 order by seq";

/**
 * Refuses a writer whose last batch, sealed anew from its entries, does not come out as the head of its chain: the database was changed or damaged
 * there, and whatever is written next would be chained to it.
 */
export async function requireWholeEnd(target: Queryable, address: DatabaseAddress, writerHead: WriterHead): Promise<void> {
  const { writer } = writerHead;
  const [last] = await target.query(lastBatch, [writer]);
  // Retention may have dropped every entry; the head alone remains then.
  if (last === undefined) return;
  const [seq, epoch, count, previous, head] = last as readonly [number, number, number | null, string, string];
  const texts = count === null ? [] : (await target.query(textsOfBatch, [epoch, writer, seq - count, seq])).map(([text]) => text as string);
  const isWhole =
    seq === writerHead.seq &&
    head === writerHead.head &&
    texts.length === count &&
    sealBatch({ writer, epoch, seq: seq - count + 1 }, previous, texts).head === head;
  if (isWhole) return;
  throw toolCallError(
    "CONFIG_INVALID",
    `the last batch of writer \`${writer}\` in \`${address.name}\` does not match its entries: the database was changed or damaged; restore a backup`,
  );
}
