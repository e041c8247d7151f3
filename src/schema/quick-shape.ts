/**
 * The quick answer to "is every member declared?" for the common schema, where which subschemas apply does not depend on the value: declarations
 * compiled into maps once, walked without allocating. Any other schema has no quick shape and is walked by `declared.ts`.
 */
import type { Declaration, Declarations } from "./declared.ts";
import type { SchemaNode } from "./graph.ts";

/** What may be in an object or list; `leaf` where nothing is to be checked further in. */
export interface QuickShape {
  isClosed: boolean;
  readonly members: Map<string, QuickShape | "leaf">;
  items: QuickShape | "leaf";
}

/** Compiles the quick shape of a schema; undefined where the declarations depend on the value. */
export function quickShape(declarations: Declarations): QuickShape | undefined {
  const known = new Map<Declaration, QuickShape>();
  let isPossible = true;
  const build = (nodes: readonly SchemaNode[]): QuickShape | "leaf" => {
    const declaration = isPossible ? declarations.fixed(nodes) : undefined;
    if (
      declaration === undefined ||
      declaration.patterns.length > 0 ||
      declaration.prefix.length > 0 ||
      declaration.others.some((node) => typeof node.schema === "object")
    ) {
      isPossible = false;
      return "leaf";
    }
    if (!declaration.isClosed && declaration.members.size === 0 && declaration.items.length === 0) return "leaf";
    const built = known.get(declaration);
    if (built !== undefined) return built;
    const shape: QuickShape = { isClosed: declaration.isClosed, members: new Map(), items: "leaf" };
    known.set(declaration, shape);
    for (const [name, member] of declaration.members) shape.members.set(name, build(member));
    if (declaration.items.length > 0) shape.items = build(declaration.items);
    return shape;
  };
  const shape = build(declarations.root);
  return isPossible && shape !== "leaf" ? shape : undefined;
}

/** Whether every member of a value is declared. */
export function hasOnlyDeclared(shape: QuickShape, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) {
    const { items } = shape;
    if (items === "leaf") return true;
    for (const item of value) if (!hasOnlyDeclared(items, item)) return false;
    return true;
  }
  for (const name in value) {
    const member = shape.members.get(name);
    if (member === undefined) {
      if (shape.isClosed) return false;
    } else if (member !== "leaf" && !hasOnlyDeclared(member, (value as Record<string, unknown>)[name])) return false;
  }
  return true;
}
