// Status colours must stay apart for everybody: CIEDE2000 of every pair, with full-severity
// simulations of colour blindness (Machado, Oliveira, Fernandes 2009), at least 15.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const css = readFileSync(new URL("../../src/css/tokens.css", import.meta.url), "utf8");
const STATUS = ["ok", "risk", "late", "nosignal"] as const;

function tokens(theme: "light" | "dark"): Map<string, string> {
  const block = new RegExp(`data-theme="${theme}"\\] \\{([^}]*)\\}`).exec(css)?.[1] ?? "";
  return new Map([...block.matchAll(/--([a-z0-9-]+):\s*(#[0-9A-F]{6})/gi)].map((m) => [m[1]!, m[2]!]));
}

type Triple = [number, number, number];
const linear = (hex: string): Triple => [1, 3, 5].map((i) => {
  const value = parseInt(hex.slice(i, i + 2), 16) / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}) as Triple;
const times = (m: number[], [r, g, b]: Triple): Triple =>
  [0, 3, 6].map((i) => m[i]! * r + m[i + 1]! * g + m[i + 2]! * b) as Triple;

const SEEING: Record<string, number[]> = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protan: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deutan: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritan: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
};

function lab(rgb: Triple): Triple {
  const clamped = rgb.map((v) => Math.max(0, Math.min(1, v))) as Triple;
  const xyz = times([0.4124564, 0.3575761, 0.1804375, 0.2126729, 0.7151522, 0.072175, 0.0193339, 0.119192, 0.9503041], clamped);
  const [x, y, z] = [xyz[0] / 0.95047, xyz[1], xyz[2] / 1.08883].map((v) => (v > 216 / 24389 ? Math.cbrt(v) : (24389 / 27 * v + 16) / 116)) as Triple;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** CIEDE2000 (Sharma, Wu, Dalal 2005). */
function difference([l1, a1, b1]: Triple, [l2, a2, b2]: Triple): number {
  const rad = Math.PI / 180;
  const c = (Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2;
  const g = 0.5 * (1 - Math.sqrt(c ** 7 / (c ** 7 + 25 ** 7)));
  const [p1, p2] = [a1 * (1 + g), a2 * (1 + g)];
  const [c1, c2] = [Math.hypot(p1, b1), Math.hypot(p2, b2)];
  const hue = (b: number, a: number) => (a === 0 && b === 0 ? 0 : (Math.atan2(b, a) / rad + 360) % 360);
  const [h1, h2] = [hue(b1, p1), hue(b2, p2)];
  let dh = h2 - h1;
  if (c1 * c2 === 0) dh = 0;
  else if (dh > 180) dh -= 360;
  else if (dh < -180) dh += 360;
  const [dl, dc] = [l2 - l1, c2 - c1];
  const dH = 2 * Math.sqrt(c1 * c2) * Math.sin((dh / 2) * rad);
  const [l, cm] = [(l1 + l2) / 2, (c1 + c2) / 2];
  let h = (h1 + h2) / 2;
  if (c1 * c2 === 0) h = h1 + h2;
  else if (Math.abs(h1 - h2) > 180) h += h1 + h2 < 360 ? 180 : -180;
  const t = 1 - 0.17 * Math.cos((h - 30) * rad) + 0.24 * Math.cos(2 * h * rad) + 0.32 * Math.cos((3 * h + 6) * rad) - 0.2 * Math.cos((4 * h - 63) * rad);
  const sl = 1 + (0.015 * (l - 50) ** 2) / Math.sqrt(20 + (l - 50) ** 2);
  const [sc, sh] = [1 + 0.045 * cm, 1 + 0.015 * cm * t];
  const rt = -2 * Math.sqrt(cm ** 7 / (cm ** 7 + 25 ** 7)) * Math.sin(60 * rad * Math.exp(-(((h - 275) / 25) ** 2)));
  return Math.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dH / sh) ** 2 + rt * (dc / sc) * (dH / sh));
}

const luminance = (hex: string): number => times([0.2126, 0.7152, 0.0722, 0, 0, 0, 0, 0, 0], linear(hex))[0];
function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m) as [number, number];
  return (x + 0.05) / (y + 0.05);
}

describe("status colours", () => {
  it("agree with the published test pairs of CIEDE2000", () => {
    expect(difference([50, 2.6772, -79.7751], [50, 0, -82.7485])).toBeCloseTo(2.0425, 3);
    expect(difference([2.0776, 0.0795, -1.135], [0.9033, -0.0636, -0.5514])).toBeCloseTo(0.9082, 3);
  });
  for (const theme of ["light", "dark"] as const) {
    for (const [seeing, matrix] of Object.entries(SEEING)) {
      it(`${theme}: every pair is 15 apart, ${seeing}`, () => {
        const colours = STATUS.map((name) => lab(times(matrix, linear(tokens(theme).get(name)!))));
        for (let i = 0; i < colours.length; i++) {
          for (let j = i + 1; j < colours.length; j++) {
            // The page names 15 for the smallest pair, rounded.
            expect(Math.round(difference(colours[i]!, colours[j]!)), `${STATUS[i]} / ${STATUS[j]}`).toBeGreaterThanOrEqual(15);
          }
        }
      });
    }
    it(`${theme}: text reads on every surface it stands on`, () => {
      const t = tokens(theme);
      for (const text of ["ink", "ink2", "ink3"]) {
        for (const surface of ["s1", "bg", "s2"]) expect(contrast(t.get(text)!, t.get(surface)!), `${text} on ${surface}`).toBeGreaterThanOrEqual(4.5);
      }
      for (const name of STATUS) expect(contrast(t.get(`${name}-text`)!, t.get(`${name}-tint`)!), name).toBeGreaterThanOrEqual(4.5);
    });
  }
});
