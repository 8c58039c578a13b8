import { defineConfig } from "vite";

// During development the running `milepost demo` answers everything but the app itself.
const server = process.env["MILEPOST_URL"] ?? "http://127.0.0.1:8080";
const proxied = { target: server, changeOrigin: true, headers: { Origin: server } };

export default defineConfig({
  base: "/app/",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
  },
  worker: { format: "es" },
  server: { proxy: { "/v1": proxied, "/tiles": proxied, "/t/": proxied } },
});
