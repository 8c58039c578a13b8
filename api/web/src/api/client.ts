/** Asking the server: JSON in and out, problems as they are. */
import type { components } from "./schema";
import { t } from "../messages/translate";

type Schemas = components["schemas"];
export type Route = Schemas["RouteOut"];
export type Stop = Schemas["StopOut"];
export type Delivery = Schemas["DeliveryOut"];
export type Device = Schemas["DeviceOut"];
export type Vehicle = Schemas["VehicleOut"];
export type Session = Schemas["SessionOut"] & { name?: string; email?: string };
type ProblemBody = Schemas["Problem"];

/** What the server refused, or that it could not be reached. */
export class Problem extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly field?: string | undefined,
    /** Names the request in the server's log, where it says so. */
    readonly trace?: string | undefined,
  ) {
    super(detail);
  }
}

/** An answer that takes longer counts as none, milliseconds. */
const PATIENCE = 20_000;

/** Told when the server asks who is there. */
let onRefused: () => void = () => {};
export function whenRefused(call: () => void): void {
  onRefused = call;
}

export interface Ask {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  /** `If-Match` and the like. */
  headers?: Record<string, string>;
  /** Makes a repeated write one write. */
  once?: string;
  signal?: AbortSignal;
}

/** Asks and gives the answer's JSON; nothing for 204. Throws a `Problem`. */
export async function ask<T>(path: string, options: Ask = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  const method = options.method ?? "GET";
  const init: RequestInit = { method, headers, signal: options.signal ?? AbortSignal.timeout(PATIENCE) };
  if (method !== "GET") headers["Content-Type"] = "application/json";
  if (options.once !== undefined) headers["Idempotency-Key"] = options.once;
  if (options.body !== undefined) init.body = JSON.stringify(options.body);
  const answer = await fetch(path, init).catch((error: unknown) => {
    throw new Problem(0, t("The server does not answer"), error instanceof Error ? error.message : "");
  });
  if (answer.status === 204) return undefined as T;
  const json: unknown = await answer.json().catch(() => undefined);
  if (answer.ok) return json as T;
  const body = (json ?? {}) as Partial<ProblemBody>;
  if (answer.status === 401 && !path.startsWith("/v1/session")) onRefused();
  const trace = answer.headers.get("x-request-id") ?? undefined;
  throw new Problem(
    answer.status, body.title ?? String(answer.status), body.detail ?? t("The server answers {status}", { status: String(answer.status) }),
    body.field ?? undefined, trace,
  );
}

/** All pages of a list, at most `most` members. */
export async function all<T>(path: string, name: string, most: number): Promise<{ members: T[]; whole: boolean }> {
  const members: T[] = [];
  let after = "";
  while (members.length < most) {
    const sign = path.includes("?") ? "&" : "?";
    const page = await ask<Record<string, unknown>>(`${path}${after === "" ? "" : `${sign}after=${encodeURIComponent(after)}`}`);
    members.push(...((page[name] ?? []) as T[]));
    const next = page["next"];
    if (typeof next !== "string" || next === after) return { members, whole: true };
    after = next;
  }
  return { members, whole: false };
}

/** A key that makes a write happen once however often it is sent. */
export function onceKey(): string {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

/** A cause of a change, as the server measured it. */
export interface Cause { kind: string; seconds: number; stop?: string }
/** What can be done about an exception. */
export interface Remedy { kind: string; reroute?: string; gain_s?: number }
export interface Exception {
  id: string; vehicle: string; seq: number; type: string; since: string;
  route?: string; stop?: string; order?: string; cause?: string;
  consequence: { stops_at_risk: number; expected_late_minutes: number; orders: string[] };
  remedies: Remedy[];
  cost: number;
  snoozed_until?: string;
  assigned_to?: string;
}
export interface Exceptions { exceptions: Exception[]; as_of: string; next?: string; currency?: string }
/** An open proposal. */
export interface Reroute {
  id: string; vehicle: string; route?: string; version?: number; stops: string[];
  gain_s: number; seconds: number; metres: number; line?: [number, number][];
}
