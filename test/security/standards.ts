/** Tests of one file, by their titles as written there. */
export interface Evidence {
  readonly file: string;
  readonly titles: readonly [string, ...string[]];
}

/** One item of a published list, and what we can show for it. `shown`: the tests show what it asks; `partly` and `gap`: `gap` says what is missing. */
export interface StandardItem {
  readonly id: string;
  /** As published. */
  readonly title: string;
  /** What it asks of a product like this one, in our words. */
  readonly asks: string;
  readonly state: "shown" | "partly" | "gap";
  readonly evidence: readonly Evidence[];
  readonly gap?: string;
}

/** A published list. */
export interface Standard {
  readonly title: string;
  readonly source: string;
  readonly items: readonly StandardItem[];
}
