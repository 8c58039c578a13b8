import { defineConfig } from "vite";
import { offline } from "./scripts/offline.js";

// During development the running `milepost demo` answers everything but the app itself.
const server = process.env["MILEPOST_URL"] ?? "http://127.0.0.1:8080";
const proxied = { target: server, changeOrigin: true, headers: { Origin: server } };

export default defineConfig({
  base: "/app/",
  plugins: [offline()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      input: { index: "index.html", sw: "src/offline/sw.ts" },
      // A service worker keeps its name: browsers compare what is under it with what they have.
      output: { entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  worker: { format: "es" },
  server: { proxy: { "/v1": proxied, "/tiles": proxied, "/t/": proxied } },
});
