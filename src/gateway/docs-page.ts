import { createHash } from "node:crypto";
import type { Json, JsonObject } from "../domain/json.ts";
import { jsonText } from "./json-text.ts";

/** A page and the content policy under which its own style, and nothing else, is allowed. */
export interface DocsPage {
  readonly html: string;
  readonly contentPolicy: string;
}

const style = `
:root{color-scheme:light dark;--ink:#1d2433;--soft:#5a6478;--line:#dfe3ea;--paper:#fff;--wash:#f6f7f9;--blue:#1f4fbf;--green:#11683c}
*{box-sizing:border-box}body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
.page{display:grid;grid-template-columns:17rem minmax(0,1fr);max-width:78rem;margin:0 auto}
nav{position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto;padding:2rem 1rem 2rem 1.5rem;border-right:1px solid var(--line);font-size:.9rem}
nav h2{font-size:.78rem;text-transform:uppercase;letter-spacing:.06em;color:var(--soft);margin:1.4rem 0 .3rem}
nav ul{list-style:none;margin:0;padding:0}nav a{display:block;padding:.15rem 0;color:var(--ink);text-decoration:none}nav a:hover,nav a:focus{color:var(--blue);text-decoration:underline}
main{padding:2rem 2.5rem 6rem}h1{margin:0 0 .4rem;font-size:1.9rem}main>section>h2{margin:3rem 0 0;font-size:1.35rem}
article{border:1px solid var(--line);border-radius:.5rem;margin:1.2rem 0;padding:1.1rem 1.3rem;scroll-margin-top:1rem}
article h3{margin:0;font-size:1.05rem}.route{display:block;margin:.35rem 0 .6rem;font:600 .95rem ui-monospace,monospace;overflow-wrap:anywhere}
.method{display:inline-block;min-width:3.4rem;color:var(--blue)}.post{color:var(--green)}p{margin:.4rem 0}h4{margin:1.1rem 0 .3rem;font-size:.85rem;color:var(--soft)}
table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{text-align:left;vertical-align:top;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line)}th{font-weight:600;color:var(--soft)}
td:first-child,.members td:nth-child(2){white-space:nowrap}th:first-child{width:9rem}.members th:nth-child(2){width:9rem}.answers th:last-child{width:40%}tr:last-child td{border-bottom:0}main a{color:var(--blue)}
code{font:.9em ui-monospace,monospace;background:var(--wash);padding:.05em .3em;border-radius:.25em;overflow-wrap:anywhere}
pre{background:var(--wash);border:1px solid var(--line);border-radius:.4rem;padding:.8rem 1rem;overflow:auto;font:.85rem/1.5 ui-monospace,monospace;margin:.4rem 0}pre code{background:none;padding:0}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ee;--soft:#9aa4b8;--line:#343b4a;--paper:#14171e;--wash:#1d222c;--blue:#8fb2ff;--green:#6fd39b}}
@media(max-width:56rem){.page{display:block}nav{position:static;max-height:40vh;border-right:0;border-bottom:1px solid var(--line)}main{padding:1.5rem}}
`;

/** The OpenAPI document as one readable page: no script, no asset from anywhere, every text escaped. */
export function docsPage(document: JsonObject): DocsPage {
  const info = document["info"] as JsonObject;
  const groups = operationsByGroup(document);
  const contents = groups
    .map(
      ([name, operations]) =>
        `<h2>${escape(name)}</h2><ul>${operations.map(({ operation }) => `<li><a href="#${escape(jsonText(operation["operationId"]))}">${escape(jsonText(operation["summary"]))}</a></li>`).join("")}</ul>`,
    )
    .join("");
  const sections = groups
    .map(([name, operations]) => `<section><h2>${escape(name)}</h2>${operations.map(article).join("")}</section>`)
    .join("");
  const schemas = Object.entries((document["components"] as { readonly schemas: JsonObject }).schemas)
    .map(([name, schema]) => `<article id="schema-${escape(name)}"><h3>${escape(name)}</h3>${block(schema)}</article>`)
    .join("");
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escape(jsonText(info["title"]))} HTTP API</title><style>${style}</style></head>
<body><div class="page"><nav aria-label="Contents"><strong>Signalbox HTTP API</strong>${contents}<h2>Schemas</h2><ul>${Object.keys(
    (document["components"] as { readonly schemas: JsonObject }).schemas,
  )
    .map((name) => `<li><a href="#schema-${escape(name)}">${escape(name)}</a></li>`)
    .join("")}</ul></nav>
<main><h1>${escape(jsonText(info["title"]))} HTTP API</h1><p>${prose(jsonText(info["description"]))} Version ${escape(jsonText(info["version"]))}; the machine-readable form is <a href="/openapi.json">/openapi.json</a>.</p>
<p>Send the API key of a credential as <code>Authorization: Bearer …</code>.</p>${sections}<section><h2>Schemas</h2>${schemas}</section></main></div></body></html>
`;
  const digest = createHash("sha256").update(style).digest("base64");
  return {
    html,
    contentPolicy: `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };
}

