/** Plans of the day: what the stream does not repeat, such as names and promised windows. */
import type { components } from "../api/schema";

type Route = components["schemas"]["RouteOut"];

export interface PlanStop {
  name: string;
  lng: number;
  lat: number;
  from?: number | undefined;
  closes?: number | undefined;
  service?: number | undefined;
  arrived?: number | undefined;
  departed?: number | undefined;
}
export interface Plan {
  id: string;
  version: number;
  vehicle: string;
  zone: string;
  shiftStart: number;
  shiftEnd: number;
  depot: [number, number];
  stops: Map<string, PlanStop>;
}

/** Routes read at the start; a larger fleet's are read as its vans are looked at. */
const ROUTES_MAX = 3_000;
const PAGE = 200;
/** Routes asked for at a time, and waiting. */
const ASKED_MAX = 4;
const QUEUE_MAX = 1_000;
/** A route that could not be read is not asked for again before this, milliseconds. */
const RETRY = 30_000;

export class Plans {
  private readonly plans = new Map<string, Plan>();
  private readonly queue = new Set<string>();
  private readonly failed = new Map<string, number>();
  private asked = 0;
  /** All routes of the day are known. */
  whole = false;
  zone = "";
  /** Told when a plan came. */
  onPlan: (plan: Plan) => void = () => {};

  /** The plan of a route at a version or later; asks for it where it is not known yet. */
  of(route: string, version: number): Plan | undefined {
    const plan = this.plans.get(route);
    if ((plan === undefined || plan.version < version) && this.whole) this.want(route);
    return plan;
  }

  get(route: string): Plan | undefined {
    return this.plans.get(route);
  }

  /** Reads all routes, page by page. */
  async load(): Promise<void> {
    let after = "";
    for (let read = 0; read < ROUTES_MAX; read += PAGE) {
      const answer = await fetch(`/v1/routes?limit=${PAGE}${after && `&after=${encodeURIComponent(after)}`}`);
      if (!answer.ok) throw new Error(`routes: ${answer.status}`);
      const page = (await answer.json()) as { routes: Route[]; next?: string };
      for (const route of page.routes) this.take(route);
      if (page.next === undefined) {
        this.whole = true;
        return;
      }
      after = page.next;
    }
    this.whole = true;
  }

  /** Asks for one route soon. */
  want(route: string): void {
    const failed = this.failed.get(route);
    if (failed !== undefined && Date.now() - failed < RETRY) return;
    if (this.queue.size < QUEUE_MAX) this.queue.add(route);
    this.pump();
  }

  private pump(): void {
    for (const route of this.queue) {
      if (this.asked >= ASKED_MAX) return;
      this.queue.delete(route);
      this.asked++;
      void this.ask(route).finally(() => {
        this.asked--;
        this.pump();
      });
    }
  }

  private async ask(route: string): Promise<void> {
    try {
      const answer = await fetch(`/v1/routes/${encodeURIComponent(route)}`);
      if (!answer.ok) throw new Error(`route: ${answer.status}`);
      this.take((await answer.json()) as Route);
      this.failed.delete(route);
    } catch {
      this.failed.set(route, Date.now());
    }
  }

  private take(route: Route): void {
    const time = (text: string | null | undefined) => (text == null ? undefined : Date.parse(text));
    const stops = new Map<string, PlanStop>();
    for (const stop of route.stops) {
      stops.set(stop.id, {
        name: stop.name ?? stop.id, lng: stop.lng, lat: stop.lat,
        from: time(stop.window?.from), closes: time(stop.window?.to),
        service: stop.service_s ?? undefined,
        arrived: time(stop.arrived_at), departed: time(stop.departed_at),
      });
    }
    const plan: Plan = {
      id: route.id, version: route.version, vehicle: route.vehicle, zone: route.time_zone,
      shiftStart: Date.parse(route.shift.start), shiftEnd: Date.parse(route.shift.end),
      depot: [route.depot.lng, route.depot.lat], stops,
    };
    if (this.zone === "") this.zone = plan.zone;
    this.plans.set(route.id, plan);
    this.onPlan(plan);
  }
}
