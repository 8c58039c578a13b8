/**
 * All vans as one layer of the map: instances of one quad, placed from numbers that the worker
 * makes, so that 20,000 of them cost the page one copy to the graphics card each second.
 */
import type { CustomLayerInterface, CustomRenderMethodInput, Map as MapLibre } from "maplibre-gl";
import { FLOATS, type Markers } from "../worker/protocol";
import { atlas, CELL, CELLS, COLUMNS } from "./atlas";

/** How long a van takes from one place to the next on the screen, milliseconds. */
const MOVE = 900;
/** Vans glide only when the map is this near and the fleet this small. */
const GLIDE_ZOOM = 13;
const GLIDE_VANS = 2_000;
/** Frames of one glide below which it is not one. */
const FRAMES_LEAST = 15;
/** Below this zoom calm vans are dots. */
const DOTS_ZOOM = 11;

const VERTEX = `#version 300 es
in vec2 a_corner; in vec2 a_from; in vec2 a_to; in vec3 a_look;
uniform mat4 u_matrix; uniform vec2 u_pixel; uniform float u_mix, u_problems, u_selected, u_scale, u_alone;
out vec2 v_at; flat out vec3 v_look; flat out float v_chosen;
void main() {
  float sprite = a_look.y;
  bool chosen = abs(float(gl_InstanceID) - u_selected) < 0.5;
  bool problem = (sprite > 2.5 && sprite < 6.5) || chosen;
  if (sprite < -0.5 || (u_alone > 0.5 && !chosen) || problem != (u_problems > 0.5)) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); return; }
  float side = problem ? 24.0 : a_look.z > 0.5 ? 14.0 : sprite == 8.0 ? 5.0 : 10.5;
  float scale = problem ? 1.0 : u_scale;
  vec4 centre = u_matrix * vec4(mix(a_from, a_to, u_mix), 0.0, 1.0);
  gl_Position = centre + vec4(a_corner * side * scale * u_pixel * centre.w, 0.0, 0.0);
  v_at = vec2(a_corner.x, -a_corner.y) * side; v_look = a_look; v_chosen = chosen ? 1.0 : 0.0;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D u_atlas; uniform vec2 u_grid;
in vec2 v_at; flat in vec3 v_look; flat in float v_chosen; out vec4 color;
vec4 cell(float number, vec2 at) {
  vec2 inside = at / ${CELL}.0 + 0.5;
  if (any(lessThan(inside, vec2(0.0))) || any(greaterThan(inside, vec2(1.0)))) return vec4(0.0);
  vec2 corner = vec2(mod(number, u_grid.x), floor(number / u_grid.x));
  return texture(u_atlas, (corner + clamp(inside, 0.01, 0.99)) / u_grid);
}
vec4 over(vec4 top, vec4 under) { return top + under * (1.0 - top.a); }
void main() {
  float heading = v_look.x;
  vec2 turned = v_at;
  if (heading >= 0.0) {
    float c = cos(heading), s = sin(heading);
    turned = vec2(c * v_at.x + s * v_at.y, -s * v_at.x + c * v_at.y);
  }
  vec4 sum = vec4(0.0);
  if (v_chosen > 0.5) sum = cell(${CELLS.selected}.0, v_at);
  if (v_look.z > 0.5) sum = over(cell(${CELLS.ring}.0 + v_look.z - 1.0, v_at), sum);
  sum = over(cell(v_look.y, v_look.y < 0.5 ? turned : v_at), sum);
  if (heading >= 0.0 && (v_look.y == 3.0 || v_look.y == 4.0))
    sum = over(cell(v_look.y == 3.0 ? ${CELLS.chevronRisk}.0 : ${CELLS.chevronLate}.0, turned), sum);
  if (sum.a < 0.004) discard;
  color = sum;
}`;

export class VansLayer implements CustomLayerInterface {
  readonly id = "vans";
  readonly type = "custom" as const;
  private map: MapLibre | undefined;
  private gl: WebGL2RenderingContext | undefined;
  private program: WebGLProgram | undefined;
  private array: WebGLVertexArrayObject | null = null;
  private buffer: WebGLBuffer | null = null;
  private texture: WebGLTexture | null = null;
  private uniforms = new Map<string, WebGLUniformLocation | null>();
  private markers: Markers | undefined;
  private fresh = false;
  private started = 0;
  private glide = false;
  private frames = 0;
  /** Line of the selected van; −1 for none. */
  selected = -1;
  /** Only the selected van is drawn. */
  alone = false;
  /** Vans are drawn where they are, without a way between. */
  still = false;