interface Listed {
  readonly path: string;
  readonly method: string;
  readonly operation: JsonObject;
}

function operationsByGroup(document: JsonObject): readonly (readonly [string, readonly Listed[]])[] {
  const groups = new Map<string, Listed[]>();
  for (const [path, methods] of Object.entries(document["paths"] as JsonObject)) {
    for (const [method, operation] of Object.entries(methods as JsonObject)) {
      const group = jsonText(((operation as JsonObject)["tags"] as readonly Json[])[0]);
      groups.set(group, [...(groups.get(group) ?? []), { path, method: method.toUpperCase(), operation: operation as JsonObject }]);
    }
  }
  return [...groups];
}

function article({ path, method, operation }: Listed): string {
  const body = operation["requestBody"] as
    | { readonly content: { readonly "application/json": { readonly schema: Json; readonly example: Json } } }
    | undefined;
  const content = body?.content["application/json"];
  return [
    `<article id="${escape(jsonText(operation["operationId"]))}"><h3>${escape(jsonText(operation["summary"]))}</h3>`,
    `<span class="route"><span class="method ${method === "POST" ? "post" : "get"}">${method}</span> ${escape(path)}</span><p>${prose(jsonText(operation["description"]))}</p>`,
    parameterTable((operation["parameters"] ?? []) as readonly JsonObject[]),
    content === undefined ? "" : `<h4>Body</h4>${memberTable(content.schema as JsonObject)}<h4>Example</h4>${block(content.example)}`,
    `<h4>Answers</h4>${answerTable(operation["responses"] as JsonObject)}</article>`,
  ].join("");
}

function parameterTable(parameters: readonly JsonObject[]): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    (each) =>
      `<tr><td><code>${escape(jsonText(each["name"]))}</code></td><td>${escape(jsonText(each["in"]))}${each["required"] === true ? ", required" : ""}</td><td>${prose(jsonText(each["description"] ?? ""))} ${typeOf(each["schema"] as JsonObject)}</td></tr>`,
  );
  return `<h4>Parameters</h4><table class="members"><tr><th scope="col">Name</th><th scope="col">Where</th><th scope="col">What</th></tr>${rows.join("")}</table>`;
}

function memberTable(schema: JsonObject): string {
  const required = (schema["required"] ?? []) as readonly Json[];
  const rows = Object.entries((schema["properties"] ?? {}) as JsonObject).map(([name, member]) => {
    const about = (member as JsonObject)["description"];
    return `<tr><td><code>${escape(name)}</code></td><td>${required.includes(name) ? "required" : "optional"}</td><td>${about === undefined ? "" : `${prose(jsonText(about))} `}${typeOf(member as JsonObject)}</td></tr>`;
  });
  return `<table class="members"><tr><th scope="col">Member</th><th scope="col">Needed</th><th scope="col">What</th></tr>${rows.join("")}</table>`;
}

function answerTable(answers: JsonObject): string {
  const rows = Object.entries(answers).map(([status, answer]) => {
    const content = Object.entries(((answer as JsonObject)["content"] ?? {}) as JsonObject)[0];
    const schema = content === undefined ? undefined : ((content[1] as JsonObject)["schema"] as JsonObject | undefined);
    return `<tr><td><code>${escape(status)}</code></td><td>${prose(jsonText((answer as JsonObject)["description"]))}</td><td>${schema === undefined ? "" : typeOf(schema)}</td></tr>`;
  });
  return `<table class="answers"><tr><th scope="col">Status</th><th scope="col">When</th><th scope="col">Body</th></tr>${rows.join("")}</table>`;
}

function typeOf(schema: JsonObject): string {
  const reference = schema["$ref"];
  if (typeof reference === "string") {
    const name = reference.slice(reference.lastIndexOf("/") + 1);
    return `<a href="#schema-${escape(name)}">${escape(name)}</a>`;
  }
  if (Array.isArray(schema["enum"]))
    return (schema["enum"] as readonly Json[]).map((each) => `<code>${escape(jsonText(each))}</code>`).join(" ");
  if (schema["type"] === "array") return `<code>array</code> of ${typeOf((schema["items"] ?? {}) as JsonObject)}`;
  const type = typeof schema["type"] === "string" ? schema["type"] : "any";
  const properties = type === "object" ? Object.keys((schema["properties"] ?? {}) as object) : [];
  return `<code>${escape(type)}</code>${properties.length === 0 ? "" : ` with ${properties.map((name) => `<code>${escape(name)}</code>`).join(", ")}`}`;
}

function block(value: Json | undefined): string {
  return `<pre tabindex="0"><code>${escape(JSON.stringify(value, undefined, 2) ?? "")}</code></pre>`;
}

// Backticks are the only mark that descriptions use.
function prose(text: string): string {
  return escape(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
