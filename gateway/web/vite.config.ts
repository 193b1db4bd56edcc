import { defineConfig } from "vite";

// Three files with names that stay: the gateway's program carries them along, and its routes name them.
export default defineConfig({
  base: "/dashboard/",
  build: {
    outDir: "dist",
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rollupOptions: {
      output: { entryFileNames: "app.js", assetFileNames: "app.[ext]" },
    },
  },
});
