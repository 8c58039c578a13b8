/** The shapes of status as paths in a box of 24: the page draws them as SVG, the map on a canvas. */
import type { Tone } from "../status";

export interface Part {
  d: string;
  fill?: "fill" | "glyph" | "halo";
  stroke?: "outline" | "glyph" | "fill";
  width?: number;
  dash?: [number, number];
}

const circle = (r: number): string => `M12 ${12 - r}a${r} ${r} 0 1 1 0 ${2 * r}a${r} ${r} 0 1 1 0 ${-2 * r}z`;
const TRIANGLE = "M12 3.6 21.6 20.4H2.4Z";
const DIAMOND = "M12 2 22 12 12 22 2 12Z";
const SQUARE = "M6.2 4h11.6A2.2 2.2 0 0 1 20 6.2v11.6a2.2 2.2 0 0 1-2.2 2.2H6.2A2.2 2.2 0 0 1 4 17.8V6.2A2.2 2.2 0 0 1 6.2 4z";
const mark = (top: number, bottom: number, dot: number): Part[] => [
  { d: `M12 ${top}V${bottom}`, stroke: "glyph", width: 2.3 },
  { d: `M12 ${dot}v.01`, stroke: "glyph", width: 2.7 },
];

/** The plain shape of each status, to be seen beside words. */
export const SHAPES: Record<Tone, Part[]> = {
  ok: [{ d: circle(7), fill: "fill" }],
  risk: [{ d: TRIANGLE, fill: "fill", stroke: "outline", width: 2 }, ...mark(10, 14.4, 17.7)],
  late: [{ d: DIAMOND, fill: "fill" }, ...mark(7.2, 12.8, 16.4)],
  nosignal: [
    { d: circle(8.4), stroke: "fill", width: 2.2, dash: [3.1, 2.18] },
    { d: "M8.4 15.6 15.6 8.4", stroke: "fill", width: 2.2 },
  ],
  failed: [{ d: SQUARE, fill: "fill" }, { d: "M9 9l6 6M15 9l-6 6", stroke: "glyph", width: 2.3 }],
  done: [{ d: circle(8), stroke: "fill", width: 1.9 }, { d: "M8.6 12.2l2.4 2.4 4.4-4.8", stroke: "fill", width: 1.9 }],
  off: [{ d: circle(3.4), fill: "fill" }],
};

/** What stands inside the disc of a van that is on time. */
export const INSIDE = {
  moving: "M12 6.6 16.3 16.2 12 14.2 7.7 16.2Z",
  atStop: "M9.4 9.4h5.2v5.2H9.4z",
  standing: "M9.2 8.8h1.9v6.4H9.2zM12.9 8.8h1.9v6.4h-1.9z",
} as const;

/** Bare outlines, on which a stop's number is set. */
export const STOP_SHAPES: Record<"ok" | "risk" | "late", string> = { ok: circle(8.6), risk: TRIANGLE, late: DIAMOND };

/** Icons of the page (lucide, ISC), drawn with a stroke. */
export const ICONS = {
  live: "M4.9 19.1a10 10 0 0 1 0-14.2M7.8 16.2a6 6 0 0 1 0-8.4M16.2 7.8a6 6 0 0 1 0 8.4M19.1 4.9a10 10 0 0 1 0 14.2M12 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  exceptions: "m21.7 18-8-14a2 2 0 0 0-3.4 0l-8 14A2 2 0 0 0 4 21h16a2 2 0 0 0 1.7-3zM12 9v4M12 17h.01",
  routes: "M9 19h8.5a3.5 3.5 0 0 0 0-7h-11a3.5 3.5 0 0 1 0-7H15M6 22a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM18 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  mail: "M4 5h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM22 7.5l-8.9 5.8a2 2 0 0 1-2.2 0L2 7.5",
  link: "M10 13a5 5 0 0 0 7.5.5l3-3a5 5 0 0 0-7-7l-1.7 1.7M14 11a5 5 0 0 0-7.5-.5l-3 3a5 5 0 0 0 7 7l1.7-1.7",
  analytics: "M3 3v16a2 2 0 0 0 2 2h16M19 9l-5 5-4-4-3 3",
  download: "M12 15V3M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4M7 10l5 5 5-5",
  tables: "M12 3v18M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM3 9h18M3 15h18",
  keys: "M12 22a10 10 0 1 0 0-20 10 10 0 0 0 0 20zM9.1 9a3 3 0 0 1 5.8 1c0 2-3 3-3 3M12 17h.01",
  settings: "M12.2 2h-.4a2 2 0 0 0-2 2v.2a2 2 0 0 1-1 1.7l-.4.3a2 2 0 0 1-2 0l-.2-.1a2 2 0 0 0-2.7.7l-.2.4a2 2 0 0 0 .7 2.7l.2.1a2 2 0 0 1 1 1.7v.5a2 2 0 0 1-1 1.8l-.2.1a2 2 0 0 0-.7 2.7l.2.4a2 2 0 0 0 2.7.7l.2-.1a2 2 0 0 1 2 0l.4.3a2 2 0 0 1 1 1.7v.2a2 2 0 0 0 2 2h.4a2 2 0 0 0 2-2v-.2a2 2 0 0 1 1-1.7l.4-.3a2 2 0 0 1 2 0l.2.1a2 2 0 0 0 2.7-.7l.2-.4a2 2 0 0 0-.7-2.7l-.2-.1a2 2 0 0 1-1-1.8v-.5a2 2 0 0 1 1-1.7l.2-.1a2 2 0 0 0 .7-2.7l-.2-.4a2 2 0 0 0-2.7-.7l-.2.1a2 2 0 0 1-2 0l-.4-.3a2 2 0 0 1-1-1.7V4a2 2 0 0 0-2-2zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  search: "M11 19a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM21 21l-4.3-4.3",
  close: "M18 6 6 18M6 6l12 12",
  plus: "M5 12h14M12 5v14",
  minus: "M5 12h14",
  fit: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 3v4M12 17v4M3 12h4M17 12h4M12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  follow: "m3 11 19-9-9 19-2-8-8-2z",
  right: "m9 18 6-6-6-6",
  down: "m6 9 6 6 6-6",
  up: "m18 15-6-6-6 6",
  offline: "M12 20h.01M8.5 16.4a5 5 0 0 1 7 0M5 12.9a10 10 0 0 1 5.2-2.7M19 12.9a10 10 0 0 0-2-1.5M2 8.8a15 15 0 0 1 4.2-2.6M22 8.8a15 15 0 0 0-11.3-3.8M2 2l20 20",
  clock: "M12 22a10 10 0 1 0 0-20 10 10 0 0 0 0 20zM12 6v6l4 2",
  play: "M6 3l14 9-14 9z",
  pause: "M14 4h4v16h-4zM6 4h4v16H6z",
  flag: "M4 15s1-1 4-1 5 2 8 2 4-1 4-1V3s-1 1-4 1-5-2-8-2-4 1-4 1zM4 22v-7",
  arrow: "M5 12h14M12 5l7 7-7 7",
  copy: "M10 8h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H10a2 2 0 0 1-2-2V10a2 2 0 0 1 2-2zM4 16a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2h10a2 2 0 0 1 2 2",
  out: "M9 21H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2h4M16 17l5-5-5-5M21 12H9",
} as const;
export type IconName = keyof typeof ICONS;
