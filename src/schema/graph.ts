/**
 * A JSON Schema as a graph: every subschema is a node, and references are resolved to nodes. It is what the checks at registration walk (cycles,
 * sizes), and what tells which members a schema declares at a place. Only what is inside the document, or in documents handed over, is ever reached.
 */
import type { JsonObject } from "../domain/json.ts";
import type { JsonSchema } from "../domain/tool.ts";
import { applicators, type Applicator, type Placement } from "./keywords.ts";

/** One subschema. */
export interface SchemaNode {
  readonly id: number;
  readonly schema: JsonSchema;
  /** JSON pointer from the root of its document. */
  readonly pointer: string;
  /** Absolute URI of the resource that it belongs to. */
  readonly base: string;
  readonly isDraft7: boolean;
  /** Whether it is in the schema itself rather than in a document handed over with it. */
  readonly isInRoot: boolean;
  /** URI of the document that it was handed over in; empty in the schema itself. */
  readonly document: string;
}

/** A subschema as seen from the one that holds it. */
export interface Edge {
  readonly keyword: string;
  readonly placement: Placement;
  /** Member name or index under the keyword; empty where there is one subschema only. */
  readonly key: string;
  readonly target: SchemaNode;
}

/** A reference that leads nowhere. */
export interface DeadReference {
  readonly node: SchemaNode;
  readonly reference: string;
}

/** The whole. */
export interface SchemaGraph {
  readonly root: SchemaNode;
  readonly nodes: readonly SchemaNode[];
  readonly deadReferences: readonly DeadReference[];
  /** Dynamic references whose end depends on the way taken, since several anchors have the name. */
  readonly openReferences: readonly DeadReference[];
  /** Subschemas and references of a node. */
  edges(node: SchemaNode): readonly Edge[];
}

const draft7Uri = "http://json-schema.org/draft-07/schema";
const rootUri = "signalbox:///schema";

