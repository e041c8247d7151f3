/**
 * Where the arguments of an egress tool would go. Every text in them is searched for URLs the way a fetching client would read them (line
 * breaks inside dropped or not, one slash or a backslash as good as two); arguments that name a place also count when they hold a bare host.
 */
import type { JsonObject } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import { matchesStars } from "./glob.ts";

const domainShape = /^(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/i;

/** Why a text is no entry of `allowedDomains`. A star stands for whole labels in front only: `*example.com` would also match `badexample.com`. */
export function domainProblem(text: string): string | undefined {
  if (text.length <= 253 && domainShape.test(text)) return undefined;
  return "a domain is a host such as `api.example.com`, or `*.example.com` for everything below it, without scheme or path";
}

/** Whether a host is allowed: exactly, or below a starred entry. */
export function isHostAllowed(host: string, allowed: readonly string[]): boolean {
  const plain = host.toLowerCase().replace(/\.$/, "");
  return allowed.some((entry) => matchesStars(entry, plain));
}

const urlInText = /[a-z][a-z0-9+.-]*:[/\\]+[^\s"'<>`]*/gi;
const schemeAtStart = /^[a-z][a-z0-9+.-]*:/i;
const bareHost =
  /^(?:[/\\]{2})?((?:[^\s/\\?#@:]+@)?[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)+|localhost|\[[0-9a-f:.]+\])(?::\d+)?(?:[/\\?#].*)?$/iu;
const placeName = /(^|[_-])(url|uri|href|link|host|hostname|domain|endpoint|webhook|callback|site|website|address|origin)$/i;

/**
 * The first place among the arguments that is not allowed, in words; undefined when all are.
 *
 * @param allowed entries of `allowedDomains`, in lower case.
 */
export function forbiddenPlace(tool: Tool, args: JsonObject, allowed: readonly string[]): string | undefined {
  const search: Search = { tool, allowed, found: undefined };
  searchValue(args, "", "", search);
  return search.found;
}

interface Search {
  readonly tool: Tool;
  readonly allowed: readonly string[];
  found: string | undefined;
}

function searchValue(value: unknown, pointer: string, name: string, search: Search): void {
  if (search.found !== undefined) return;
  if (typeof value === "string") searchText(value, pointer, name, search);
  else if (Array.isArray(value)) for (const item of value) searchValue(item, `${pointer}/*`, name, search);
  else if (typeof value === "object" && value !== null) {
    for (const [member, inner] of Object.entries(value)) searchValue(inner, `${pointer}/${member}`, words(member), search);
  }
}

/** `callbackUrl` and `callback_url` end in the same word. */
function words(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2");
}

/** Some readers drop line breaks inside a URL, others end it there; a text must be harmless to both. */
function searchText(raw: string, pointer: string, name: string, search: Search): void {
  const joined = raw.replace(/[\t\n\r]/g, "");
  searchLine(joined.trim(), pointer, name, search);
  if (joined !== raw && search.found === undefined) searchLine(raw.trim(), pointer, name, search);
}

function searchLine(text: string, pointer: string, name: string, search: Search): void {
  const candidates: string[] = text.match(urlInText) ?? [];
  if (schemeAtStart.test(text)) candidates.push(text);
  const isPlace = placeName.test(name) || search.tool.argumentRoles[pointer] === "target";
  const bare = isPlace || /^[/\\]{2}/.test(text) ? bareHost.exec(text) : null;
  if (bare !== null) candidates.push(`https://${text.replace(/^[/\\]+/, "")}`);
  for (const candidate of candidates) {
    const url = URL.parse(candidate);
    // `note: buy milk` has a scheme and no host: not a place. A file is one, and no domain list can allow it.
    if (url === null ? !/^[a-z][a-z0-9+.-]*:[/\\]{2}/i.test(candidate) : url.host === "" && url.protocol !== "file:") continue;
    if (url !== null && url.protocol !== "file:" && isHostAllowed(url.hostname, search.allowed)) continue;
    search.found =
      url === null
        ? "an argument holds a URL that cannot be read"
        : `\`${(url.hostname || "file").slice(0, 100)}\` is not among the allowed domains`;
    return;
  }
}
