// openapi.js [URL]: fetches a running server's description of itself into openapi.json.
import { writeFile } from "node:fs/promises";

const base = process.argv[2] ?? "http://127.0.0.1:8080";
const answer = await fetch(new URL("/v1/openapi.json", base));
if (!answer.ok) throw new Error(`${base} answers ${answer.status}`);
const text = JSON.stringify(await answer.json(), null, 1) + "\n";
await writeFile(new URL("../openapi.json", import.meta.url), text);
