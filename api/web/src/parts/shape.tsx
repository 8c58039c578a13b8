/** A status as a shape, and icons. Both say nothing to a screen reader: words stand beside them. */
import { age } from "../format";
import { now } from "../state/live";
import type { Tone } from "../status";
import { ICONS, type IconName, type Part, SHAPES, STOP_SHAPES } from "./paths";

/** Name of the token that a part of a shape is painted with. */
function paint(tone: Tone, role: Part["fill"] | Part["stroke"]): string {
  if (role === undefined) return "none";
  if (role === "halo") return "var(--halo)";
  const name = tone === "failed" ? "late" : tone === "done" || tone === "off" ? "nosignal" : tone;
  if (role === "glyph") return `var(--${name}-glyph)`;
  return role === "outline" ? `var(--${name}-outline)` : `var(--${name})`;
}

export function Shape({ tone, size = 16 }: { tone: Tone; size?: number }) {
  return (
    <svg class="shape" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      {SHAPES[tone].map((part) => (
        <path d={part.d} fill={paint(tone, part.fill)} stroke={paint(tone, part.stroke)}
          stroke-width={part.width} stroke-linecap="round" stroke-linejoin="round"
          stroke-dasharray={part.dash?.join(" ")} />
      ))}
    </svg>
  );
}

/** A stop's number on the shape of its status. */
export function StopShape({ tone, text, size = 28, moved = false }: { tone: Tone; text: string; size?: number; moved?: boolean }) {
  if (tone === "done" || tone === "off") return <Shape tone="done" size={20} />;
  if (tone === "failed" || tone === "nosignal") return <Shape tone={tone} size={22} />;
  const fill = moved ? "var(--ink)" : tone === "ok" ? "var(--s1)" : `var(--${tone})`;
  const stroke = tone === "ok" ? "var(--ink)" : `var(--${tone}-outline)`;
  const ink = moved ? "var(--on-ink)" : tone === "ok" ? "var(--ink)" : `var(--${tone}-glyph)`;
  return (
    <svg class="shape" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={STOP_SHAPES[tone]} fill={fill} stroke={stroke} stroke-width="1.6" stroke-linejoin="round" />
      <text x="12" y={tone === "risk" ? 18 : 15.2} text-anchor="middle" font-size={text.length > 2 ? 7 : 9} font-weight="600" fill={ink}>{text}</text>
    </svg>
  );
}

/** A text that changes where it stands at the end of its cell: each text is a new element, so that
 * nothing that is there moves. */
export function Swap({ text, kind = "", state }: { text: string; kind?: string; state?: string }) {
  return <span class={`swap ${kind}`} data-state={state}><span key={text}>{text}</span></span>;
}

/** How long ago something was; drawn by itself each second. */
export function Age({ at, kind = "", state }: { at: number; kind?: string; state?: string }) {
  return <Swap kind={kind} text={age(at, now.value)} {...(state === undefined ? {} : { state })} />;
}

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg class="shape" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor"
      stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}
