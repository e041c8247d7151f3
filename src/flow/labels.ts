import { fixedBounds } from "../base/fixed-bounds.ts";
import { declaredLabel, type Label } from "../domain/label.ts";
import type { Tool } from "../domain/tool.ts";

/** The label of a leaf. */
export interface LeafLabel extends Label {
  /** Somebody said who may have it, so that nothing about that is guessed. */
  readonly saysWho: boolean;
}

/** Gives the label of a leaf by the JSON pointer of its place. */
export interface LabelReader {
  /** The label of everything, where all leaves have the same; undefined where they differ. */
  readonly whole: LeafLabel | undefined;
  at(pointer: string): LeafLabel;
}

interface Pattern {
  readonly steps: readonly string[];
  readonly label: Partial<Label>;
  /** How much of it is spelled out: a pattern that says more wins. */
  readonly weight: number;
}

const readers = new WeakMap<object, LabelReader>();

/**
 * The labels of a tool's output as declared: by JSON pointer, where `*` stands for any one step (an index of a list, mostly) and `**` for any number
 * of them. The most specific pattern wins; what none names has the label of the whole (`""`), over that of an undescribed source.
 */
export function labelReader(tool: Pick<Tool, "source" | "outputLabels">): LabelReader {
  const known = readers.get(tool);
  if (known !== undefined) return known;
  const reader = compile(tool);
  readers.set(tool, reader);
  return reader;
}

function compile(tool: Pick<Tool, "source" | "outputLabels">): LabelReader {
  const whole = tool.outputLabels[""];
  const base: LeafLabel = { ...declaredLabel(tool.source, whole), saysWho: saysWho(whole) };
  const patterns = Object.entries(tool.outputLabels)
    .filter(([pointer]) => pointer !== "")
    .map(([pointer, label]): Pattern => {
      const steps = pointer.split("/").slice(1);
      const weight = steps.reduce((sum, step) => sum + (step === "**" ? 0 : step === "*" ? 1 : 3), 0);
      return { steps, label, weight };
    })
    .sort((left, right) => right.weight - left.weight);
  if (patterns.length === 0) return { whole: base, at: () => base };
  const cache = new Map<string, LeafLabel>();
  return {
    whole: undefined,
    at(pointer) {
      const shape = pointer.replace(/\/\d+(?=\/|$)/g, "/0");
      let label = cache.get(shape);
      if (label === undefined) {
        const steps = shape.split("/").slice(1);
        const pattern = patterns.find((candidate) => fits(candidate.steps, steps));
        label =
          pattern === undefined
            ? base
            : { ...declaredLabel(tool.source, whole, pattern.label), saysWho: base.saysWho || saysWho(pattern.label) };
        if (cache.size < fixedBounds.rememberedMax) cache.set(shape, label);
      }
      return label;
    },
  };
}

/** How far a value may be believed says nothing about who may have it. */
function saysWho(label: Partial<Label> | undefined): boolean {
  return label !== undefined && (label.confidentiality !== undefined || label.categories !== undefined || label.readers !== undefined);
}

/** Whether steps of a place fit a pattern. Bounded: `**` is tried at every place once per step. */
function fits(pattern: readonly string[], steps: readonly string[], patternAt = 0, at = 0): boolean {
  if (patternAt === pattern.length) return at === steps.length;
  if (pattern[patternAt] === "**") {
    for (let skip = at; skip <= steps.length; skip += 1) if (fits(pattern, steps, patternAt + 1, skip)) return true;
    return false;
  }
  if (at === steps.length) return false;
  return (pattern[patternAt] === "*" || pattern[patternAt] === steps[at]) && fits(pattern, steps, patternAt + 1, at + 1);
}
