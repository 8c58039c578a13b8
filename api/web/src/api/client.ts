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
  /** A file rather than JSON. */
  as?: "blob";
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
  if (answer.ok && options.as === "blob") return (await answer.blob()) as T;
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

/** The server leaves out what it does not know: nothing is null. */
type Plain<T> = { [K in keyof T]: Exclude<T[K], null> };

/** Longitude and latitude; the document cannot say that there are two. */
type Place = [number, number];

/** A cause of a change, as the server measured it. */
export type Cause = Plain<Schemas["CauseOut"]>;
/** What can be done about an exception. */
export type Remedy = Plain<Schemas["RemedyOut"]>;
export type Exception = Plain<Schemas["ExceptionOut"]>;
export type Exceptions = Omit<Plain<Schemas["ExceptionsOut"]>, "exceptions"> & { exceptions: Exception[] };
/** A customer whom a problem makes late. */
export type Concerned = Plain<Schemas["ConcernedOut"]>;
/** What became of telling them. */
export type Told = Plain<Schemas["ToldOut"]>;
/** What became of today's problems. */
export type Today = Plain<Schemas["TodayOut"]>;
/** What lateness costs. */
export type Costs = Plain<Schemas["CostsJson"]>;
/** An open proposal. */
export type Reroute = Omit<Plain<Schemas["RerouteOut"]>, "line"> & { line?: Place[] };
/** The way along roads to each stop. */
export type RouteLine = { legs: { stop: string; coordinates: Place[] }[] };
/** A customer's link. */
export type Link = Plain<Schemas["LinkOut"]>;
export type Key = Plain<Schemas["KeyOut"]>;
