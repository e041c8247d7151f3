import { canonicalJson } from "../base/canonical-json.ts";
import type { Store } from "../store/store.ts";
import { isSignedBy, type PublicKey, type Signature } from "./keyring.ts";
import type { DroppedSegment } from "./own-entries.ts";
import type { ProblemList } from "./verification.ts";

/** Every signed tombstone of a ledger, by writer, in the order of `throughSeq`. A ledger has one per retention, not per entry. */
export type Tombstones = ReadonlyMap<string, readonly DroppedSegment[]>;

/** The text that a tombstone's signature is over. */
export function tombstoneText(segment: DroppedSegment): string {
  const { checkpointNumber, epoch, fromSeq, head, throughSeq, writer } = segment;
  return canonicalJson({ checkpointNumber, epoch, fromSeq, head, throughSeq, writer });
}

/** Reads the tombstones; one without a good signature is reported and excuses nothing. */
export async function findTombstones(
  store: Pick<Store, "entries" | "writers">,
  publicKeys: readonly PublicKey[],
  pageEntries: number,
  found: ProblemList,
): Promise<Tombstones> {
  const tombstones = new Map<string, DroppedSegment[]>();
  for (const { writer, epoch } of await store.writers()) {
    let afterSeq = 0;
    for (;;) {
      const page = await store.entries({ writer, epoch, kind: "segment-dropped", afterSeq, limit: pageEntries });
      for (const entry of page) {
        const read = readTombstone(entry.text);
        if (read !== undefined && isSignedBy(publicKeys, tombstoneText(read.segment), read.signature))
          tombstones.set(read.segment.writer, [...(tombstones.get(read.segment.writer) ?? []), read.segment]);
        else
          found.add({
            kind: "unsigned",
            writer,
            epoch,
            seq: entry.seq,
            message: `the tombstone at entry ${entry.seq} of \`${writer}\` is not signed by a known key`,
          });
      }
      if (page.length < pageEntries) break;
      afterSeq = page.at(-1)?.seq ?? afterSeq;
    }
  }
  for (const segments of tombstones.values()) segments.sort((left, right) => left.throughSeq - right.throughSeq);
  return tombstones;
}

function readTombstone(text: string): { readonly segment: DroppedSegment; readonly signature: Signature } | undefined {
  try {
    const body = (JSON.parse(text) as { readonly body?: { readonly segment?: DroppedSegment; readonly signature?: Signature } }).body;
    if (body?.segment === undefined || typeof body.signature?.signature !== "string") return undefined;
    return { segment: body.segment, signature: body.signature };
  } catch {
    // An entry whose text is no JSON is reported as edited where the entries are walked; here it is no tombstone.
    return undefined;
  }
}
