import type { NoticePort } from "../../src/domain/notice.ts";

/** Where notices go: what is in `refusals` is refused for good, everything else arrives. */
export function noticeHook(refusals: string[]): NoticePort & { readonly arrived: string[]; readonly tried: string[] } {
  const arrived: string[] = [];
  const tried: string[] = [];
  return {
    name: "ops-hook",
    arrived,
    tried,
    deliver({ id }) {
      tried.push(id);
      const problem = refusals.shift();
      if (problem !== undefined) return Promise.resolve({ kind: "failed", isFinal: true, problem });
      arrived.push(id);
      return Promise.resolve({ kind: "delivered" });
    },
  };
}