  onAdd(map: MapLibre, gl: WebGL2RenderingContext): void {
    this.map = map;
    this.gl = gl;
    const program = linked(gl);
    this.program = program;
    for (const name of ["matrix", "pixel", "mix", "problems", "selected", "scale", "alone", "atlas", "grid"]) {
      this.uniforms.set(name, gl.getUniformLocation(program, `u_${name}`));
    }
    this.array = gl.createVertexArray();
    gl.bindVertexArray(this.array);
    const corners = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    attribute(gl, program, "a_corner", 2, 8, 0, 0);
    this.buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    attribute(gl, program, "a_from", 2, FLOATS * 4, 0, 1);
    attribute(gl, program, "a_to", 2, FLOATS * 4, 8, 1);
    attribute(gl, program, "a_look", 3, FLOATS * 4, 16, 1);
    gl.bindVertexArray(null);
    this.texture = gl.createTexture();
    this.paint();
    this.fresh = this.markers !== undefined;
  }

  onRemove(_map: MapLibre, gl: WebGL2RenderingContext): void {
    if (this.program !== undefined) gl.deleteProgram(this.program);
    gl.deleteBuffer(this.buffer);
    gl.deleteTexture(this.texture);
    gl.deleteVertexArray(this.array);
    this.gl = undefined;
  }

  /** Draws the sprites again, for another theme. */
  paint(): void {
    const { gl } = this;
    if (gl === undefined) return;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, atlas(Math.ceil(devicePixelRatio)));
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    this.map?.triggerRepaint();
  }

  /** Takes newer places. */
  set(markers: Markers): void {
    this.markers = markers;
    this.fresh = true;
    // A machine that cannot draw the way between smoothly steps instead.
    if (this.glide && this.frames < FRAMES_LEAST) this.still = true;
    this.frames = 0;
    this.started = performance.now();
    const near = (this.map?.getZoom() ?? 0) >= GLIDE_ZOOM;
    this.glide = !this.still && near && markers.count < GLIDE_VANS && !document.hidden;
    this.map?.triggerRepaint();
  }

  render(context: WebGLRenderingContext | WebGL2RenderingContext, input: CustomRenderMethodInput): void {
    const { gl, markers, map, program } = this;
    if (gl === undefined || gl !== context || markers === undefined || map === undefined || program === undefined) return;
    gl.useProgram(program);
    gl.bindVertexArray(this.array);
    if (this.fresh) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
      gl.bufferData(gl.ARRAY_BUFFER, markers.data, gl.DYNAMIC_DRAW);
      this.fresh = false;
    }
    const moved = this.glide ? Math.min(1, (performance.now() - this.started) / MOVE) : 1;
    const canvas = map.getCanvas();
    const at = (name: string) => this.uniforms.get(name) ?? null;
    gl.uniformMatrix4fv(at("matrix"), false, moveTo(input.modelViewProjectionMatrix, markers.origin, worldSize(map)));
    gl.uniform2f(at("pixel"), 2 / canvas.clientWidth, 2 / canvas.clientHeight);
    gl.uniform1f(at("mix"), moved);
    gl.uniform1f(at("selected"), this.selected);
    gl.uniform1f(at("scale"), map.getZoom() < DOTS_ZOOM ? 0.55 : 1);
    gl.uniform1f(at("alone"), this.alone ? 1 : 0);
    gl.uniform2f(at("grid"), COLUMNS, 4);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.uniform1i(at("atlas"), 0);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.disable(gl.DEPTH_TEST);
    for (const problems of [0, 1]) {
      gl.uniform1f(at("problems"), problems);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, markers.count);
    }
    gl.bindVertexArray(null);
    this.frames++;
    if (moved < 1) map.triggerRepaint();
  }
}

/** Side of the world in the units of the layer's matrix. */
const worldSize = (map: MapLibre): number => 512 * 2 ** map.getZoom();

/** The matrix for places relative to `origin` in mercator, in double precision until the end. */
function moveTo(matrix: ArrayLike<number>, origin: [number, number], size: number): Float32Array {
  const m = Array.from(matrix);
  const out = new Float32Array(16);
  for (let row = 0; row < 4; row++) {
    const [x, y, z, w] = [m[row]!, m[row + 4]!, m[row + 8]!, m[row + 12]!];
    out[row] = x * size;
    out[row + 4] = y * size;
    out[row + 8] = z;
    out[row + 12] = x * size * origin[0] + y * size * origin[1] + w;
  }
  return out;
}

function attribute(gl: WebGL2RenderingContext, program: WebGLProgram, name: string, size: number, stride: number, offset: number, divisor: number): void {
  const at = gl.getAttribLocation(program, name);
  if (at < 0) return;
  gl.enableVertexAttribArray(at);
  gl.vertexAttribPointer(at, size, gl.FLOAT, false, stride, offset);
  gl.vertexAttribDivisor(at, divisor);
}

function linked(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) throw new Error("no shader");
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) {
    throw new Error(`vans cannot be drawn: ${gl.getProgramInfoLog(program) ?? ""}`);
  }
  return program;
}
