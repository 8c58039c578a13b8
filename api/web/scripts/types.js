// Makes src/api/schema.d.ts, the client's types, from openapi.json, the server's description.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const from = new URL("../openapi.json", import.meta.url);
const to = new URL("../src/api/schema.d.ts", import.meta.url);
const document = JSON.parse(await readFile(from, "utf8"));
// Types are taken by path, so names of operations, which need not be unique here, are left out.
for (const operations of Object.values(document.paths)) {
  for (const operation of Object.values(operations)) delete operation.operationId;
}
const text = astToString(await openapiTS(document));
const before = await readFile(to, "utf8").catch(() => "");
if (before !== text) await writeFile(to, text);
