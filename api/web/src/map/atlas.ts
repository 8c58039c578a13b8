/** The sprites of vans, drawn from our own shapes for the theme that is shown. */
import type { Tone } from "../status";
import { INSIDE, type Part, SHAPES } from "../parts/paths";
import { token } from "../state/theme";
import { RING_STEPS, SPRITE } from "../worker/markers";

/** Side of a cell, CSS pixels. */
export const CELL = 48;
/** Cells in a row of the atlas. */
export const COLUMNS = 5;
/** Cells after the sprites of `worker/markers.ts`. */
export const CELLS = { chevronRisk: 10, chevronLate: 11, ring: 12, selected: 12 + RING_STEPS } as const;
const ROWS = 4;

export interface Paint {
  fill: string;
  glyph: string;
  outline: string;
  halo: string;
}

/** The colours of a status in the theme that is shown. */
export function paintOf(tone: Tone): Paint {
  const name = tone === "failed" ? "late" : tone === "done" || tone === "off" ? "nosignal" : tone;
  return {
    fill: token(name), glyph: token(`${name}-glyph`) || token("halo"),
    outline: token(`${name}-outline`), halo: token("halo"),
  };
}

/** Draws a shape centred on the context's origin, `size` wide, with a halo around it. */
export function drawShape(context: CanvasRenderingContext2D, parts: readonly Part[], paint: Paint, size: number, halo: number): void {
  context.save();
  context.scale(size / 24, size / 24);
  context.translate(-12, -12);
  context.lineCap = "round";
  context.lineJoin = "round";
  const outline = parts[0];
  if (outline !== undefined && halo > 0) {
    context.strokeStyle = paint.halo;
    context.fillStyle = paint.halo;
    context.lineWidth = (outline.width ?? 0) + (halo * 2 * 24) / size;
    const path = new Path2D(outline.d);
    context.stroke(path);
    context.fill(path);
  }
  for (const part of parts) {
    const path = new Path2D(part.d);
    if (part.fill !== undefined) {
      context.fillStyle = paint[part.fill];
      context.fill(path);
    }
    if (part.stroke !== undefined) {
      context.strokeStyle = paint[part.stroke];
      context.lineWidth = part.width ?? 1;
      context.setLineDash(part.dash ?? []);
      context.stroke(path);
    }
  }
  context.restore();
}

/** The atlas as a canvas, at this many device pixels a CSS pixel. */
export function atlas(ratio: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = CELL * COLUMNS * ratio;
  canvas.height = CELL * ROWS * ratio;
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas to draw on");
  context.scale(ratio, ratio);
  const at = (cell: number, draw: () => void) => {
    context.save();
    context.translate((cell % COLUMNS) * CELL + CELL / 2, Math.floor(cell / COLUMNS) * CELL + CELL / 2);
    draw();
    context.restore();
  };
  const ok = paintOf("ok");
  const disc = (inside: string | undefined): Part[] => {
    const shape: Part[] = [{ d: SHAPES.ok[0]!.d, fill: "fill" }];
    if (inside !== undefined) shape.push({ d: inside, fill: "glyph" });
    return shape;
  };
  // A disc of radius 7 in a box of 24 becomes 14 px wide at 24.
  at(SPRITE.moving, () => drawShape(context, disc(INSIDE.moving), ok, 25, 2));
  at(SPRITE.atStop, () => drawShape(context, disc(INSIDE.atStop), ok, 25, 2));
  at(SPRITE.standing, () => drawShape(context, disc(INSIDE.standing), ok, 25, 2));
  at(SPRITE.plain, () => drawShape(context, disc(undefined), ok, 25, 2));
  at(SPRITE.risk, () => drawShape(context, SHAPES.risk, paintOf("risk"), 24, 2));
  at(SPRITE.late, () => drawShape(context, SHAPES.late, paintOf("late"), 24, 2));
  at(SPRITE.nosignal, () => drawShape(context, SHAPES.nosignal, paintOf("nosignal"), 22, 2));
  at(SPRITE.failed, () => drawShape(context, SHAPES.failed, paintOf("failed"), 24, 2));
  at(SPRITE.done, () => drawShape(context, SHAPES.done, paintOf("done"), 18, 2));
  at(SPRITE.off, () => drawShape(context, SHAPES.off, paintOf("off"), 20, 1.5));
  at(CELLS.chevronRisk, () => chevron(context, paintOf("risk")));
  at(CELLS.chevronLate, () => chevron(context, paintOf("late")));
  for (let step = 1; step <= RING_STEPS; step++) at(CELLS.ring + step - 1, () => ring(context, step));
  at(CELLS.selected, () => {
    context.beginPath();
    context.arc(0, 0, 20.8, 0, 2 * Math.PI);
    context.fillStyle = token("s1");
    context.globalAlpha = 0.82;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2.4;
    context.strokeStyle = token("ink");
    context.stroke();
  });
  return canvas;
}

function chevron(context: CanvasRenderingContext2D, paint: Paint): void {
  context.beginPath();
  context.moveTo(0, -20.5);
  context.lineTo(4.6, -14.4);
  context.lineTo(-4.6, -14.4);
  context.closePath();
  context.lineJoin = "round";
  context.strokeStyle = paint.halo;
  context.lineWidth = 2;
  context.stroke();
  context.fillStyle = paint.outline;
  context.fill();
}

function ring(context: CanvasRenderingContext2D, step: number): void {
  context.beginPath();
  context.arc(0, 0, 13, 0, 2 * Math.PI);
  context.fillStyle = token("halo");
  context.fill();
  context.beginPath();
  const empty = (1 - step / RING_STEPS) * 2 * Math.PI;
  context.arc(0, 0, 11.4, -Math.PI / 2 + empty, 1.5 * Math.PI);
  context.strokeStyle = token("ink3");
  context.lineWidth = 2;
  context.stroke();
}