/** Whether a schema says that it is draft-07. Every other one is read as 2020-12. */
export function isDraft7(schema: JsonSchema, inherited = false): boolean {
  if (typeof schema !== "object" || typeof schema.$schema !== "string") return inherited;
  return schema.$schema.replace(/#$/, "") === draft7Uri;
}

/** Builds the graph. The schema's depth must have been checked before, since this walks recursively. */
export function buildGraph(schema: JsonSchema, documents: Readonly<Record<string, JsonSchema>> = {}): SchemaGraph {
  const builder = new GraphBuilder();
  const root = builder.index(schema, { base: rootUri, pointer: "", draft7: isDraft7(schema), document: "" });
  builder.addResource(rootUri, root);
  for (const [uri, document] of Object.entries(documents)) {
    const node = builder.index(document, { base: uri, pointer: "", draft7: isDraft7(document), document: uri });
    builder.addResource(uri, node);
  }
  return builder.finish(root);
}

interface Place {
  readonly base: string;
  readonly pointer: string;
  readonly draft7: boolean;
  readonly document: string;
}

class GraphBuilder {
  private readonly nodes: SchemaNode[] = [];
  private readonly byObject = new Map<object, SchemaNode>();
  private readonly resources = new Map<string, SchemaNode>();
  private readonly anchors = new Map<string, SchemaNode>();
  private readonly dynamicAnchors = new Map<string, SchemaNode[]>();
  private readonly edgesById = new Map<number, Edge[]>();

  addResource(uri: string, node: SchemaNode): void {
    this.resources.set(uri, node);
  }

  index(schema: JsonSchema, place: Place): SchemaNode {
    const known = typeof schema === "object" ? this.byObject.get(schema) : undefined;
    if (known !== undefined) return known;
    const draft7 = isDraft7(schema, place.draft7);
    const base = typeof schema === "object" ? this.baseOf(schema, place.base, draft7) : place.base;
    const node: SchemaNode = {
      id: this.nodes.length,
      schema,
      pointer: place.pointer,
      base,
      isDraft7: draft7,
      isInRoot: place.document === "",
      document: place.document,
    };
    this.nodes.push(node);
    if (typeof schema !== "object") return node;
    this.byObject.set(schema, node);
    this.name(schema, node, place.base);
    const edges: Edge[] = [];
    for (const [keyword, applicator] of applicators) {
      if (!Object.hasOwn(schema, keyword)) continue;
      for (const [key, child] of subschemas(schema[keyword], applicator)) {
        const pointer = `${place.pointer}/${keyword}${key === undefined ? "" : `/${escapePointer(key)}`}`;
        const target = this.index(child, { base, pointer, draft7, document: place.document });
        edges.push({ keyword, placement: applicator.placement, key: key ?? "", target });
      }
    }
    this.edgesById.set(node.id, edges);
    return node;
  }

  private baseOf(schema: JsonObject, base: string, draft7: boolean): string {
    if (typeof schema.$id !== "string" || schema.$id.startsWith("#") || (draft7 && "$ref" in schema)) return base;
    return resolveUri(schema.$id, base).split("#")[0] as string;
  }

  private name(schema: JsonObject, node: SchemaNode, outerBase: string): void {
    if (node.base !== outerBase) this.resources.set(node.base, node);
    const { $anchor, $dynamicAnchor, $id } = schema;
    if (typeof $id === "string" && $id.startsWith("#") && node.isDraft7) this.anchors.set(node.base + $id, node);
    if (typeof $anchor === "string") this.anchors.set(`${node.base}#${$anchor}`, node);
    if (typeof $dynamicAnchor === "string") {
      this.anchors.set(`${node.base}#${$dynamicAnchor}`, node);
      this.dynamicAnchors.set($dynamicAnchor, [...(this.dynamicAnchors.get($dynamicAnchor) ?? []), node]);
    }
  }

  finish(root: SchemaNode): SchemaGraph {
    const dead: DeadReference[] = [];
    const open: DeadReference[] = [];
    // A reference may reach a place that no keyword declares; resolving it adds nodes, which are then visited as well.
    for (let index = 0; index < this.nodes.length; index += 1) this.link(this.nodes[index] as SchemaNode, dead, open);
    return { root, nodes: this.nodes, deadReferences: dead, openReferences: open, edges: (node) => this.edgesOf(node) };
  }

  private edgesOf(node: SchemaNode): readonly Edge[] {
    return this.edgesById.get(node.id) ?? [];
  }

  private link(node: SchemaNode, dead: DeadReference[], open: DeadReference[]): void {
    if (typeof node.schema !== "object") return;
    const edges = this.edgesById.get(node.id) as Edge[];
    // In draft-07 a reference replaces its siblings.
    if (node.isDraft7 && typeof node.schema.$ref === "string")
      edges.splice(0, edges.length, ...edges.filter((edge) => edge.placement === "store"));
    for (const keyword of ["$ref", "$dynamicRef"]) {
      const reference = node.schema[keyword];
      if (typeof reference !== "string" || (node.isDraft7 && keyword === "$dynamicRef")) continue;
      const targets = this.targets(node, reference, keyword === "$dynamicRef");
      if (targets.length === 0) dead.push({ node, reference });
      if (targets.length > 1) open.push({ node, reference });
      for (const target of targets) edges.push({ keyword, placement: "in-place", key: "", target });
    }
  }

  // A dynamic reference may end at any anchor of its name; for every check of ours all of them count.
  private targets(node: SchemaNode, reference: string, isDynamic: boolean): readonly SchemaNode[] {
    const target = this.resolve(node, reference);
    const name = reference.split("#")[1] ?? "";
    if (target === undefined) return [];
    const isOpen = isDynamic && typeof target.schema === "object" && target.schema.$dynamicAnchor === name;
    return [...new Set([target, ...(isOpen ? (this.dynamicAnchors.get(name) ?? []) : [])])];
  }

  private resolve(node: SchemaNode, reference: string): SchemaNode | undefined {
    const uri = resolveUri(reference, node.base);
    const [resourceUri, fragment = ""] = splitFragment(uri);
    const resource = this.resources.get(resourceUri);
    if (resource === undefined) return undefined;
    if (fragment === "") return resource;
    if (!fragment.startsWith("/")) return this.anchors.get(`${resourceUri}#${fragment}`);
    return this.atPointer(resource, fragment);
  }

  private atPointer(resource: SchemaNode, fragment: string): SchemaNode | undefined {
    let value: unknown = resource.schema;
    let base = resource.base;
    for (const step of fragment.slice(1).split("/")) {
      const key = unescapePointer(step);
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string, unknown>)[key];
      base = this.byObject.get(value as object)?.base ?? base;
    }
    if (!isSchema(value)) return undefined;
    return this.index(value, {
      base,
      pointer: resource.pointer + decode(fragment),
      draft7: resource.isDraft7,
      document: resource.document,
    });
  }
}

function isSchemaObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function subschemas(value: unknown, { holding }: Applicator): readonly (readonly [string | undefined, JsonSchema])[] {
  const isList = Array.isArray(value);
  if (holding === "one" || (holding === "one-or-list" && !isList)) return isSchema(value) ? [[undefined, value]] : [];
  const isWanted = holding === "list" || holding === "one-or-list" ? isList : isSchemaObject(value);
  if (!isWanted) return [];
  return Object.entries(value as Record<string, unknown>).filter((entry): entry is [string, JsonSchema] => isSchema(entry[1]));
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "boolean" || isSchemaObject(value);
}

function splitFragment(uri: string): readonly [string, string?] {
  const at = uri.indexOf("#");
  return at < 0 ? [uri] : [uri.slice(0, at), uri.slice(at + 1)];
}

function resolveUri(reference: string, base: string): string {
  try {
    return new URL(reference, base).href;
  } catch {
    return reference; // An address that is none resolves to nothing and is reported as a dead reference.
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function unescapePointer(step: string): string {
  return decode(step).replaceAll("~1", "/").replaceAll("~0", "~");
}

/** One step of a JSON pointer (RFC 6901). */
export function escapePointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
